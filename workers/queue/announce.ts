/**
 * From entries to deliveries: before entries are written to D1, the events they are become deliveries of whoever wants them. In that order,
 * since an entry that D1 has is never told to us again: what is in D1 has been announced. A crash between the two announces again, under
 * the same ids, which changes nothing.
 */
import { insertDeliveries, knownEntries, pruneEndpoint, type Subscription, subscriptionsOf } from "../../db/webhooks.ts";
import type { UsageShards } from "../../db/usage-shards.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Notice, WebhookEvent, WebhookMessage } from "../../schema/webhook.ts";
import type { AppliedEntry } from "./entry-row.ts";
import { eventsOf, noticeEvent } from "./webhook-events.ts";

const MESSAGES_PER_BATCH = 100;
const PRUNE_EVERY = 256;

/** Announces entries that are about to be written. */
export async function announceEntries(rows: readonly AppliedEntry[], shards: UsageShards, env: Env): Promise<void> {
  const subscriptions = await subscriptionsOf(env.DB, [...new Set(rows.map(accountOf))]);
  if (subscriptions.length === 0) return;
  const accounts = new Set(subscriptions.map((subscription) => subscription.account_id));
  const now = Date.now();
  const wanted = rows.filter((row) => accounts.has(accountOf(row)) && now - Number(row.entry["at"]) < LIMITS.webhookNewsMilliseconds);
  const news = await unknownOf(wanted, shards);
  await deliver(
    subscriptions,
    news.flatMap((row) => eventsOf(row, lowBalanceOf(subscriptions, accountOf(row)))),
    env,
  );
}

/** Announces what an account's object had to tell. */
export async function announceNotice(notice: Notice, env: Env): Promise<void> {
  await deliver(await subscriptionsOf(env.DB, [notice.account_id]), [noticeEvent(notice)], env);
}

function accountOf(row: AppliedEntry): string {
  return String(row.entry["account_id"]);
}

function lowBalanceOf(subscriptions: readonly Subscription[], accountId: string): number | null {
  return subscriptions.find((subscription) => subscription.account_id === accountId)?.low_balance_micro_rub ?? null;
}

/** Those D1 does not have yet. */
async function unknownOf(rows: readonly AppliedEntry[], shards: UsageShards): Promise<AppliedEntry[]> {
  const byDatabase = Map.groupBy(rows, (row) => shards.at(accountOf(row), Number(row.entry["at"])));
  const unknown: AppliedEntry[] = [];
  for (const [database, some] of byDatabase) {
    const known = await knownEntries(
      database,
      some.map((row) => ({ accountId: accountOf(row), seq: Number(row.entry["seq"]) })),
    );
    unknown.push(...some.filter((row) => !known.has(`${accountOf(row)}/${row.entry["seq"]}`)));
  }
  return unknown;
}

async function deliver(subscriptions: readonly Subscription[], events: readonly WebhookEvent[], env: Env): Promise<void> {
  const deliveries = events.flatMap((event) =>
    subscriptions
      .filter((each) => each.account_id === event.account_id && each.created_at <= event.at && each.events.includes(`"${event.type}"`))
      .map((each) => ({ endpointId: each.endpoint_id, event })),
  );
  if (deliveries.length === 0) return;
  const made = await insertDeliveries(env.DB, deliveries, Date.now());
  await sendDue(
    made.map((each) => each.id),
    env,
  );
  // Now and then the log of whoever got one is kept short.
  for (const { id, endpointId } of made) if (id % PRUNE_EVERY === 0) await pruneEndpoint(env.DB, endpointId, LIMITS.webhookDeliveriesKept);
}

/** Says that these deliveries are due. What does not reach the queue is found by the cron job. */
export async function sendDue(ids: readonly number[], env: Env): Promise<void> {
  try {
    for (let from = 0; from < ids.length; from += MESSAGES_PER_BATCH) {
      const messages = ids.slice(from, from + MESSAGES_PER_BATCH).map((delivery): { body: WebhookMessage } => ({ body: { delivery } }));
      await env.WEBHOOK_QUEUE.sendBatch(messages);
    }
  } catch (error) {
    console.error("the queue took no deliveries; the cron job finds them", ids.length, error);
  }
}
