/** Answers of the Responses format, decoded, for its tests. */
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import { body, decodeStream } from "./bodies.ts";
import { type AnswerSummary, summarise } from "./summary.ts";

export function decode(name: string): CanonicalEvent[] {
  return decodeStream(openaiResponses, [body("openai-responses", name)]);
}

export function whole(name: string): CanonicalEvent[] {
  return openaiResponses.parseResponse(body("openai-responses", name).toString(), {});
}

export function choice(events: readonly CanonicalEvent[]): AnswerSummary["choices"][number] {
  const found = summarise(events).choices[0];
  if (found === undefined) throw new Error("the answer has no choice");
  return found;
}
