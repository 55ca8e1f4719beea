/**
 * What a Responses call rests on, found in its account's own store and put into its body, so that from here on it is a call like any other,
 * for whatever provider. Nothing that another account was given can be reached: an id leads to this account's answers or nowhere, and none
 * is left to a provider to look up among those of everybody who shares our credential.
 */
import type { ConversationCall, KeptItem, StateAnswer, StateQuestion } from "../../schema/conversation.ts";
import { failed, gatewayError, type GatewayError, type Outcome } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ResolvedState } from "../engine/serve-completion.ts";
import {
  inForeground,
  inputItems,
  type StateReferences,
  stateReferences,
  withNamedItems,
  withoutId,
  withWholeInput,
} from "../protocol/openai-responses/stored-state.ts";

const encoder = new TextEncoder();

const NOTHING: StateAnswer = { found: "all", history: [], items: [], brought: [] };

/** The body with everything in it, and how its answer is to be kept. Errors name the field: `previous_response_id`, `input.3`. */
export async function resolveState(bodyText: string, accountId: string, env: Env): Promise<Outcome<ResolvedState>> {
  const wanted = stateReferences(bodyText);
  const fault = faultOf(wanted);
  if (fault !== null) return failed(fault);
  const { previous, items } = wanted;
  const isAlone = previous === null && items.length === 0;
  const [referred, brought] = [items.filter((item) => !item.brought), items.filter((item) => item.brought)];
  const question = { previous, items: referred.map(({ id }) => id), brought: brought.map(({ id }) => id) };
  const found: StateAnswer | null = isAlone ? NOTHING : await answerTo(question, accountId, env);
  if (found === null)
    return failed(gatewayError("overloaded", "The account's conversations did not answer.", { suggestion: "Try again in a moment." }));
  if (found.found !== "all") return failed(notFound(wanted, found));
  const given = inputItems(bodyText);
  const own = withNamedItems(
    given,
    new Map([
      ...referred.map(({ index }, position) => [index, found.items[position]?.text ?? ""] as const),
      ...brought.map(({ index }, position) => [index, found.brought[position]?.text ?? withoutId(given[index] ?? "")] as const),
    ]),
  );
  const whole = isAlone ? bodyText : withWholeInput(bodyText, [...found.history.map(({ text }) => text), ...own]);
  if (whole.length > LIMITS.requestBodyBytes) return failed(tooLong());
  const conversation = callOf(wanted, own);
  if (!conversation.ok) return conversation;
  const known = [...found.history, ...found.items, ...found.brought.filter((item) => item !== null)];
  const state = { origins: originsOf(known), conversation: conversation.value };
  return { ok: true, value: { ...state, bodyText: wanted.background ? inForeground(whole) : whole } };
}

async function answerTo(question: StateQuestion, accountId: string, env: Env): Promise<StateAnswer | null> {
  try {
    return await env.CONVERSATION.get(env.CONVERSATION.idFromName(accountId)).resolve(question);
  } catch (error) {
    console.error("an account's conversations did not answer", accountId, error);
    return null;
  }
}

function faultOf({ conversation, background, stores, previous, items, twofold }: StateReferences): GatewayError | null {
  if (twofold !== null)
    return gatewayError("invalid_request", `Invalid value in input.${twofold}: a member is given twice.`, { param: `input.${twofold}` });
  if (conversation)
    return gatewayError("not_found", "This account has no such conversation.", {
      param: "conversation",
      suggestion: "Go on from an answer with previous_response_id.",
    });
  if (background && !stores)
    return gatewayError("invalid_request", "An answer that is made in the background is kept until it is asked for, so it needs store.", {
      param: "background",
      suggestion: "Leave store out.",
    });
  if (items.length > LIMITS.conversationReferences)
    return gatewayError("invalid_request", `A call may name at most ${LIMITS.conversationReferences} earlier items.`, { param: "input" });
  const id = [previous, ...items.map((item) => item.id)].find((each) => each !== null && each.length > LIMITS.responseIdCharacters);
  return id === undefined
    ? null
    : gatewayError("invalid_request", "An id is longer than any of ours.", { param: previous === id ? "previous_response_id" : "input" });
}

function notFound({ previous, items }: StateReferences, answer: Exclude<StateAnswer, { found: "all" }>): GatewayError {
  if (answer.found === "too-much") return tooLong();
  const { missing } = answer;
  const item = items.find(({ id }) => id === missing);
  if (missing === previous || item === undefined) {
    const which =
      missing === previous ? `Previous response with id '${missing}'` : `The response '${missing}' that '${previous}' went on from`;
    return gatewayError("not_found", `${which} not found.`, {
      param: "previous_response_id",
      suggestion: "Answers are kept for 30 days unless store is false; send the conversation's items in input instead.",
    });
  }
  return gatewayError("not_found", `Item with id '${missing}' not found.`, {
    param: `input.${item.index}`,
    suggestion: "Items are kept with their answers, for 30 days unless store is false; send the whole item instead.",
  });
}

function tooLong(): GatewayError {
  return gatewayError("request_too_large", "The conversation is longer than one call may carry.", {
    param: "previous_response_id",
    suggestion: "Begin a new one, with a summary of this one as its input.",
  });
}

function callOf(
  { stores, previous, background, stream, metadata }: StateReferences,
  items: readonly string[],
): Outcome<ConversationCall | null> {
  if (!stores) return { ok: true, value: null };
  const input = encoder.encode(`[${items.join(",")}]`);
  if (input.byteLength > LIMITS.conversationResponseBytes) {
    if (!background) return { ok: true, value: null };
    return failed(
      gatewayError(
        "request_too_large",
        `A call in the background may have at most ${LIMITS.conversationResponseBytes} bytes of input of its own.`,
        {
          param: "input",
        },
      ),
    );
  }
  const echo = JSON.stringify({ background, store: true, previous_response_id: previous, ...(metadata === null ? {} : { metadata }) });
  return { ok: true, value: { previous, input, background, follows: stream, echo } };
}

function originsOf(items: readonly KeptItem[]): Map<string, string> {
  return new Map(items.filter(({ id, provider }) => id !== "" && provider !== "").map(({ id, provider }) => [id, provider]));
}
