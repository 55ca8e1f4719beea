/** Hands a request to the object that owns it. The lane is in the public request id, so any later call finds the owner without a table. */
import { gatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { LaneRpc, ServeResult } from "../../schema/rpc.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";

const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz";

/** `req_` + time + random + `_` + lane. The time comes first, so ids sort by their age. */
export function newRequestId(lane: number): string {
  const random = crypto.getRandomValues(new Uint8Array(14));
  let tail = "";
  for (const byte of random) tail += ALPHABET[byte % 36] ?? "0";
  return `req_${Date.now().toString(36).padStart(9, "0")}${tail}_${lane.toString(36)}`;
}

/** The lane inside a request id; null when the text is no request id. */
export function laneOfRequestId(id: string): number | null {
  const match = /^req_[0-9a-z]{23}_([0-9a-z]{1,3})$/.exec(id);
  return match?.[1] === undefined ? null : Number.parseInt(match[1], 36);
}

/** Object ids by account: naming one costs a hash. Bounded; the oldest goes first. */
const accountObjectIds = new Map<string, DurableObjectId>();

function accountObjectId(accountId: string, env: Env): DurableObjectId {
  const known = accountObjectIds.get(accountId);
  if (known !== undefined) return known;
  const id = env.ACCOUNT.idFromName(accountId);
  if (accountObjectIds.size >= LIMITS.verifiedKeysCached) accountObjectIds.delete(accountObjectIds.keys().next().value ?? "");
  accountObjectIds.set(accountId, id);
  return id;
}

type LaneCalls = Pick<LaneRpc, "serve" | "request" | "events" | "resume" | "cancel">;

/** The object of one lane of an account. */
export function laneStub(accountId: string, lane: number, env: Env): LaneCalls {
  return lane === 0 ? env.ACCOUNT.get(accountObjectId(accountId, env)) : env.REQUEST.get(env.REQUEST.idFromName(`${accountId}:${lane}`));
}

/** Starts at lane 0, under `firstId`; a full lane names the next. A lane that fails is not asked again: what it took on, it settles by itself. */
export async function ownByObject(envelope: Omit<ServeEnvelope, "request_id">, firstId: string, env: Env): Promise<Response> {
  const protocol = PROTOCOLS[envelope.protocol];
  let lane = 0;
  let requestId = firstId;
  for (let hop = 0; hop <= LIMITS.laneHops; hop++) {
    let result: ServeResult;
    try {
      result = await laneStub(envelope.account_id, lane, env).serve({ ...envelope, request_id: requestId });
    } catch (error) {
      console.error("a lane did not answer", requestId, error);
      return errorAnswer(
        protocol,
        gatewayError("overloaded", "The account's object did not answer.", { suggestion: "Try again in a moment." }),
        requestId,
      );
    }
    if (result instanceof Response) return result;
    lane = result.lane;
    requestId = newRequestId(lane);
  }
  return errorAnswer(
    protocol,
    gatewayError("overloaded", "The account has too many requests under way.", {
      retry_after_seconds: 1,
      suggestion: "Try again in a moment.",
    }),
    requestId,
  );
}
