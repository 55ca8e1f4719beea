/** Bodies of our own (test/bodies) and how to cut them. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import type { EncoderContext, Protocol, Quirks } from "../../workers/protocol/protocol.ts";

const ROOT = join(import.meta.dirname, "../bodies");

export function bodyNames(protocol: string, ending: string): string[] {
  const folder = join(ROOT, protocol);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith(ending)) : [];
}

export function body(protocol: string, name: string): Buffer {
  return readFileSync(join(ROOT, protocol, name));
}

/** The bytes cut at each of the places. */
export function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const edges = [0, ...places.toSorted((a, b) => a - b), bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

export function singleBytes(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, index) => bytes.subarray(index, index + 1));
}

/** Decodes a stream through the protocol's own framer. */
export function decodeStream(protocol: Protocol, chunks: readonly Uint8Array[], quirks: Quirks = {}): CanonicalEvent[] {
  const framer = protocol.createFramer();
  const decoder = protocol.createDecoder(quirks);
  const frames = [...chunks.flatMap((chunk) => framer.push(chunk)), ...framer.end()];
  return [...frames.flatMap((frame) => decoder.decode(frame)), ...decoder.end()];
}

export function context(changes: Partial<EncoderContext> = {}): EncoderContext {
  return { id: "ours-1", model: "our-model", createdSeconds: 1_700_000_000, wantsStreamUsage: true, costMicroRub: () => null, ...changes };
}
