/**
 * The cases of a recorded request: rendered for each wire that providers speak and read back there, it says what the caller said, or the
 * renderer's own list of losses names what went.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Block, CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { withStateOf } from "../../workers/protocol/opaque-state.ts";
import type { Quirks, RequestAddress } from "../../workers/protocol/protocol.ts";
import { VALID_REQUESTS } from "../hostile/bodies.ts";
import { recordingsFolder } from "../protocol/recordings.ts";
import { demand, differenceOf, type Finding } from "./case.ts";
import { isClient } from "./ending.ts";
import type { ClientId } from "./sdk/index.ts";

export interface RecordedRequest {
  name: string;
  client: ClientId;
  address: RequestAddress;
  text: string;
}

const rowSchema = z.looseObject({
  request_file: z.string().nullable(),
  protocol: z.string(),
  stream: z.boolean(),
  url: z.string().nullable(),
});

/** Formats whose requests name the model, and whether to stream, in their path. */
const IN_PATH: readonly ProtocolId[] = ["gemini", "bedrock-converse"];

function addressOf(protocol: ProtocolId, stream: boolean): RequestAddress {
  return IN_PATH.includes(protocol) ? { model: "m", stream } : { model: null, stream: null };
}

function recorded(root: string): RecordedRequest[] {
  const requests = new Map<string, RecordedRequest>();
  for (const line of readFileSync(join(root, "index.jsonl"), "utf8").trim().split("\n")) {
    const row = parseWith(rowSchema, line);
    if (!row.ok) throw new Error(`index.jsonl: ${row.message}`);
    const { request_file: name, protocol, stream } = row.value;
    if (name === null || !isClient(protocol) || requests.has(name) || !existsSync(join(root, name))) continue;
    const text = readFileSync(join(root, name), "utf8");
    requests.set(name, { name, client: protocol, address: addressOf(protocol, stream), text });
  }
  return [...requests.values()];
}

function own(): RecordedRequest[] {
  return VALID_REQUESTS.flatMap(({ protocol, address, body }) =>
    isClient(protocol) ? [{ name: `own request of ${protocol}`, client: protocol, address, text: JSON.stringify(body) }] : [],
  );
}

export const recordedRequests: readonly RecordedRequest[] = [...(recordingsFolder === null ? [] : recorded(recordingsFolder)), ...own()];

/** What of a request must arrive. Text is compared without its white space: where a wire has no blocks, they are joined by blank lines. */
interface RequestFacts {
  said: string;
  calls: { name: string; args: unknown }[];
  /** By the position of its call. */
  results: { call: number; text: string }[];
  media: number;
  tools: { name: string; schema: unknown }[];
  maxOutputTokens: number | null;
  temperature: number | null;
  stop: string[];
  choices: number;
  format: unknown;
  forced: boolean;
}

const plain = (text: string): string => text.replace(/\s+/g, "");

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    return value;
  } catch {
    return text;
  }
}

function textOf(blocks: readonly Block[]): string {
  return blocks.map((block) => (block.type === "text" || block.type === "refusal" ? plain(block.text) : "")).join("");
}

const isMedia = ({ type }: Block): boolean => type === "image" || type === "file" || type === "audio";

function factsOf(request: CanonicalRequest): RequestFacts {
  const facts: RequestFacts = {
    said: "",
    calls: [],
    results: [],
    media: 0,
    // Tools that may not be called are none: some wires leave them out, others demand the names that earlier calls have.
    tools:
      request.toolChoice?.mode === "none"
        ? []
        : request.tools.map(({ name, schemaText }) => ({ name, schema: withoutType(parsed(schemaText)) })),
    maxOutputTokens: request.maxOutputTokens,
    temperature: request.temperature,
    stop: request.stop,
    choices: request.choices,
    format:
      request.responseFormat?.kind === "json-schema" ? parsed(request.responseFormat.schemaText) : (request.responseFormat?.kind ?? "text"),
    forced: request.toolChoice?.mode === "required" || request.toolChoice?.mode === "tool",
  };
  const positions = new Map<string, number>();
  for (const block of request.turns.flatMap(({ blocks }) => blocks)) {
    facts.said += textOf([block]);
    facts.media += (isMedia(block) ? 1 : 0) + (block.type === "tool-result" ? block.content.filter(isMedia).length : 0);
    if (block.type === "tool-call") {
      positions.set(block.id, facts.calls.length);
      facts.calls.push({ name: block.name, args: parsed(block.argumentsText) });
    }
    if (block.type === "tool-result") facts.results.push({ call: positions.get(block.callId) ?? -1, text: textOf(block.content) });
  }
  facts.results = facts.results.toSorted((one, other) => one.call - other.call);
  return facts;
}

/** A schema's root is an object, whether it says so or not. */
function withoutType(schema: unknown): unknown {
  return typeof schema === "object" && schema !== null && "type" in schema && schema.type === "object"
    ? Object.fromEntries(Object.entries(schema).filter(([key]) => key !== "type"))
    : schema;
}

/** Which losses speak of which fact, in the words of any caller's wire. */
const TOLD_BY: Readonly<Record<keyof RequestFacts, RegExp>> = {
  said: /^messages|system|guard|input|contents|tool_result|instructions|prompt|opaque/i,
  calls: /^messages|tool|call|input/i,
  results: /^messages|tool|result|input/i,
  media: /image|file|audio|media|document|content|input|messages/i,
  tools: /tool|function/i,
  maxOutputTokens: /max|tokens|num_predict/i,
  temperature: /temperature/i,
  stop: /stop/i,
  choices: /^n$|candidateCount/i,
  format: /format|schema|mime/i,
  forced: /tool|function/i,
};

/** A cap for a caller who gave none is the gateway's own (`RenderTarget.maxOutputTokens`), which the engine itself says. */
const OWN_CAP = 4096;

function untold(facet: keyof RequestFacts, losses: readonly Loss[]): boolean {
  return !losses.some(({ path }) => TOLD_BY[facet].test(path));
}

/** Provider wires that this gateway's callers do not speak are read by the format they are made of. */
function readBack(upstream: ProtocolId, text: string, stream: boolean): ReturnType<(typeof PROTOCOLS)["gemini"]["parseRequest"]> {
  if (upstream !== "bedrock-invoke") return PROTOCOLS[upstream].parseRequest(text, addressOf(upstream, stream));
  return PROTOCOLS["anthropic-messages"].parseRequest(`{"model":"m",${text.trim().slice(1)}`);
}

const MESSAGES: readonly ProtocolId[] = ["anthropic-messages", "bedrock-invoke"];

const FACETS: readonly (keyof RequestFacts)[] = [
  "said",
  "calls",
  "results",
  "media",
  "tools",
  "maxOutputTokens",
  "temperature",
  "stop",
  "choices",
  "format",
  "forced",
];

const LOSS_OF_CONTENT = "content of a request that the wire lacks: refused, or dropped by name where the caller allows it";

/** What the client's request becomes for a provider that speaks `upstream`. A request that is refused is refused in words. */
export function checkRequest({ client, address, text }: RecordedRequest, upstream: ProtocolId, quirks: Quirks = {}): Finding {
  const read = PROTOCOLS[client].parseRequest(text, address);
  if (!read.ok) {
    demand(read.error.status === 400 && read.error.message.length > 10, "refused without a reason");
    return { reasons: ["a request that its own wire does not allow is refused with 400"] };
  }
  const request = withStateOf(read.value, upstream);
  const { body, losses } = PROTOCOLS[upstream].renderRequest(request, { model: "m", quirks, maxOutputTokens: OWN_CAP });
  const back = readBack(upstream, body, request.stream);
  const content = losses.some((loss) => loss.class === "content");
  if (!back.ok) {
    demand(content, `the rendered request cannot be read: ${back.error.message}`);
    return { reasons: [LOSS_OF_CONTENT] };
  }
  const [wanted, got] = [factsOf(request), factsOf(back.value)];
  if (wanted.maxOutputTokens === null && got.maxOutputTokens === OWN_CAP) got.maxOutputTokens = null;
  // Where thinking forbids the field, 1 is what it is without.
  if (wanted.temperature === 1 && got.temperature === null && MESSAGES.includes(upstream)) got.temperature = 1;
  const changed = FACETS.filter((facet) => differenceOf(wanted[facet], got[facet]) !== null);
  for (const facet of changed) {
    const difference = differenceOf(wanted[facet], got[facet]) ?? "";
    demand(!untold(facet, losses), `${facet}${difference}, and no loss says so (${losses.map(({ path }) => path).join(",")})`);
  }
  if (changed.length === 0) return {};
  return {
    reasons: [content ? LOSS_OF_CONTENT : "what a request's wire does differently is named in x-plyrum-approximated or x-plyrum-dropped"],
  };
}
