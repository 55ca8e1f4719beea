/** Closed months in the archive: rows leave D1 only for an object that was read back, and every sum and every page is as before. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { insertAccount } from "../../db/accounts.ts";
import { accountSums } from "../../db/report.ts";
import { usageOfRequest, usageRows, type UsageStore, usageStore } from "../../db/usage-rows.ts";
import { archiveAccount, archiveAll, firstKeptMonth, verifyArchive } from "../../workers/queue/archive.ts";
import { reconcileAccount } from "../../workers/queue/reconcile.ts";
import { scheduled } from "../../workers/queue/scheduled.ts";
import { deliver, joined } from "./deliver.ts";
import { type LedgerAccount, ledgerAccount, rows } from "./ledger-account.ts";

const NOW = Date.UTC(2026, 11, 20);
const CHARGES = [100, 200, 300, 400, 500, 600, 700];
/** The credit and two charges in September, three in October, two in November. */
const MONTHS = [8, 8, 8, 9, 9, 9, 10, 10];
const clock = (entry: number): number => Date.UTC(2026, MONTHS[entry] ?? 10, 5 + entry, 12);
const ORDER = { beforeMonth: "2026-11", now: NOW, partsMax: 100 };

async function account(name: string): Promise<LedgerAccount> {
  const made = await ledgerAccount(name, CHARGES, clock);
  await deliver(made.env, [joined(made.messages)]);
  return made;
}

function storeHere(): UsageStore {
  return usageStore([env.DB], env.ARCHIVE);
}

const ALL = { fromDay: "0000-01-01", toDay: "9999-12-31" };

async function pages(made: LedgerAccount, limit: number, range = ALL): Promise<unknown[]> {
  const store = storeHere();
  const all = [];
  let beforeSeq = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const page = await usageRows(store, { accountId: made.id, ...range }, { beforeSeq, limit });
    all.push(...page);
    if (page.length < limit) return all;
    beforeSeq = page.at(-1)?.seq ?? 0;
  }
}

const DAYS = "SELECT * FROM usage_day WHERE account_id = ? ORDER BY day";

test("a closed month leaves D1, and pages, requests, rollups and reconciliation are as they were", async () => {
  const made = await account("archive");
  const before = { pages: await pages(made, 100), days: await rows(DAYS, made.id), report: await reconcileAccount(made.id, made.env) };
  expect(before.report.gaps).toEqual([]);
  expect(await archiveAccount(made.id, ORDER, made.env)).toEqual({
    account_id: made.id,
    parts: 2,
    entries: 6,
    months: ["2026-09", "2026-10"],
    stopped: null,
  });
  expect(await rows("SELECT seq FROM entry WHERE account_id = ? ORDER BY seq", made.id)).toEqual([{ seq: 7 }, { seq: 8 }]);
  expect(await rows("SELECT seq FROM usage WHERE account_id = ? ORDER BY seq", made.id)).toEqual([{ seq: 7 }, { seq: 8 }]);
  for (const limit of [1, 2, 3, 7, 100]) expect(await pages(made, limit)).toEqual(before.pages);
  expect(await rows(DAYS, made.id)).toEqual(before.days);
  expect(await reconcileAccount(made.id, made.env)).toEqual(before.report);
  expect(await verifyArchive(made.id, made.env)).toEqual({ parts: 2, entries: 6, faults: [] });
});

test("the sums of a report are as they were, and of an instant inside an archived part there are none", async () => {
  const made = await account("sums");
  const sums = (asOf: number): ReturnType<typeof accountSums> =>
    accountSums(
      [
        async (statements, ...values) =>
          (await env.DB.batch(statements.map((sql) => env.DB.prepare(sql).bind(...values)))).map((result) => result.results),
      ],
      made.id,
      asOf,
    );
  const [all, early] = [await sums(NOW), await sums(clock(6))];
  expect(all?.usage.reduce((sum, row) => sum + Number(row.charged_micro_rub), 0)).toBe(2800);
  expect(all?.entries).toMatchObject([
    { kind: "credit", entries: 1 },
    { kind: "settle", entries: 7, amount_micro_rub: "-2800" },
  ]);
  await archiveAccount(made.id, ORDER, made.env);
  expect(await sums(NOW)).toEqual(all);
  expect(await sums(clock(6))).toEqual(early);
  expect(await sums(clock(4))).toBeNull();
});

test("a range of days finds exactly its rows in the archive", async () => {
  const made = await account("range");
  const range = { fromDay: "2026-09-07", toDay: "2026-10-09" };
  const before = await pages(made, 100, range);
  expect(before).toHaveLength(3);
  await archiveAccount(made.id, ORDER, made.env);
  expect(await pages(made, 2, range)).toEqual(before);
  expect(await pages(made, 2, { fromDay: "2025-01-01", toDay: "2025-12-31" })).toEqual([]);
});

test("one archived request is found by its id, through the number of its entry", async () => {
  const made = await account("lookup");
  const ask = (id: string): Promise<unknown> =>
    usageOfRequest(storeHere(), made.id, {
      id,
      seq: async () => (await made.env.ACCOUNT.get(made.env.ACCOUNT.idFromName(made.id)).entryOf(id))?.entry.seq ?? null,
    });
  const before = await ask("req_lookup_0");
  expect(before).toMatchObject({ request_id: "req_lookup_0", charged_micro_rub: 100, kind: "settle" });
  await archiveAccount(made.id, ORDER, made.env);
  expect(await ask("req_lookup_0")).toEqual(before);
  expect(await ask("req_lookup_9")).toBeNull();
});

test("a message that comes again after its row was archived adds nothing, from the queue and from the dead letters", async () => {
  const made = await account("again");
  await archiveAccount(made.id, ORDER, made.env);
  const days = await rows(DAYS, made.id);
  for (let time = 0; time < 2; time++) expect((await deliver(made.env, [joined(made.messages), ...made.messages])).retried).toEqual([]);
  expect(await rows("SELECT seq FROM entry WHERE account_id = ? ORDER BY seq", made.id)).toEqual([{ seq: 7 }, { seq: 8 }]);
  expect(await rows(DAYS, made.id)).toEqual(days);
  expect((await reconcileAccount(made.id, made.env)).gaps).toEqual([]);
});

test("archiving again moves nothing, and a month that is not over stays", async () => {
  const made = await account("repeat");
  await archiveAccount(made.id, ORDER, made.env);
  expect(await archiveAccount(made.id, ORDER, made.env)).toMatchObject({ parts: 0, entries: 0, stopped: null });
  expect(firstKeptMonth(Date.UTC(2026, 11, 2), 0)).toBe("2026-11");
  expect(firstKeptMonth(Date.UTC(2026, 11, 5), 0)).toBe("2026-12");
  expect(firstKeptMonth(Date.UTC(2026, 11, 5), 2)).toBe("2026-10");
});

test("an account that does not reconcile keeps its rows", async () => {
  const made = await account("unsound");
  await env.DB.prepare("UPDATE usage SET charged_micro_rub = 1 WHERE account_id = ? AND seq = 3").bind(made.id).run();
  expect(await archiveAccount(made.id, ORDER, made.env)).toMatchObject({ parts: 0, stopped: expect.stringContaining("usage_differs") });
  expect(await rows("SELECT count(*) AS n FROM entry WHERE account_id = ?", made.id)).toEqual([{ n: 8 }]);
});

test("rows stay when the object that was written cannot be read back as it was", async () => {
  const made = await account("faulty");
  const other = async (): Promise<ArrayBuffer> =>
    new Response(new Blob(["{}\n"]).stream().pipeThrough(new CompressionStream("gzip"))).arrayBuffer();
  const torn: [what: string, bucket: object, fault: RegExp][] = [
    ["lost", { get: async () => null }, /is not there/],
    ["cut", { put: async (key: string) => env.ARCHIVE.put(key, new Uint8Array([31, 139, 8, 0])) }, /cannot be unpacked/],
    ["changed", { put: async (key: string) => env.ARCHIVE.put(key, await other()) }, /another hash/],
  ];
  for (const [what, broken, fault] of torn) {
    const ARCHIVE = { put: env.ARCHIVE.put.bind(env.ARCHIVE), get: env.ARCHIVE.get.bind(env.ARCHIVE), ...broken } as unknown as R2Bucket;
    expect(await archiveAccount(made.id, ORDER, { ...made.env, ARCHIVE }), what).toMatchObject({
      parts: 0,
      stopped: expect.stringMatching(fault),
    });
    expect(await rows("SELECT count(*) AS n FROM entry WHERE account_id = ?", made.id)).toEqual([{ n: 8 }]);
    expect(await rows("SELECT * FROM archive_part WHERE account_id = ?", made.id)).toEqual([]);
  }
  expect(await archiveAccount(made.id, ORDER, made.env)).toMatchObject({ parts: 2, stopped: null });
});

test("rows that changed between being archived and being removed stay", async () => {
  const made = await account("raced");
  const put = async (key: string, value: ArrayBuffer): Promise<R2Object | null> => {
    const stored = await env.ARCHIVE.put(key, value);
    await env.DB.prepare("DELETE FROM usage WHERE account_id = ? AND seq = 2").bind(made.id).run();
    return stored;
  };
  const ARCHIVE = { put, get: env.ARCHIVE.get.bind(env.ARCHIVE) } as unknown as R2Bucket;
  expect(await archiveAccount(made.id, ORDER, { ...made.env, ARCHIVE })).toMatchObject({
    parts: 0,
    stopped: expect.stringContaining("changed"),
  });
  expect(await rows("SELECT count(*) AS n FROM entry WHERE account_id = ?", made.id)).toEqual([{ n: 8 }]);
  // The row comes back from the ledger, its day is counted once, and then the month leaves.
  expect((await reconcileAccount(made.id, made.env)).gaps.map((gap) => gap.kind)).toEqual(["usage_missing"]);
  expect(await archiveAccount(made.id, ORDER, made.env)).toMatchObject({ parts: 2, stopped: null });
  expect((await reconcileAccount(made.id, made.env)).gaps).toEqual([]);
});

test("a part of the archive that is lost or changed is named by its verification, and is never read as money", async () => {
  const made = await account("rotten");
  await archiveAccount(made.id, ORDER, made.env);
  const [first, second] = await rows("SELECT object_key FROM archive_part WHERE account_id = ? ORDER BY first_seq", made.id);
  await env.ARCHIVE.delete(String(first?.["object_key"]));
  await env.ARCHIVE.put(String(second?.["object_key"]), "not gzip");
  expect((await verifyArchive(made.id, made.env)).faults.map(({ fault }) => fault)).toEqual([
    "the object is not there",
    "the object cannot be unpacked",
  ]);
  await expect(pages(made, 100)).rejects.toThrow(/archived part/);
});

test("a falsified note of a part is a contradiction to the ledger", async () => {
  const made = await account("noted");
  await archiveAccount(made.id, ORDER, made.env);
  await env.DB.prepare("UPDATE archive_part SET amount_micro_rub = amount_micro_rub + 1 WHERE account_id = ? AND first_seq = 4")
    .bind(made.id)
    .run();
  expect((await reconcileAccount(made.id, made.env)).gaps.map((gap) => gap.kind)).toEqual(["sum_differs"]);
  await env.DB.prepare(
    "UPDATE archive_part SET amount_micro_rub = amount_micro_rub - 1, last_hash = 'x' WHERE account_id = ? AND first_seq = 4",
  )
    .bind(made.id)
    .run();
  expect((await reconcileAccount(made.id, made.env)).gaps.map((gap) => gap.kind)).toEqual(["chain_broken"]);
  await env.DB.prepare("DELETE FROM archived_usage WHERE account_id = ?").bind(made.id).run();
  expect((await reconcileAccount(made.id, made.env)).gaps.map((gap) => gap.kind)).toContain("rollup_differs");
});

test("the manifest of a month names its parts with their hashes", async () => {
  const made = await account("manifest");
  await archiveAccount(made.id, ORDER, made.env);
  const text = await (await env.ARCHIVE.get(`usage/v1/${made.id}/2026-09/manifest.json`))?.text();
  const [part] = await rows("SELECT object_key, sha256 FROM archive_part WHERE account_id = ? ORDER BY first_seq LIMIT 1", made.id);
  expect(JSON.parse(text ?? "")).toMatchObject({ v: 1, account_id: made.id, month: "2026-09", entries: 3, usage_rows: 2, parts: [part] });
});

test("every account is archived by one pass, as many parts as it may write", async () => {
  const first = await account("pass1");
  const second = await account("pass2");
  for (const { id } of [first, second]) await insertAccount(env.DB, { id, name: id, created_at: 1 });
  const ACCOUNT = {
    idFromName: (name: string) => name,
    get: (id: unknown) => [first, second].find((each) => each.id === String(id))?.env.ACCOUNT.get(env.ACCOUNT.idFromName(String(id))),
  } as unknown as Env["ACCOUNT"];
  const archived = await archiveAll({ ...ORDER, partsMax: 3 }, { ...env, ACCOUNT });
  expect(archived).toMatchObject([
    { account_id: first.id, parts: 2, stopped: null },
    { account_id: second.id, parts: 1, stopped: "this pass wrote as many parts as it may" },
  ]);
  expect(await archiveAll(ORDER, { ...env, ACCOUNT })).toMatchObject([{ account_id: second.id, parts: 1, stopped: null }]);
});

test("the cron job archives what is older than the months that are kept, and fetches the exchange rate once an hour", async () => {
  const made = await account("cron");
  const kept = await env.DB.prepare("SELECT id FROM account").all<{ id: string }>();
  for (const { id } of kept.results) await env.DB.prepare("DELETE FROM account WHERE id = ?").bind(id).run();
  await insertAccount(env.DB, { id: made.id, name: made.id, created_at: 1 });
  const fetched: number[] = [];
  const run = (now: number): Promise<void> => scheduled(made.env, now, async (_env, at) => void fetched.push(at));
  const left = async (): Promise<unknown[]> =>
    (await rows("SELECT seq FROM entry WHERE account_id = ? ORDER BY seq", made.id)).map((row) => row["seq"]);
  await run(Date.UTC(2026, 11, 2, 10, 7));
  expect([await left(), fetched]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], []]);
  await run(Date.UTC(2026, 11, 5, 10, 3));
  expect([await left(), fetched]).toEqual([[4, 5, 6, 7, 8], [Date.UTC(2026, 11, 5, 10, 3)]]);
  await env.DB.prepare(
    "INSERT INTO document (kind, number, body, created_at) VALUES ('config', 1, '{\"archive\":{\"keep_months\":0}}', 1)",
  ).run();
  await run(Date.UTC(2026, 11, 5, 10, 8));
  expect(await left()).toEqual([]);
});
