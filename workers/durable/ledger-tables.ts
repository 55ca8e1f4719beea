/**
 * The tables of one account's ledger, their statements and the reading of their rows. Three rules of this runtime shape every line:
 * a bound number arrives as REAL, so integers are bound as decimal text into STRICT columns; integers come back as doubles, so amounts
 * are read as text; and `OR REPLACE` walks past delete triggers, so it is used nowhere.
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { keyLimitsSchema } from "../../schema/key.ts";
import { type Entry, entryKindSchema, type Hold, holdStateSchema } from "../../schema/ledger.ts";
import { NO_SPEND } from "../ledger/key-limits.ts";
import type { HoldRow, IdempotencyRow, KeyState, Spend } from "../ledger/state.ts";

/** Run at every opening; each statement leaves what exists alone. Balance and held are no columns: they are what the rows say. */
export const TABLES = `
CREATE TABLE IF NOT EXISTS account_key (
  key_id TEXT PRIMARY KEY, key_hash TEXT NOT NULL UNIQUE, name TEXT NOT NULL, limits TEXT NOT NULL,
  created_at INTEGER NOT NULL, revoked_at INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS key_spend (
  key_id TEXT PRIMARY KEY, day TEXT NOT NULL, day_amount INTEGER NOT NULL, month TEXT NOT NULL, month_amount INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS hold_snapshot (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS hold (
  id INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, key_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('HELD','SETTLED','RELEASED','EXPIRED','SETTLED_LATE')),
  amount INTEGER NOT NULL CHECK (amount >= 0), body_hash TEXT, model TEXT NOT NULL, lane TEXT NOT NULL,
  snapshot_id INTEGER NOT NULL, tokens_bound INTEGER NOT NULL, created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL,
  seq INTEGER, CHECK ((state = 'HELD') = (seq IS NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS hold_open ON hold (id) WHERE state = 'HELD';
CREATE TABLE IF NOT EXISTS entry (
  seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, request_id TEXT, external_id TEXT, amount INTEGER NOT NULL, postings TEXT NOT NULL,
  balance_after INTEGER NOT NULL, held_after INTEGER NOT NULL CHECK (held_after >= 0), at INTEGER NOT NULL,
  facts TEXT, record TEXT, prev_hash TEXT NOT NULL, hash TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS entry_external ON entry (external_id) WHERE external_id IS NOT NULL;
CREATE TRIGGER IF NOT EXISTS entry_is_not_updated BEFORE UPDATE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TRIGGER IF NOT EXISTS entry_is_not_deleted BEFORE DELETE ON entry BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;
CREATE TABLE IF NOT EXISTS idempotency (
  id INTEGER PRIMARY KEY, key_id TEXT NOT NULL, idempotency_key TEXT NOT NULL, body_hash TEXT, request_id TEXT NOT NULL,
  needed INTEGER, available INTEGER, at INTEGER NOT NULL, UNIQUE (key_id, idempotency_key)
) STRICT;
CREATE TABLE IF NOT EXISTS incident (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, request_id TEXT, detail TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS recorded (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL) STRICT;
INSERT INTO recorded (id, seq) VALUES (1, 0) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS freeze (
  id INTEGER PRIMARY KEY CHECK (id = 1), reason TEXT NOT NULL, d1_seq INTEGER NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS parted (id INTEGER PRIMARY KEY CHECK (id = 1), d1_seq INTEGER NOT NULL) STRICT;
`;

const HOLD_COLUMNS = `hold.request_id, hold.key_id, hold.state, CAST(hold.amount AS TEXT) AS amount, hold.body_hash, hold.model, hold.lane,
  hold_snapshot.text AS snapshot, hold.tokens_bound, hold.created_at, hold.expires_at, hold.seq`;
const ENTRY_COLUMNS = `seq, kind, request_id, external_id, CAST(amount AS TEXT) AS amount, postings, CAST(balance_after AS TEXT) AS balance_after,
  CAST(held_after AS TEXT) AS held_after, at, facts, record, prev_hash, hash`;
const KEY_COLUMNS = `account_key.key_id, key_hash, name, limits, created_at, revoked_at,
  day, CAST(day_amount AS TEXT) AS day_amount, month, CAST(month_amount AS TEXT) AS month_amount`;

export const SQL = {
  insertHold: `INSERT INTO hold (request_id, key_id, state, amount, body_hash, model, lane, snapshot_id, tokens_bound, created_at, expires_at)
    VALUES (?, ?, 'HELD', ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (request_id) DO NOTHING`,
  endHold: "UPDATE hold SET state = ?, seq = ? WHERE request_id = ? AND state = ?",
  nameHold: "UPDATE hold SET key_id = ?, model = ?, lane = ?, snapshot_id = CAST(? AS INTEGER) WHERE request_id = ?",
  growHold: "UPDATE hold SET amount = ?, expires_at = ? WHERE request_id = ? AND state = 'HELD'",
  holdById: `SELECT ${HOLD_COLUMNS} FROM hold JOIN hold_snapshot ON hold_snapshot.id = hold.snapshot_id WHERE hold.request_id = ?`,
  openHolds: `SELECT ${HOLD_COLUMNS} FROM hold JOIN hold_snapshot ON hold_snapshot.id = hold.snapshot_id WHERE hold.state = 'HELD' ORDER BY hold.id`,
  insertSnapshot: "INSERT INTO hold_snapshot (text) VALUES (?) ON CONFLICT (text) DO NOTHING",
  snapshotId: "SELECT id FROM hold_snapshot WHERE text = ?",
  insertEntry: `INSERT INTO entry (seq, kind, request_id, external_id, amount, postings, balance_after, held_after, at, facts, record, prev_hash, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  lastEntry: `SELECT ${ENTRY_COLUMNS} FROM entry ORDER BY seq DESC LIMIT 1`,
  entriesAfter: `SELECT ${ENTRY_COLUMNS} FROM entry WHERE seq > ? ORDER BY seq LIMIT ?`,
  entriesFrom: `SELECT ${ENTRY_COLUMNS} FROM entry WHERE seq >= ? ORDER BY seq LIMIT ?`,
  entriesBySeq: `SELECT ${ENTRY_COLUMNS} FROM entry WHERE seq IN (SELECT value FROM json_each(?)) ORDER BY seq`,
  entryByExternalId: `SELECT ${ENTRY_COLUMNS} FROM entry WHERE external_id = ?`,
  facts: `SELECT COUNT(*) AS count, COALESCE(MAX(seq), 0) AS seq, CAST(COALESCE(SUM(amount), 0) AS TEXT) AS sum,
    (SELECT COUNT(*) FROM incident) AS incidents FROM entry`,
  keys: `SELECT ${KEY_COLUMNS} FROM account_key LEFT JOIN key_spend ON key_spend.key_id = account_key.key_id ORDER BY created_at, account_key.key_id`,
  insertKey: "INSERT INTO account_key (key_id, key_hash, name, limits, created_at) VALUES (?, ?, ?, ?, ?)",
  revokeKey: "UPDATE account_key SET revoked_at = ? WHERE key_id = ? AND revoked_at IS NULL",
  idempotency: `SELECT key_id, idempotency_key, body_hash, request_id, CAST(needed AS TEXT) AS needed, CAST(available AS TEXT) AS available, at
    FROM idempotency WHERE key_id = ? AND idempotency_key = ?`,
  insertIdempotency: `INSERT INTO idempotency (key_id, idempotency_key, body_hash, request_id, needed, available, at) VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key_id, idempotency_key) DO UPDATE SET body_hash = excluded.body_hash, request_id = excluded.request_id,
    needed = excluded.needed, available = excluded.available, at = excluded.at`,
  /** Oldest first and two at a time, so that the table is kept short by those who use it. */
  pruneIdempotency: "DELETE FROM idempotency WHERE id IN (SELECT id FROM idempotency ORDER BY id LIMIT 2) AND at < ?",
  insertIncident: "INSERT INTO incident (at, kind, request_id, detail) VALUES (?, ?, ?, ?)",
  postingSums: `SELECT posting.value ->> 0 AS name, CAST(SUM(CAST(posting.value ->> 1 AS INTEGER)) AS TEXT) AS sum
    FROM entry, json_each(entry.postings) AS posting GROUP BY 1 ORDER BY 1`,
  freeze: "SELECT reason, d1_seq, at FROM freeze WHERE id = 1",
  writeFreeze: `INSERT INTO freeze (id, reason, d1_seq, at) VALUES (1, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET reason = excluded.reason, d1_seq = excluded.d1_seq, at = excluded.at`,
  clearFreeze: "DELETE FROM freeze",
  partedSeq: "SELECT d1_seq AS seq FROM parted WHERE id = 1",
  writeParted: "INSERT INTO parted (id, d1_seq) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET d1_seq = excluded.d1_seq",
  recordedSeq: "SELECT seq FROM recorded WHERE id = 1",
  markRecorded: "UPDATE recorded SET seq = ? WHERE id = 1",
} as const;

type Row = Record<string, unknown>;

const text = z.string();
const count = z.number().int();

const holdRowSchema = z.object({
  request_id: text,
  key_id: text,
  state: holdStateSchema,
  amount: text,
  body_hash: text.nullable(),
  model: text,
  lane: text,
  snapshot: text,
  tokens_bound: count,
  created_at: count,
  expires_at: count,
  seq: count.nullable(),
});
const entryRowSchema = z.object({
  seq: count,
  kind: entryKindSchema,
  request_id: text.nullable(),
  external_id: text.nullable(),
  amount: text,
  postings: text,
  balance_after: text,
  held_after: text,
  at: count,
  facts: text.nullable(),
  record: text.nullable(),
  prev_hash: text,
  hash: text,
});
const keyRowSchema = z.object({
  key_id: text,
  key_hash: text,
  name: text,
  limits: text,
  created_at: count,
  revoked_at: count.nullable(),
  day: text.nullable(),
  day_amount: text.nullable(),
  month: text.nullable(),
  month_amount: text.nullable(),
});
const idempotencyRowSchema = z.object({
  key_id: text,
  idempotency_key: text,
  body_hash: text.nullable(),
  request_id: text,
  needed: text.nullable(),
  available: text.nullable(),
  at: count,
});
export const factsRowSchema = z.object({ count, seq: count, sum: text, incidents: count });
export type FactsRow = z.infer<typeof factsRowSchema>;
export const seqRowSchema = z.object({ seq: count });
export const idRowSchema = z.object({ id: count });

export function readHold(row: Row): HoldRow {
  const hold = holdRowSchema.parse(row);
  return {
    requestId: hold.request_id,
    keyId: hold.key_id,
    state: hold.state,
    amount: BigInt(hold.amount),
    bodyHash: hold.body_hash,
    model: hold.model,
    lane: hold.lane,
    snapshot: hold.snapshot,
    tokensBound: hold.tokens_bound,
    // Rows of their own (limit-rows.ts), read for open holds only.
    rates: [],
    createdAt: hold.created_at,
    expiresAt: hold.expires_at,
    seq: hold.seq,
  };
}

/** A hold as it is shown over RPC. */
export function holdView(hold: HoldRow): Hold {
  return {
    request_id: hold.requestId,
    key_id: hold.keyId,
    state: hold.state,
    hold_micro_rub: hold.amount.toString(),
    model: hold.model,
    lane: hold.lane,
    snapshot: hold.snapshot,
    tokens_bound: hold.tokensBound,
    created_at: hold.createdAt,
    expires_at: hold.expiresAt,
    seq: hold.seq,
  };
}

export function readEntry(row: Row): Entry {
  const { amount, balance_after, held_after, ...rest } = entryRowSchema.parse(row);
  return { ...rest, amount_micro_rub: amount, balance_after_micro_rub: balance_after, held_after_micro_rub: held_after };
}

/** A key with its stored counters; those that live in memory start empty. */
export function readKey(row: Row): KeyState {
  const key = keyRowSchema.parse(row);
  const limits = parseWith(keyLimitsSchema, key.limits);
  if (!limits.ok) throw new Error(`limits of key ${key.key_id} are not readable: ${limits.message}`);
  const spend: Spend =
    key.day === null || key.month === null
      ? NO_SPEND
      : { day: key.day, dayAmount: BigInt(key.day_amount ?? "0"), month: key.month, monthAmount: BigInt(key.month_amount ?? "0") };
  return {
    keyId: key.key_id,
    keyHash: key.key_hash,
    name: key.name,
    limits: limits.value,
    expiresAt: limits.value.expires_at === null ? null : Date.parse(limits.value.expires_at),
    createdAt: key.created_at,
    revokedAt: key.revoked_at,
    openHolds: 0,
    heldAmount: 0n,
    spend,
  };
}

export function readIdempotency(row: Row): IdempotencyRow {
  const stored = idempotencyRowSchema.parse(row);
  return {
    keyId: stored.key_id,
    idempotencyKey: stored.idempotency_key,
    bodyHash: stored.body_hash,
    requestId: stored.request_id,
    failure: stored.needed === null ? null : { needed: BigInt(stored.needed), available: BigInt(stored.available ?? "0") },
    at: stored.at,
  };
}

/**
 * One queue message for an entry: its fields, amounts as text, with its facts and record as JSON. Those two are stored as JSON text
 * and put in as they are, so nothing is parsed to be sent.
 */
export function usageMessage(accountId: string, entry: Entry): string {
  const { facts, record, postings, ...rest } = entry;
  const head = JSON.stringify({ v: 1, account_id: accountId, ...rest });
  return `${head.slice(0, -1)},"postings":${postings},"facts":${facts ?? "null"},"record":${record ?? "null"}}`;
}
