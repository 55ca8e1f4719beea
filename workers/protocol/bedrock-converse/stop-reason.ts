/** Stop reasons: the wire's words and the hub's (protocols.md §3.1). */
import { ownMember } from "../../../schema/json.ts";
import type { FinishReason } from "../canonical.ts";

const READ: Readonly<Record<string, FinishReason>> = {
  end_turn: "stop",
  stop_sequence: "stop-sequence",
  max_tokens: "length",
  model_context_window_exceeded: "context-full",
  tool_use: "tool-calls",
  content_filtered: "content-filter",
  guardrail_intervened: "content-filter",
  malformed_model_output: "malformed",
  malformed_tool_use: "malformed",
};

const RENDERED: Readonly<Record<FinishReason, string>> = {
  stop: "end_turn",
  "stop-sequence": "stop_sequence",
  length: "max_tokens",
  "context-full": "model_context_window_exceeded",
  "tool-calls": "tool_use",
  refusal: "content_filtered",
  "content-filter": "content_filtered",
  pause: "end_turn",
  malformed: "malformed_model_output",
  error: "end_turn",
};

/** Unknown words mean a plain stop; the event's `raw` keeps them. */
export function readStopReason(word: string): FinishReason {
  return ownMember(READ, word) ?? "stop";
}

export function stopReasonWord(finish: FinishReason): string {
  return RENDERED[finish];
}
