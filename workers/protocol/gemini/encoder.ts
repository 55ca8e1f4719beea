/**
 * Canonical events → a caller's stream of this wire: chunks that are answers of their own, the last with the finish reasons and the usage.
 * There is no terminator; so an answer that fails must not have had a finish reason, which is why they wait for the end.
 */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { stringifyWithRaw } from "../json-text.ts";
import type { Encoder, EncoderContext } from "../protocol.ts";
import { createPartWriter } from "./part-writer.ts";
import { finishWord } from "./stop-reason.ts";
import { renderUsage } from "./usage.ts";

interface EncoderState {
  context: EncoderContext;
  write: ReturnType<typeof createPartWriter>;
  id: string | null;
  model: string | null;
  /** What every chunk ends with, printed once. */
  tail: string | null;
  finishes: Map<number, string>;
  usage: Usage;
  ended: boolean;
}

export function createEncoder(context: EncoderContext): Encoder {
  const state: EncoderState = {
    context,
    write: createPartWriter(),
    id: null,
    model: null,
    tail: null,
    finishes: new Map(),
    usage: UNKNOWN_USAGE,
    ended: false,
  };
  return { encode: (event) => (state.ended ? "" : encodeEvent(state, event)) };
}

function encodeEvent(state: EncoderState, event: CanonicalEvent): string {
  switch (event.type) {
    case "start":
      state.id ??= event.id;
      state.model ??= event.model;
      return "";
    case "usage":
      state.usage = mergeUsage(state.usage, event.usage);
      return "";
    case "finish":
      if (!state.finishes.has(event.choice)) state.finishes.set(event.choice, finishWord(event.unified));
      return "";
    case "end":
      return endOfStream(state);
    case "error":
      // The stream error needs the request's id: whoever drives the encoder renders it.
      state.ended = true;
      return "";
    default:
      return state
        .write(event)
        .map(({ choice, part }) => chunk(state, [{ content: { parts: [part], role: "model" }, index: choice }], null))
        .join("");
  }
}

/** Lines end in CRLF, as the wire's own do. Raw slices of a pretty-printed body come on one line. */
function chunk(state: EncoderState, candidates: readonly object[], usage: object | null): string {
  const { context } = state;
  state.tail ??= JSON.stringify({ modelVersion: state.model ?? context.model, responseId: state.id ?? context.id }).slice(1);
  const counts = usage === null ? "" : `"usageMetadata":${JSON.stringify(usage)},`;
  const json = `{"candidates":${stringifyWithRaw(candidates)},${counts}${state.tail}`;
  return `data: ${json.includes("\n") || json.includes("\r") ? json.replace(/[\r\n]+/g, " ") : json}\r\n\r\n`;
}

function endOfStream(state: EncoderState): string {
  state.ended = true;
  if (state.finishes.size === 0) state.finishes.set(0, finishWord("stop"));
  // SDKs keep a turn only when each of its chunks has content.
  const candidates = [...state.finishes].map(([index, finishReason]) => ({
    content: { parts: [{ text: "" }], role: "model" },
    finishReason,
    index,
  }));
  return chunk(state, candidates, renderUsage(state.usage, state.context.costMicroRub(state.usage)));
}
