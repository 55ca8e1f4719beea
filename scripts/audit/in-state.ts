/**
 * The books of a system that need not run: the SQLite files of its state directory, read as they are. Objects are files named by an id
 * that their account's name gives, so each ledger finds its rows in D1; one that finds none is a ledger that D1 never heard of.
 */
import { createHash, createHmac } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { AccountReport } from "./report.ts";
import { ChainReader, type Fields } from "./chain.ts";

const ENTRIES = `SELECT seq, kind, request_id, external_id, CAST(amount AS TEXT) AS amount, postings, CAST(balance_after AS TEXT) AS balance_after,
  CAST(held_after AS TEXT) AS held_after, at, facts, record, prev_hash, hash FROM entry ORDER BY seq`;
const STORED = `SELECT seq, hash, CAST(amount_micro_rub AS TEXT) AS amount, CAST(balance_after_micro_rub AS TEXT) AS balance_after, postings, kind
  FROM entry WHERE account_id = ? ORDER BY seq`;
const USAGE = `SELECT count(*) AS n FROM entry e LEFT JOIN usage u ON u.account_id = e.account_id AND u.seq = e.seq
  WHERE e.account_id = ? AND e.kind IN ('settle', 'late_settle') AND (u.seq IS NULL OR u.charged_micro_rub <> -e.amount_micro_rub)`;

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".sqlite") && basename(name) !== "metadata.sqlite")
    .map((name) => join(folder, name))
    .toSorted();
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** The file name of the object that workerd makes for a name: two keyed hashes, of the name and of the first. */
export function objectId(uniqueKey: string, name: string): string {
  const key = createHash("sha256").update(uniqueKey).digest();
  const base = createHmac("sha256", key).update(name).digest().subarray(0, 16);
  const tag = createHmac("sha256", key).update(base).digest().subarray(0, 16);
  return Buffer.concat([base, tag]).toString("hex");
}

/** Every ledger of the state, and rows of D1 whose ledger is not there. */
export function* auditState(stateDir: string): Generator<AccountReport | { lost: string }> {
  const resources = existsSync(join(stateDir, "resources")) ? join(stateDir, "resources") : stateDir;
  const databases = filesIn(join(resources, "d1")).map((path) => new DatabaseSync(path, { readOnly: true }));
  const stored = databases.filter((database) => hasTable(database, "entry"));
  if (stored.length === 0) throw new Error(`there is no database with entries under ${resources}`);
  const names = new Set(stored.flatMap(accountsOf));
  const folder = join(resources, "do");
  const unseen = new Set(names);
  for (const path of filesIn(folder)) {
    const uniqueKey = basename(join(path, ".."));
    const database = new DatabaseSync(path, { readOnly: true });
    if (hasTable(database, "entry")) {
      const id = basename(path, ".sqlite");
      const name = [...names].find((each) => objectId(uniqueKey, each) === id) ?? null;
      if (name !== null) unseen.delete(name);
      yield auditLedger(database, stored, { id, name });
    }
    database.close();
  }
  for (const name of unseen) if (stored.some((database) => database.prepare(STORED).get(name) !== undefined)) yield { lost: name };
  for (const database of databases) database.close();
}

function accountsOf(database: DatabaseSync): string[] {
  const tables = ["SELECT DISTINCT account_id AS id FROM entry", ...(hasTable(database, "account") ? ["SELECT id FROM account"] : [])];
  return tables.flatMap((query) => database.prepare(query).all()).map((row) => String(row["id"]));
}

function auditLedger(
  database: DatabaseSync,
  stored: readonly DatabaseSync[],
  { id, name }: { id: string; name: string | null },
): AccountReport {
  const chain = new ChainReader();
  const hashes: Fields[] = [];
  for (const row of database.prepare(ENTRIES).iterate()) {
    chain.read(row);
    hashes.push({
      hash: row["hash"],
      amount: row["amount"],
      balance_after: row["balance_after"],
      postings: row["postings"],
      kind: row["kind"],
    });
  }
  const count = (query: string): number => Number(database.prepare(query).get()?.["n"] ?? 0);
  const findings: string[] = [];
  const rows = name === null ? [] : stored.flatMap((each) => each.prepare(STORED).all(name));
  for (const row of rows) {
    const own = hashes[Number(row["seq"]) - 1];
    if (own === undefined) findings.push(`D1 has entry ${String(row["seq"])}, which the ledger has not`);
    else if (["hash", "amount", "balance_after", "postings", "kind"].some((column) => own[column] !== row[column]))
      findings.push(`entry ${String(row["seq"])} is another one in D1`);
  }
  const unused = name === null ? 0 : stored.reduce((sum, each) => sum + Number(each.prepare(USAGE).get(name)?.["n"] ?? 0), 0);
  if (unused > 0) findings.push(`${unused} charges of D1 have no usage row, or one of another amount`);
  const isFrozen = hasTable(database, "freeze") && count("SELECT count(*) AS n FROM freeze") > 0;
  return {
    account: name ?? `object ${id}, which D1 has no account for`,
    chain,
    state: isFrozen ? "frozen" : chain.balance < 0n ? "blocked" : "active",
    heldMicroRub: BigInt(
      String(
        database.prepare("SELECT CAST(coalesce(sum(amount), 0) AS TEXT) AS held FROM hold WHERE state = 'HELD'").get()?.["held"] ?? "0",
      ),
    ),
    openHolds: count("SELECT count(*) AS n FROM hold WHERE state = 'HELD'"),
    incidents: count("SELECT count(*) AS n FROM incident"),
    notInD1: Math.max(0, chain.seq - rows.length - archived(stored, name)),
    findings: findings.slice(0, 20),
  };
}

/** Entries of closed months that have left D1 for the archive. */
function archived(stored: readonly DatabaseSync[], name: string | null): number {
  if (name === null) return 0;
  const query = "SELECT coalesce(sum(entries), 0) AS n FROM archive_part WHERE account_id = ?";
  return stored.reduce((sum, each) => sum + (hasTable(each, "archive_part") ? Number(each.prepare(query).get(name)?.["n"] ?? 0) : 0), 0);
}
