/**
 * The runbook, run: the object of an account is put back to an earlier time (point-in-time recovery), must notice, admit nothing, be made
 * whole again from D1, and go on; then the database is put back, and must be filled up from the ledgers.
 */
import { admitResultSchema, creditResultSchema, ledgerFactsSchema } from "../../schema/ledger.ts";
import { checkWhole } from "./delivery.ts";
import { driven, reconciled } from "./rest.ts";
import { Statements } from "./storage.ts";
import { type Account, keyHash, type World } from "./world.ts";

type Copy = ReturnType<Statements["copy"]>;

export interface Backup {
  account: Copy;
  database: Copy;
}

export function takeBackup(world: World): Backup {
  return { account: world.account(0).host.statements.copy(), database: world.database.copy() };
}

type Count = (what: string) => void;

export async function restoreEverything(world: World, backup: Backup, count: Count): Promise<void> {
  const account = world.account(0);
  if (backup.account.schema.length > 0) await restoreObject(world, account, backup, count);
  if (world.violation === null) await restoreDatabase(world, backup, count);
}

const LEDGER = "SELECT * FROM entry ORDER BY seq";
const HOLDS = "SELECT request_id, state, seq FROM hold ORDER BY request_id";
const SPENDS = "SELECT key_id, day, day_amount, month, month_amount FROM key_spend ORDER BY key_id";

async function restoreObject(world: World, account: Account, backup: Backup, count: Count): Promise<void> {
  const { host, books } = account;
  const before = [LEDGER, HOLDS, SPENDS].map((query) => JSON.stringify(host.statements.all(query)));
  const isBehind = (backup.account.rows["entry"]?.length ?? 0) < books.auditor.entries.length;
  books.isWatching = false;
  host.replace(Statements.from(backup.account));
  count("restored: object");
  // Its first call starts it, and with it the question how far D1 is, which is answered a moment later; no entry is written before.
  if (isBehind) await expectUnbooked(world, account, count);
  else await called(world, account, "watermark", [], count);
  const facts = await called(world, account, "facts", [], count);
  const { frozen } = ledgerFactsSchema.parse(facts);
  if ((frozen !== null) !== isBehind) {
    world.violated("restore", `${account.id} lacks ${isBehind ? "some" : "no"} entries and is ${frozen === null ? "not " : ""}frozen`);
    return;
  }
  if (isBehind) await expectFrozen(world, account, count);
  const result: { state: string; fault: unknown } | null = await driven(
    world,
    world.product.restoreAccount(account.id, { force: false, now: world.schedule.now }, world.bindings({ wake: () => true })),
    count,
  );
  if (result?.state !== "whole") world.violated("restore", `${account.id} was not made whole: ${JSON.stringify(result)}`);
  const after = [LEDGER, HOLDS, SPENDS].map((query) => JSON.stringify(host.statements.all(query)));
  if (after[0] !== before[0]) world.violated("restore", `${account.id} has other entries than before`);
  // Holds that were open then have ended, as D1 knows.
  if (after[1] !== before[1]) world.violated("restore", `${account.id} has other holds than before`);
  if (after[2] !== before[2]) world.violated("restore", `${account.id} has spends ${after[2]} instead of ${before[2]}`);
  if (isBehind) count("restored: entries replayed");
}

async function expectUnbooked(world: World, account: Account, count: Count): Promise<void> {
  const command = { kind: "credit", external_id: "while_frozen", amount_micro_rub: "1", record: null };
  const answer = creditResultSchema.parse(await called(world, account, "credit", [command], count));
  if (answer.state !== "frozen") world.violated("restore", `${account.id} took money before it was whole: ${JSON.stringify(answer)}`);
}

async function expectFrozen(world: World, account: Account, count: Count): Promise<void> {
  const command = {
    request_id: "req_while_frozen",
    key_hash: keyHash(0, 0),
    idempotency_key: null,
    body_hash: "body",
    hold_micro_rub: "0",
    snapshot: "{}",
    model: "alpha/one",
    lane: "lane-1",
    ttl_ms: 1000,
    tokens_bound: 1,
  };
  const answer = admitResultSchema.parse(await called(world, account, "admit", [command], count));
  if (answer.ok || answer.reason !== "account_frozen") world.violated("restore", `a frozen ledger admitted: ${JSON.stringify(answer)}`);
}

async function restoreDatabase(world: World, backup: Backup, count: Count): Promise<void> {
  world.database.putBack(backup.database);
  count("restored: database");
  for (const account of world.accounts) await reconciled(world, account, count);
  for (const account of world.accounts) {
    const again = await reconciled(world, account, count);
    if (again !== null && again.gaps.length > 0)
      world.violated("restore", `${account.id} has gaps after D1 was filled up: ${JSON.stringify(again.gaps[0])}`);
  }
  const violated = (name: string, detail: string): void => world.violated(name, `after D1 was restored: ${detail}`);
  checkWhole({ database: world.database, books: world.books(), violated }, world.product.RECOMPUTE_USAGE);
}

async function called(world: World, account: Account, method: string, parameters: unknown[], count: Count): Promise<unknown> {
  return driven(world, account.host.call(method, parameters), count);
}
