/**
 * The consumer of `webhooks`. A queue and not the account's alarm: a receiver may hold a call for fifteen seconds, and an account's object
 * has requests to admit and few connections. The queue is only the clock; what is to be sent, and what became of it, stands in D1, where the
 * cron job finds whatever the queue lost. At least once, under one id: an answer that is lost is sent for again.
 */
import {
  claimAttempt,
  crowdedEndpoints,
  disableEndpoint,
  type DueDelivery,
  overdueDeliveries,
  pruneDeliveries,
  pruneEndpoint,
  recordAttempt,
  waitingDelivery,
} from "../../db/webhooks.ts";
import { checkWith, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { webhookMessageSchema } from "../../schema/webhook.ts";
import { announceNotice, sendDue } from "./announce.ts";
import { bodyText } from "./consume-usage.ts";
import { sendWebhook } from "./send-webhook.ts";

/** A little more than an attempt may last: then it is taken for lost. */
const CLAIM_MILLISECONDS = 4 * LIMITS.webhookMilliseconds;
const GONE = 410;

export async function consumeWebhooks(batch: MessageBatch, env: Env): Promise<void> {
  await Promise.all(
    batch.messages.map(async (message) => {
      try {
        const again = await consume(message, env);
        if (again === null) message.ack();
        else message.retry({ delaySeconds: again });
      } catch (error) {
        console.error("a webhook's message comes again", error);
        message.retry({ delaySeconds: LIMITS.queueRetrySeconds });
      }
    }),
  );
}

/** Null: done with. Else the seconds after which it is to come again. */
async function consume(message: Message, env: Env): Promise<number | null> {
  const parsed = parseJson(bodyText(message.body));
  const read = parsed.ok ? checkWith(webhookMessageSchema, parsed.value) : parsed;
  if (!read.ok) {
    console.error("a webhook's message is not readable", read.message);
    return null;
  }
  if ("notice" in read.value) {
    await announceNotice(read.value.notice, env);
    return null;
  }
  const due = await waitingDelivery(env.DB, read.value.delivery);
  if (due === null) return null;
  const early = due.next_at - Date.now();
  return early > 0 ? secondsOf(early) : attempt(due, env);
}

function secondsOf(milliseconds: number): number {
  return Math.min(LIMITS.queueDelaySecondsMax, Math.ceil(milliseconds / 1000));
}

async function attempt(due: DueDelivery, env: Env): Promise<number | null> {
  if (!(await claimAttempt(env.DB, due, Date.now() + CLAIM_MILLISECONDS))) return null;
  const outgoing = { endpointId: due.endpoint_id, eventId: due.event_id, url: due.url, body: due.body };
  const { attempt: made, retryAfterSeconds } = await sendWebhook(outgoing, env);
  const now = Date.now();
  const status = made.status ?? 0;
  if (status >= 200 && status < 300) {
    await recordAttempt(env.DB, due, { attempt: made, state: "delivered", nextAt: now });
    return null;
  }
  const wait = LIMITS.webhookRetrySeconds[due.attempts];
  const isOver = status === GONE || wait === undefined;
  const seconds = Math.max(wait ?? 0, retryAfterSeconds ?? 0);
  await recordAttempt(env.DB, due, { attempt: made, state: isOver ? "failed" : "pending", nextAt: now + (isOver ? 0 : seconds * 1000) });
  if (status === GONE) await disableEndpoint(env.DB, due.endpoint_id, "gone", now);
  return isOver ? null : seconds;
}

/** The cron job's part: deliveries that the queue lost are due again, receivers that take nothing are turned off, the log is kept short. */
export async function sweepWebhooks(env: Env, now: number): Promise<void> {
  for (const id of await crowdedEndpoints(env.DB, LIMITS.webhookPendingMax)) {
    await disableEndpoint(env.DB, id, "overflow", now);
    await pruneEndpoint(env.DB, id, LIMITS.webhookDeliveriesKept);
  }
  await sendDue(await overdueDeliveries(env.DB, now - CLAIM_MILLISECONDS, LIMITS.webhookSweepRows), env);
  await pruneDeliveries(env.DB, { before: now - LIMITS.webhookRetentionMilliseconds, limit: LIMITS.webhookPruneRows });
}
