/**
 * What of an answer must survive on its way to a client, in a form that two answers can be compared by: neighbours of one kind are one,
 * what says nothing is nothing, opaque state is unwrapped, a cache class nobody counted is none. Everything else is exact.
 */
import { PROTOCOL_IDS } from "../../schema/protocol.ts";
import type { CanonicalEvent, FinishReason } from "../../workers/protocol/canonical.ts";
import { type AnswerSummary, type SaidBlock, summarise } from "../protocol/summary.ts";

export interface Said {
  kind: SaidBlock["kind"];
  /** Text, a call's arguments as they came, or a file's bytes in base64. */
  text: string;
  id: string;
  name: string;
}

export interface ChoiceFacts {
  index: number;
  said: Said[];
  /** Signatures and redacted reasoning, as their provider gave them, each once. */
  states: string[];
  finish: FinishReason | null;
  stopSequence: string | null;
}

export interface UsageFacts {
  input: number | null;
  cacheRead: number;
  write5m: number;
  write1h: number;
  output: number | null;
  reasoning: number;
}

export interface Facts {
  choices: ChoiceFacts[];
  /** Null when nobody counted anything. */
  usage: UsageFacts | null;
  /** How many sources and blocks of the provider's own tools came beside. */
  beside: number;
}

/** What every wire wraps state in that is not its own: the mark of its origin, and base64 where clients decode the member. */
function plainState(given: string): string {
  const marked = /^ply1\.([a-z-]+)\.(.*)$/s.exec(given);
  if (marked !== null && PROTOCOL_IDS.some((id) => id === marked[1])) return plainState(marked[2] ?? "");
  if (given.startsWith("redacted:")) return plainState(given.slice("redacted:".length));
  const inside = /^[A-Za-z0-9+/]+=*$/.test(given) ? Buffer.from(given, "base64").toString() : "";
  return inside.startsWith("ply1.") || inside.startsWith("redacted:") ? plainState(inside) : given;
}

function statesOf({ signatures, data }: SaidBlock): string[] {
  return [...signatures, data ?? ""].filter((state) => state !== "").map(plainState);
}

function saidIn(blocks: readonly SaidBlock[]): Said[] {
  const said: Said[] = [];
  for (const { kind, text, id, name } of blocks) {
    const last = said.at(-1);
    const isProse = kind !== "call" && kind !== "file";
    if (isProse && text === "") continue;
    if (isProse && last?.kind === kind) last.text += text;
    else said.push({ kind, text, id, name });
  }
  return said;
}

function usageIn({ usage }: AnswerSummary): UsageFacts | null {
  if (Object.values(usage).every((count) => count === null)) return null;
  return {
    input: usage.input_tokens,
    cacheRead: usage.cache_read_tokens ?? 0,
    write5m: usage.cache_write_5m_tokens ?? 0,
    write1h: usage.cache_write_1h_tokens ?? 0,
    output: usage.output_tokens,
    reasoning: usage.reasoning_tokens ?? 0,
  };
}

export function factsOf(events: readonly CanonicalEvent[]): Facts {
  const summary = summarise(events);
  return {
    choices: Object.entries(summary.choices).map(([index, { blocks, finish, stopSequence }]) => ({
      index: Number(index),
      said: saidIn(blocks),
      states: [...new Set(blocks.flatMap(statesOf))].toSorted(),
      finish,
      stopSequence,
    })),
    usage: usageIn(summary),
    beside: events.filter(({ type }) => type === "source" || type === "opaque").length,
  };
}
