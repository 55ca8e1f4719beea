/** An account's rows in two databases: every question gives the answer that one database would give. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { usageGroups, usageTotals } from "../../db/usage.ts";
import { usageRows, usageStore } from "../../db/usage-rows.ts";
import { storeShardMap, usageShards } from "../../db/usage-shards.ts";
import { archiveAccount } from "../../workers/queue/archive.ts";
import { reconcileAccount } from "../../workers/queue/reconcile.ts";
import { expectError } from "../http/expect-error.ts";
import { send } from "../http/gateway.ts";
import { deliver, joined } from "./deliver.ts";
import { type LedgerAccount, ledgerAccount, rows } from "./ledger-account.ts";

const CHARGES = [100, 200, 300, 400, 500];
/** Entries 1 to 3 are of September, in the first database; 4 to 6 of November, in the further one. */
const clock = (entry: number): number => Date.UTC(2026, entry < 3 ? 8 : 10, 5 + entry, 12);
const MAP = { rules: [{ from_month: "2026-10", databases: ["USAGE_1"] }] };

beforeAll(() => storeShardMap(env.DB, MAP, 1));

async function account(name: string): Promise<LedgerAccount> {
  const made = await ledgerAccount(name, CHARGES, clock);
  await deliver(made.env, [joined(made.messages)]);
  return made;
}

async function further(sql: string, id: string): Promise<unknown[]> {
  return (await env.USAGE_1.prepare(sql).bind(id).all()).results;
}

const SEQS = "SELECT seq FROM entry WHERE account_id = ? ORDER BY seq";
const ALL = { fromDay: "0000-01-01", toDay: "9999-12-31" };

test("entries go where their month belongs, and the watermark moves over both", async () => {
  const made = await account("shard");
  expect(await rows(SEQS, made.id)).toEqual([{ seq: 1 }, { seq: 2 }, { seq: 3 }]);
  expect(await further(SEQS, made.id)).toEqual([{ seq: 4 }, { seq: 5 }, { seq: 6 }]);
  expect(made.recorded).toEqual([6]);
  expect(await reconcileAccount(made.id, made.env)).toMatchObject({
    repaired: 0,
    gaps: [],
    d1: { seq: 6, count: 6, sum: made.facts.sum, hash: made.facts.hash },
  });
});

test("repeats in any order change nothing in either", async () => {
  const made = await account("shard2");
  await deliver(made.env, [...made.messages.toReversed(), joined(made.messages)]);
  expect((await reconcileAccount(made.id, made.env)).gaps).toEqual([]);
});

test("pages, groups and totals are those of both", async () => {
  const made = await account("shard3");
  const databases = (await usageShards(made.env)).of(made.id);
  const store = usageStore(databases, env.ARCHIVE);
  const filter = { accountId: made.id, ...ALL };
  const seqs: number[] = [];
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    const page = await usageRows(store, filter, { beforeSeq: before, limit: 2 });
    seqs.push(...page.map((row) => row.seq));
    if (page.length < 2) break;
    before = page.at(-1)?.seq ?? 0;
  }
  expect(seqs).toEqual([6, 5, 4, 3, 2]);
  expect(await usageTotals(databases, filter)).toMatchObject({ requests: 5, charged_micro_rub: 1500 });
  const models = await usageGroups(databases, filter, { by: "model", afterName: "", limit: 10 });
  expect(models).toMatchObject([{ name: "alpha/one", requests: 5, charged_micro_rub: 1500 }]);
  const days = await usageGroups(databases, filter, { by: "day", afterName: "2026-09-06", limit: 2 });
  expect(days.map((day) => day.name)).toEqual(["2026-09-07", "2026-11-08"]);
});

test("rows lost in one of them come back there, and are counted once", async () => {
  const made = await account("shard4");
  for (const table of ["entry", "usage"]) {
    await env.USAGE_1.prepare(`DELETE FROM ${table} WHERE account_id = ? AND seq > 4`).bind(made.id).run();
    await env.DB.prepare(`DELETE FROM ${table} WHERE account_id = ? AND seq = 2`).bind(made.id).run();
  }
  expect((await reconcileAccount(made.id, made.env)).gaps).toMatchObject([{ kind: "missing", seqs: [2, 5, 6] }]);
  expect((await reconcileAccount(made.id, made.env)).gaps).toEqual([]);
  expect(await further(SEQS, made.id)).toEqual([{ seq: 4 }, { seq: 5 }, { seq: 6 }]);
});

test("the chain is checked from one database into the other", async () => {
  const made = await account("shard5");
  await env.USAGE_1.prepare("UPDATE entry SET prev_hash = 'other' WHERE account_id = ? AND seq = 4").bind(made.id).run();
  expect((await reconcileAccount(made.id, made.env)).gaps).toMatchObject([{ kind: "chain_broken", seqs: [4] }]);
});

test("a row in both databases is a contradiction", async () => {
  const made = await account("shard6");
  const [row] = await further("SELECT * FROM entry WHERE account_id = ? AND seq = 4", made.id);
  const columns = Object.keys(row as object);
  await env.DB.prepare(`INSERT INTO entry (${columns.join(", ")}) VALUES (${columns.map((_, index) => `?${index + 1}`).join(", ")})`)
    .bind(...Object.values(row as object))
    .run();
  expect((await reconcileAccount(made.id, made.env)).gaps.map((gap) => gap.kind)).toContain("chain_broken");
});

test("closed months leave both databases for one archive", async () => {
  const made = await account("shard7");
  const order = { beforeMonth: "2026-12", now: Date.UTC(2027, 0, 10), partsMax: 10 };
  expect(await archiveAccount(made.id, order, made.env)).toMatchObject({ parts: 2, entries: 6, stopped: null });
  expect([...(await rows(SEQS, made.id)), ...(await further(SEQS, made.id))]).toEqual([]);
  const store = usageStore((await usageShards(made.env)).of(made.id), env.ARCHIVE);
  const page = await usageRows(store, { accountId: made.id, ...ALL }, { beforeSeq: 6, limit: 3 });
  expect(page.map((row) => row.seq)).toEqual([5, 4, 3]);
  expect((await reconcileAccount(made.id, made.env)).gaps).toEqual([]);
  await deliver(made.env, [joined(made.messages)]);
  expect([...(await rows(SEQS, made.id)), ...(await further(SEQS, made.id))]).toEqual([]);
});

test("an operator's map is taken for months to come and for databases that are bound, and for no others", async () => {
  expect((await send("/admin/shards")).json).toEqual(MAP);
  const withRule = (from_month: string, databases: string[]): unknown => ({ rules: [...MAP.rules, { from_month, databases }] });
  expectError(await send("/admin/shards", { method: "PUT", body: withRule("2099-01", ["USAGE_2"]) }), 409, "invalid_transition", "rules");
  expectError(await send("/admin/shards", { method: "PUT", body: { rules: [] } }), 409, "invalid_transition", "rules");
  expectError(await send("/admin/shards", { method: "PUT", body: withRule("2026-10", ["DB"]) }), 400, "invalid_request", "rules");
  expect((await send("/admin/shards", { method: "PUT", body: withRule("2099-01", ["DB", "USAGE_1"]) })).status).toBe(200);
  expect((await send("/admin/shards")).json).toEqual(withRule("2099-01", ["DB", "USAGE_1"]));
});
