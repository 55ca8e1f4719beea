/** Reasons to be done: the wire's words and the hub's (protocols.md §3.1). The wire's own vocabulary is open. */
import { ownMember } from "../../../schema/json.ts";
import type { FinishReason } from "../canonical.ts";

/** `load` and `unload`: the call moved a model in or out of memory and asked for no answer. */
const READ: Readonly<Record<string, FinishReason>> = {
  stop: "stop",
  length: "length",
  load: "stop",
  unload: "stop",
  refusal: "refusal",
  content_filter: "content-filter",
};

/** Calls end in `stop` here. A refusal and a filter have no word of Ollama's; hidden in `stop` they would pass for an answer. */
const RENDERED: Readonly<Record<FinishReason, string>> = {
  stop: "stop",
  "stop-sequence": "stop",
  length: "length",
  "context-full": "length",
  "tool-calls": "stop",
  refusal: "refusal",
  "content-filter": "content_filter",
  pause: "stop",
  malformed: "stop",
  error: "stop",
};

/** Unknown words mean a plain stop, and a stop beside calls means the calls. */
export function readDoneReason(word: string, hasCalls: boolean): FinishReason {
  const read = ownMember(READ, word) ?? "stop";
  return read === "stop" && hasCalls ? "tool-calls" : read;
}

export function doneReason(finish: FinishReason | null): string {
  return RENDERED[finish ?? "stop"];
}
