/**
 * The consumer of `usage`: entries of all accounts into D1. At-least-once delivery becomes exactly-once rows by the key (account, seq).
 * Each message is acknowledged for itself, after the transaction that holds its entries; what nobody can read is parked and stops nothing.
 */
import { createHash } from "node:crypto";
import { type DeadLetter, parkMessages } from "../../db/dead-letters.ts";
import { entryRuns, insertEntries } from "../../db/entries.ts";
import { completeThrough } from "../../db/runs.ts";
import { type UsageShards, usageShards } from "../../db/usage-shards.ts";
import { checkWith, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { usageMessageSchema } from "../../schema/message.ts";
import { announceEntries } from "./announce.ts";
import { type AppliedEntry, entryRow } from "./entry-row.ts";
import { tellTelemetry } from "./tell-telemetry.ts";

type Letter = Omit<DeadLetter, "replayed_at">;

/** One message, read: what of it can be applied, and what is parked instead. */
interface ReadMessage {
  message: Message;
  rows: AppliedEntry[];
  letters: Letter[];
}

export async function consumeUsage(batch: MessageBatch, env: Env): Promise<void> {
  const read = batch.messages.map((message) => readMessage(message, batch.queue));
  const applied = await applyTogether(read, env);
  await confirm(new Set(applied.flatMap((each) => each.rows.map((row) => String(row.entry["account_id"])))), env);
}

/** All in one go; where D1 refuses that, each message alone, so that one bad message holds back no other. Gives those applied. */
async function applyTogether(read: readonly ReadMessage[], env: Env): Promise<readonly ReadMessage[]> {
  const isApplied = await apply(read, env);
  if (isApplied) for (const { message } of read) message.ack();
  return isApplied ? read : applyAlone(read, env);
}

async function applyAlone(read: readonly ReadMessage[], env: Env): Promise<ReadMessage[]> {
  const applied: ReadMessage[] = [];
  let failures = read.length === 1 ? LIMITS.loneMessageFailures : 0;
  for (const each of read) {
    // Several in a row that fail alone too: D1 is down, not a message bad.
    if (failures < LIMITS.loneMessageFailures && (await apply([each], env))) {
      failures = 0;
      applied.push(each);
      each.message.ack();
    } else {
      failures += 1;
      each.message.retry({ delaySeconds: LIMITS.queueRetrySeconds });
    }
  }
  return applied;
}

/** False: D1 took nothing for certain; repeating it is safe. */
async function apply(read: readonly ReadMessage[], env: Env): Promise<boolean> {
  try {
    await parkMessages(
      env.DB,
      read.flatMap((each) => each.letters),
    );
    const rows = read.flatMap((each) => each.rows);
    const shards = await usageShards(env);
    await announceEntries(rows, shards, env);
    await insertEntries(shards, rows);
    await tellTelemetry(rows, env);
    return true;
  } catch (error) {
    console.error("D1 did not take these messages; they come again", read.length, error);
    return false;
  }
}

/** One message is a list of entries, or a single one; each entry is judged for itself. */
function readMessage(message: Message, queue: string): ReadMessage {
  const read: ReadMessage = { message, rows: [], letters: [] };
  const park = (body: string, reason: string): void => {
    read.letters.push({ id: letterId(body), queue, body, reason, parked_at: message.timestamp.getTime() });
  };
  const text = bodyText(message.body);
  const parsed = parseJson(text);
  if (!parsed.ok) {
    park(text, parsed.message);
    return read;
  }
  const entries: unknown[] = Array.isArray(parsed.value) ? parsed.value : [parsed.value];
  for (const entry of entries) {
    const checked = checkWith(usageMessageSchema, entry);
    if (!checked.ok) {
      park(JSON.stringify(entry), `${checked.message} at ${checked.path ?? "the root"}`);
      continue;
    }
    const row = entryRow(checked.value);
    read.rows.push(row);
    if (row.fault !== null) park(JSON.stringify(entry), row.fault);
  }
  return read;
}

/** The name of a parked body: what comes again, under whatever message id, is the same letter. */
export function letterId(body: string): string {
  return createHash("sha256").update(body).digest("hex");
}

/** The body as text, however it was sent. */
export function bodyText(body: unknown): string {
  return typeof body === "string" ? body : (JSON.stringify(body) ?? "null");
}

/** Tells each account how far D1 has it without a gap. A lost confirmation is only a later one. */
async function confirm(accountIds: ReadonlySet<string>, env: Env): Promise<void> {
  for (const accountId of accountIds) {
    try {
      await confirmAccount(accountId, await usageShards(env), env);
    } catch (error) {
      console.error("an account was not told what D1 has", accountId, error);
    }
  }
}

async function confirmAccount(accountId: string, shards: UsageShards, env: Env): Promise<void> {
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId));
  const { recorded_seq } = await account.watermark();
  const through = completeThrough(await entryRuns(shards, accountId, recorded_seq), recorded_seq);
  if (through > recorded_seq) await account.recorded(through);
}
