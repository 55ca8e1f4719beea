/**
 * Keeps the answer of a Responses call for its account: what `previous_response_id` goes on from, and what a call in the background is asked
 * for. It is kept before its last bytes leave, so that a caller who has the answer can go on from it. Money does not depend on it: an answer
 * that could not be kept is still an answer.
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { type KeptResponse, type ResponseStatus, responseStatusSchema } from "../../schema/conversation.ts";
import { LIMITS } from "../../schema/limits.ts";
import { checkWith, parseJson } from "../../schema/json.ts";
import { elementSlices, sliceAt } from "../protocol/json-text.ts";
import { createAnswerCollector, createAnswerRenamer, withOutput } from "../protocol/openai-responses/answer-collector.ts";
import { responseWithout } from "../protocol/openai-responses/encoder.ts";
import { itemsToKeep } from "../protocol/openai-responses/stored-state.ts";
import type { EncoderContext } from "../protocol/protocol.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import { concatenated } from "../runtime/bytes.ts";
import type { OwnerPorts } from "./ports.ts";
import type { ResponseKeeper, Run } from "./run.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const TOO_LARGE = gatewayError("provider_error", "The answer is larger than is kept of one.");

/** What keeps an answer may be slow or away; the answer itself does not wait for that for long. */
function forAWhile(keeping: Promise<void>, { runtime, keepAlive }: OwnerPorts): Promise<void> {
  keepAlive(keeping);
  return new Promise((resolve) => {
    const stopWaiting = runtime.after(LIMITS.conversationWaitMilliseconds, resolve);
    void keeping.finally(() => {
      stopWaiting();
      resolve();
    });
  });
}

/** Our id of the answer to a request. */
export function responseIdOf(requestId: string): string {
  return `resp_${requestId.slice("req_".length)}`;
}

/** Null where the answer is not kept. */
export function keeperOf(
  run: Pick<Run, "envelope" | "live" | "lifecycle">,
  context: EncoderContext,
  ports: OwnerPorts,
): ResponseKeeper | null {
  const { envelope, live, lifecycle } = run;
  const call = envelope.conversation;
  if (call === null || lifecycle.replaces) return null;
  const ownId = responseIdOf(live.id);
  const collector = createAnswerCollector(LIMITS.conversationResponseBytes);
  let body: string | null = null;
  let isCancelled = false;
  const keep = async (text: string, status: ResponseStatus, begun: boolean): Promise<boolean> => {
    const id = idOf(text) ?? ownId;
    const items = itemsToKeep(elementSlices(decoder.decode(call.input), []), id);
    const kept: KeptResponse = {
      id,
      request_id: live.id,
      previous: call.previous,
      status,
      background: call.background,
      provider: providerOf(run),
      input: begun ? null : encoder.encode(`[${items.join(",")}]`),
      body: encoder.encode(text),
    };
    if (kept.body.byteLength > LIMITS.conversationResponseBytes) return false;
    await forAWhile(ports.conversations.keep(envelope.account_id, kept), ports);
    return true;
  };
  const without = (status: "failed" | "cancelled", error: GatewayError | null): string =>
    withOutput(responseWithout(status, context, error), collector.items());
  return {
    begin: async () => {
      const begun = responseWithout("in_progress", context, null);
      await keep(begun, "in_progress", false);
      return begun;
    },
    watch: (relay) => watched(relay, collector.see, call.background ? ownId : null),
    whole: (bodyText) => (body = bodyText),
    end: async ({ outcome, error }) => {
      if (isCancelled) return;
      const text = body ?? collector.response();
      if (text !== null && (await keep(text, statusOf(text), call.background))) return;
      if (!call.background) return;
      const status = outcome === "cancelled" ? "cancelled" : "failed";
      await keep(responseWithout(status, context, error ?? (outcome === "settled" ? TOO_LARGE : null)), status, true);
    },
    cancel: async () => {
      isCancelled = true;
      await keep(without("cancelled", null), "cancelled", true);
    },
  };
}

/** The end of a call in the background whose owner died. */
export async function keepInterrupted(
  facts: { accountId: string; requestId: string; responseId: string; model: string; createdSeconds: number },
  error: GatewayError,
  ports: OwnerPorts,
): Promise<void> {
  const { accountId, requestId, responseId, model, createdSeconds } = facts;
  const echo = { background: true, store: true };
  const context = { id: responseId, model, createdSeconds, wantsStreamUsage: true, costMicroRub: () => null, echo };
  const body = encoder.encode(responseWithout("failed", context, error));
  const kept = { id: responseId, request_id: requestId, previous: null, status: "failed", background: true, provider: "" } as const;
  await ports.conversations.keep(accountId, { ...kept, input: null, body });
}

/** Item ids are the provider's where its own bytes were the answer. */
function providerOf({ envelope, live }: Pick<Run, "envelope" | "live">): string {
  const attempt = envelope.plan.attempts[live.candidate];
  const passes = envelope.plan.ensemble === undefined && attempt?.protocol === envelope.protocol;
  return passes ? attempt.provider : "";
}

function idOf(response: string): string | null {
  const parsed = parseJson(sliceAt(response, ["id"]) ?? "null");
  return parsed.ok && typeof parsed.value === "string" && parsed.value !== "" ? parsed.value.slice(0, LIMITS.responseIdCharacters) : null;
}

function statusOf(response: string): ResponseStatus {
  const parsed = parseJson(sliceAt(response, ["status"]) ?? "null");
  const checked = checkWith(responseStatusSchema, parsed.ok ? parsed.value : null);
  return checked.ok ? checked.value : "completed";
}

function watched(relay: Relay, see: (bytes: Uint8Array) => void, id: string | null): Relay {
  const renamer = id === null ? null : createAnswerRenamer(id);
  const seen = (bytes: Uint8Array): Uint8Array => {
    see(bytes);
    return bytes;
  };
  const passed = (bytes: Uint8Array): Uint8Array => seen(renamer === null ? bytes : concatenated(renamer.push(bytes)));
  const last = (bytes: Uint8Array): Uint8Array => seen(renamer === null ? bytes : concatenated([...renamer.push(bytes), ...renamer.end()]));
  return {
    ...relay,
    get meter() {
      return relay.meter;
    },
    push: (bytes) => passed(relay.push(bytes)),
    end: (failure) => last(relay.end(failure)),
    cut: (cut) => last(relay.cut(cut)),
  };
}
