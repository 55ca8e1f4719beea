/** Finish reasons: the wire's words and the hub's (protocols.md §3.1). The wire's list is open, and longer on Vertex than on AI Studio. */
import { ownMember } from "../../../schema/json.ts";
import type { FinishReason } from "../canonical.ts";

const READ: Readonly<Record<string, FinishReason>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content-filter",
  RECITATION: "content-filter",
  LANGUAGE: "content-filter",
  BLOCKLIST: "content-filter",
  PROHIBITED_CONTENT: "content-filter",
  SPII: "content-filter",
  MODEL_ARMOR: "content-filter",
  IMAGE_SAFETY: "content-filter",
  IMAGE_PROHIBITED_CONTENT: "content-filter",
  IMAGE_RECITATION: "content-filter",
  MALFORMED_FUNCTION_CALL: "malformed",
  MALFORMED_RESPONSE: "malformed",
  UNEXPECTED_TOOL_CALL: "malformed",
  TOO_MANY_TOOL_CALLS: "malformed",
  MISSING_THOUGHT_SIGNATURE: "malformed",
};

const RENDERED: Readonly<Record<FinishReason, string>> = {
  stop: "STOP",
  "stop-sequence": "STOP",
  length: "MAX_TOKENS",
  "context-full": "MAX_TOKENS",
  // A call is a plain stop here; the part says what it is.
  "tool-calls": "STOP",
  refusal: "SAFETY",
  "content-filter": "SAFETY",
  pause: "STOP",
  malformed: "MALFORMED_FUNCTION_CALL",
  error: "OTHER",
};

/** Unknown words mean a plain stop; `raw` keeps them. A stop beside calls is a stop for them. */
export function readFinish(word: string, calls: number): FinishReason {
  const finish = ownMember(READ, word) ?? "stop";
  return finish === "stop" && calls > 0 ? "tool-calls" : finish;
}

export function finishWord(finish: FinishReason): string {
  return RENDERED[finish];
}
