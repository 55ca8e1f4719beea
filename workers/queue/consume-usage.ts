/**
 * The consumer of `usage`: entries of all accounts into D1. At-least-once delivery becomes exactly-once rows by the key (account, seq);
 * a message is acknowledged only after the transaction that holds it, and a bad one is parked without stopping the others.
 */
import { parkMessages } from "../../db/dead-letters.ts";
import { contiguousSeq, insertEntries } from "../../db/entries.ts";
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { usageMessageSchema, type UsageMessage } from "../../schema/message.ts";
import { entryRow } from "./entry-row.ts";

interface Sorted {
  good: { message: Message; value: UsageMessage }[];
  bad: { message: Message; reason: string }[];
}

export async function consumeUsage(batch: MessageBatch, env: Env): Promise<void> {
  const { good, bad } = sortMessages(batch);
  await parkBad(batch.queue, bad, env);
  if (good.length === 0) return;
  try {
    await insertEntries(
      env.DB,
      good.map(({ value }) => entryRow(value)),
    );
  } catch (error) {
    console.error("D1 took no batch; it comes again", error);
    for (const { message } of good) message.retry({ delaySeconds: LIMITS.queueRetrySeconds });
    return;
  }
  for (const { message } of good) message.ack();
  await confirm(new Set(good.map(({ value }) => value.account_id)), env);
}

function sortMessages(batch: MessageBatch): Sorted {
  const sorted: Sorted = { good: [], bad: [] };
  for (const message of batch.messages) {
    const parsed = parseWith(usageMessageSchema, bodyText(message.body));
    if (parsed.ok) sorted.good.push({ message, value: parsed.value });
    else sorted.bad.push({ message, reason: `${parsed.message} at ${parsed.path ?? "the root"}` });
  }
  return sorted;
}

/** The body as text, however it was sent. */
export function bodyText(body: unknown): string {
  return typeof body === "string" ? body : (JSON.stringify(body) ?? "null");
}

async function parkBad(queue: string, bad: Sorted["bad"], env: Env): Promise<void> {
  try {
    await parkMessages(
      env.DB,
      bad.map(({ message, reason }) => ({
        id: message.id,
        queue,
        body: bodyText(message.body),
        reason,
        parked_at: message.timestamp.getTime(),
      })),
    );
    for (const { message } of bad) message.ack();
  } catch (error) {
    console.error("bad messages could not be parked; they come again", error);
    for (const { message } of bad) message.retry({ delaySeconds: LIMITS.queueRetrySeconds });
  }
}

/** Tells each account how far D1 has it without a gap. A lost confirmation is only a later one. */
export async function confirm(accountIds: ReadonlySet<string>, env: Env): Promise<void> {
  for (const accountId of accountIds) {
    try {
      const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
      const { recorded_seq } = await account.watermark();
      const through = await contiguousSeq(env.DB, accountId, recorded_seq);
      if (through > recorded_seq) await account.recorded(through);
    } catch (error) {
      console.error("an account was not told what D1 has", accountId, error);
    }
  }
}
