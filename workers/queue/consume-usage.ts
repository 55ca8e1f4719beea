/**
 * The consumer of `usage`: entries of all accounts into D1. At-least-once delivery becomes exactly-once rows by the key (account, seq);
 * a message is acknowledged only after the transaction that holds its entries, and a bad entry is parked without stopping the others.
 */
import { parkMessages } from "../../db/dead-letters.ts";
import { contiguousSeq, insertEntries } from "../../db/entries.ts";
import { checkWith, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { usageMessageSchema, type UsageMessage } from "../../schema/message.ts";
import { entryRow } from "./entry-row.ts";

interface Sorted {
  /** Entries that can be applied. */
  good: UsageMessage[];
  /** Entries, or whole messages, that nobody can read. */
  bad: { id: string; body: string; reason: string; at: number }[];
}

export async function consumeUsage(batch: MessageBatch, env: Env): Promise<void> {
  const sorted: Sorted = { good: [], bad: [] };
  for (const message of batch.messages) sortMessage(message, sorted);
  try {
    await parkMessages(
      env.DB,
      sorted.bad.map(({ id, body, reason, at }) => ({ id, queue: batch.queue, body, reason, parked_at: at })),
    );
    if (sorted.good.length > 0) await insertEntries(env.DB, sorted.good.map(entryRow));
  } catch (error) {
    console.error("D1 took no batch; it comes again", error);
    for (const message of batch.messages) message.retry({ delaySeconds: LIMITS.queueRetrySeconds });
    return;
  }
  for (const message of batch.messages) message.ack();
  await confirm(new Set(sorted.good.map((entry) => entry.account_id)), env);
}

/** One message is a list of entries, or a single one; each entry is judged for itself. */
function sortMessage(message: Message, sorted: Sorted): void {
  const text = bodyText(message.body);
  const at = message.timestamp.getTime();
  const parsed = parseJson(text);
  if (!parsed.ok) return void sorted.bad.push({ id: message.id, body: text, reason: parsed.message, at });
  const entries: unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  for (const [index, entry] of entries.entries()) {
    const checked = checkWith(usageMessageSchema, entry);
    if (checked.ok) sorted.good.push(checked.value);
    else
      sorted.bad.push({
        id: `${message.id}-${index}`,
        body: JSON.stringify(entry),
        reason: `${checked.message} at ${checked.path ?? "the root"}`,
        at,
      });
  }
}

/** The body as text, however it was sent. */
export function bodyText(body: unknown): string {
  return typeof body === "string" ? body : (JSON.stringify(body) ?? "null");
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
