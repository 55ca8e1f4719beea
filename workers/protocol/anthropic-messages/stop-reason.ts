/** Stop reasons: the wire's words and the hub's (protocols.md §3.1). */
import { ownMember } from "../../../schema/json.ts";
import type { FinishReason } from "../canonical.ts";

const READ: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop-sequence",
  max_tokens: "length",
  model_context_window_exceeded: "context-full",
  tool_use: "tool-calls",
  refusal: "refusal",
  pause_turn: "pause",
};

const RENDERED: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  "stop-sequence": "stop_sequence",
  length: "max_tokens",
  "context-full": "model_context_window_exceeded",
  "tool-calls": "tool_use",
  refusal: "refusal",
  "content-filter": "refusal",
  pause: "pause_turn",
  malformed: "end_turn",
  error: "end_turn",
};

/** Unknown words mean a plain stop; `raw` keeps them. */
export function readStopReason(word: string): FinishReason {
  return ownMember(READ, word) ?? "stop";
}

/** `stop_sequence` without the sequence would be half a fact, so it is a plain end of turn. */
export function stopReasonWord(finish: FinishReason, stopSequence: string | null): string {
  return finish === "stop-sequence" && stopSequence === null ? "end_turn" : RENDERED[finish];
}
