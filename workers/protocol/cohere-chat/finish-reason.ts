/** Finish reasons: the wire's words and the hub's. */
import { ownMember } from "../../../schema/json.ts";
import type { FinishReason } from "../canonical.ts";

const READ: Readonly<Record<string, FinishReason>> = {
  COMPLETE: "stop",
  STOP_SEQUENCE: "stop-sequence",
  MAX_TOKENS: "length",
  TOOL_CALL: "tool-calls",
  ERROR_LIMIT: "context-full",
  ERROR_TOXIC: "content-filter",
};

const RENDERED: Readonly<Record<FinishReason, string>> = {
  stop: "COMPLETE",
  "stop-sequence": "STOP_SEQUENCE",
  length: "MAX_TOKENS",
  "context-full": "ERROR_LIMIT",
  "tool-calls": "TOOL_CALL",
  refusal: "ERROR_TOXIC",
  "content-filter": "ERROR_TOXIC",
  pause: "COMPLETE",
  malformed: "COMPLETE",
  error: "COMPLETE",
};

/** Words that end an answer without one: an error of the provider's, whatever the status. */
export const FAILED_WORDS: ReadonlySet<string> = new Set(["ERROR", "TIMEOUT"]);

/** Unknown words mean a plain stop; `raw` keeps them. Calls beside a plain stop are calls to be made. */
export function readFinishReason(word: string, hasCalls: boolean): FinishReason {
  const unified = ownMember(READ, word) ?? "stop";
  return unified === "stop" && hasCalls ? "tool-calls" : unified;
}

export function finishWord(finish: FinishReason): string {
  return RENDERED[finish];
}
