/**
 * The cron job: asks about payments nobody told of, then wakes every account and reconciles it, so that nothing depends on a webhook or
 * an alarm that was lost. Then closed months leave D1, and once an hour the exchange rate is fetched where an address is configured.
 */
import { latestDocument } from "../../db/documents.ts";
import { pruneSources } from "../../db/entry-source.ts";
import { sweepRecordings } from "../../db/recordings.ts";
import { configDocumentSchema } from "../../schema/document.ts";
import { parseWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { pollPayments } from "../topup/poll-payments.ts";
import { archiveAll, firstKeptMonth } from "./archive.ts";
import { sweepWebhooks } from "./consume-webhooks.ts";
import { isContradiction, reconcileAll } from "./reconcile.ts";
import { topupPorts } from "./topup-ports.ts";

const KEPT_MONTHS = 2;
const CRON_MINUTES = 5;

/** `refreshRate` is the HTTP side's, handed in by the composition root. */
export async function scheduled(env: Env, now: number, refreshRate: (env: Env, now: number) => Promise<void>): Promise<void> {
  if (new Date(now).getUTCMinutes() < CRON_MINUTES) await refreshRate(env, now);
  await pollPayments(topupPorts(env));
  for (const account of await reconcileAll(env)) {
    const contradicted = account.gaps.filter(isContradiction);
    if (contradicted.length > 0)
      console.error("an account's ledger and D1 contradict each other", account.account_id, JSON.stringify(contradicted));
    await pruneSources(env, account.account_id, now - LIMITS.entrySourceRetentionMilliseconds);
  }
  await sweepWebhooks(env, now);
  await sweepRecordings(env.ARCHIVE, now, LIMITS.recordingsSweptPerPass);
  await archiveClosedMonths(env, now);
}

/** What cannot be archived stays where it is, is named in the log, and is tried again by the next run. */
async function archiveClosedMonths(env: Env, now: number): Promise<void> {
  const stored = await latestDocument(env.DB, "config");
  const config = stored === null ? null : parseWith(configDocumentSchema, stored.body);
  const keptMonths = config?.ok === true ? (config.value.archive?.keep_months ?? KEPT_MONTHS) : KEPT_MONTHS;
  const order = { beforeMonth: firstKeptMonth(now, keptMonths), now, partsMax: LIMITS.archivePartsPerPass };
  for (const { account_id: accountId, stopped } of await archiveAll(order, env)) {
    if (stopped !== null) console.error("an account's closed months stay in D1", accountId, stopped);
  }
}
