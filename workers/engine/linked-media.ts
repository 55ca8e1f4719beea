/**
 * Media that a caller names by address, for an attempt whose wire format takes it only as bytes: which addresses those are, and the request
 * with the bytes in their place. Which media a format takes only so, the format itself declares (`needsMediaBytes`).
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { isObject, parseJson } from "../../schema/json.ts";
import type { Plan } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Block, CanonicalRequest } from "../protocol/canonical.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import type { FetchedMedia, MediaOutcome } from "../runtime/fetch-media.ts";

export type MediaByAddress = ReadonlyMap<string, FetchedMedia>;

type MediaBlock = Extract<Block, { type: "image" | "file" | "audio" }>;

/** The media that is there as an address, in tool results too, replaced by what `change` gives for it. */
function mapLinked(request: CanonicalRequest, change: (block: MediaBlock, url: string, inToolResult: boolean) => Block): CanonicalRequest {
  const mapBlock = (block: Block, inToolResult: boolean): Block => {
    if (block.type === "tool-result") return { ...block, content: block.content.map((inner) => mapBlock(inner, true)) };
    if (block.type !== "image" && block.type !== "file" && block.type !== "audio") return block;
    return block.source.kind === "url" ? change(block, block.source.url, inToolResult) : block;
  };
  return { ...request, turns: request.turns.map((turn) => ({ ...turn, blocks: turn.blocks.map((block) => mapBlock(block, false)) })) };
}

/** The request as it is translated for `target`, with fetched bytes where that format needs bytes. */
export function withMediaFor(request: CanonicalRequest, target: ProtocolId, media: MediaByAddress): CanonicalRequest {
  const { needsMediaBytes } = PROTOCOLS[target];
  if (media.size === 0 || needsMediaBytes === undefined) return request;
  return mapLinked(request, (block, url, inToolResult) => {
    const fetched = media.get(url);
    return fetched !== undefined && needsMediaBytes({ type: block.type, url, inToolResult }) ? withBytes(block, fetched) : block;
  });
}

/** The request with everything that was fetched in it: what its size is measured by. */
export function withAllMedia(request: CanonicalRequest, media: MediaByAddress): CanonicalRequest {
  if (media.size === 0) return request;
  return mapLinked(request, (block, url) => {
    const fetched = media.get(url);
    return fetched === undefined ? block : withBytes(block, fetched);
  });
}

/** The bytes say what the block is: a picture sent as a file is a picture, a PDF sent as a picture a file. */
function withBytes(block: MediaBlock, { mediaType, data }: FetchedMedia): Block {
  const source = { kind: "base64" as const, mediaType, data };
  const cache = block.type === "audio" ? null : block.cache;
  if (mediaType.startsWith("image/")) return { type: "image", source, detail: block.type === "image" ? block.detail : null, cache };
  return { type: "file", source, name: block.type === "file" ? block.name : null, cache };
}

/** The addresses whose bytes some attempt needs. An attempt in the caller's own format never does: it gets what the caller wrote. */
export function addressesToFetch(request: CanonicalRequest, plan: Plan): Set<string> {
  const addresses = new Set<string>();
  for (const target of new Set(plan.attempts.map((attempt) => attempt.protocol))) {
    const { needsMediaBytes } = PROTOCOLS[target];
    if (target === request.protocol || needsMediaBytes === undefined) continue;
    mapLinked(request, (block, url, inToolResult) => {
      if (needsMediaBytes({ type: block.type, url, inToolResult })) addresses.add(url);
      return block;
    });
  }
  return addresses;
}

/** What was fetched, or `invalid_request` naming the field that holds the address which gave nothing. */
export function fetchedOrRefused(outcome: MediaOutcome, bodyText: string): Outcome<MediaByAddress> {
  if (outcome.ok) return { ok: true, value: outcome.media };
  const body = parseJson(bodyText);
  const param = body.ok ? pathOfText(body.value, outcome.url) : null;
  const where = param === null ? "" : ` in ${param}`;
  return failed(
    gatewayError("invalid_request", `The media${where} cannot be fetched: ${outcome.reason}.`, {
      param,
      suggestion: "Give a public https address of a picture or a PDF, or send the bytes inline.",
    }),
  );
}

/** The dotted path of the first text in a parsed body that is `wanted`; null where there is none. */
function pathOfText(value: unknown, wanted: string): string | null {
  const search = (inner: unknown, path: string): string | null => {
    if (inner === wanted) return path;
    const members = Array.isArray(inner) ? inner.entries() : isObject(inner) ? Object.entries(inner) : [];
    for (const [key, member] of members) {
      const found = search(member, path === "" ? String(key) : `${path}.${key}`);
      if (found !== null) return found;
    }
    return null;
  };
  return search(value, "");
}
