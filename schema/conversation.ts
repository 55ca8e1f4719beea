/**
 * Answers of the Responses API as they are kept for their account: what `previous_response_id` and item references find, what
 * `GET /v1/responses/:id` shows. Kept apart from money: nothing is charged or released by any of this.
 */
import { z } from "zod";
import { LIMITS } from "./limits.ts";

export const responseStatusSchema = z.enum(["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]);
export type ResponseStatus = z.infer<typeof responseStatusSchema>;

const responseId = z.string().min(1).max(LIMITS.responseIdCharacters);
const jsonBytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.byteLength <= 2 * LIMITS.conversationResponseBytes);

/** What a call says of itself on its way to its owner: how its answer is to be kept. */
export const conversationCallSchema = z.object({
  /** The answer it went on from. */
  previous: responseId.nullable(),
  /** The call's own input items, as JSON texts in UTF-8: a JSON list. */
  input: jsonBytes,
  /** Runs on without its caller, who asks for the answer later. */
  background: z.boolean(),
  /** Of a background call: its caller follows the stream all the same. */
  follows: z.boolean(),
  /** JSON text of what the answer repeats of the request. */
  echo: z.string(),
});
export type ConversationCall = z.infer<typeof conversationCallSchema>;

export const keptResponseSchema = z.object({
  id: responseId,
  request_id: z.string().max(256),
  previous: responseId.nullable(),
  status: responseStatusSchema,
  background: z.boolean(),
  /** Whose item ids stand in the answer; empty where they are ours. */
  provider: z.string(),
  /** Null: what was kept before, since this is the end of a call that was kept when it began. It is then kept only if it still is. */
  input: jsonBytes.nullable(),
  /** JSON text of the response object. */
  body: jsonBytes,
});
export type KeptResponse = z.infer<typeof keptResponseSchema>;

/** A kept answer as its reader sees it. */
export interface FoundResponse {
  request_id: string;
  status: ResponseStatus;
  background: boolean;
  body: Uint8Array;
}

export const stateQuestionSchema = z.object({
  previous: z.string().max(LIMITS.responseIdCharacters).nullable(),
  items: z.array(z.string().max(LIMITS.responseIdCharacters)).max(LIMITS.conversationReferences),
  /** Items that the call brings along, and that are taken from here where they are here. */
  brought: z.array(z.string().max(LIMITS.responseIdCharacters)).max(LIMITS.conversationReferences).default([]),
});
export type StateQuestion = z.infer<typeof stateQuestionSchema>;

/** An item's JSON text, and the provider that knows it by its id; empty for an id of ours. */
export interface KeptItem {
  id: string;
  provider: string;
  text: string;
}

/** `missing`: the first id that this account has nothing under. */
export type StateAnswer =
  | { found: "all"; history: KeptItem[]; items: KeptItem[]; brought: (KeptItem | null)[] }
  | { found: "part"; missing: string }
  /** All turns together are more than one call may carry. */
  | { found: "too-much" };

/** One account's conversations. */
export interface ConversationRpc {
  keep(response: KeptResponse): Promise<void>;
  find(id: string): Promise<FoundResponse | null>;
  /** False: there was none. */
  remove(id: string): Promise<boolean>;
  resolve(question: StateQuestion): Promise<StateAnswer>;
  /** Everything an answer was given from, in order; null when there is no such answer. */
  inputOf(id: string): Promise<KeptItem[] | null>;
}
