/**
 * The rows of an account's limits: the account's own, the buckets of rates, and the rates of tokens that each open hold took from. As
 * everywhere in the ledger, integers are bound as text.
 */
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { type AccountLimits, accountLimitsSchema, NO_ACCOUNT_LIMITS } from "../../schema/rate.ts";
import { NO_SPEND } from "../ledger/key-limits.ts";
import type { Bucket, NamedRate, Spend } from "../ledger/state.ts";
import type { LedgerStorage } from "./ledger-rows.ts";

const TABLES = `
CREATE TABLE IF NOT EXISTS account_limit (id INTEGER PRIMARY KEY CHECK (id = 1), limits TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS rate_bucket (
  name TEXT PRIMARY KEY, units INTEGER NOT NULL, at INTEGER NOT NULL, rate INTEGER NOT NULL, period INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hold_rate (request_id TEXT PRIMARY KEY, rates TEXT NOT NULL) STRICT, WITHOUT ROWID;
`;

const SQL = {
  limits: "SELECT limits FROM account_limit WHERE id = 1",
  writeLimits: "INSERT INTO account_limit (id, limits) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET limits = excluded.limits",
  changeKey: "UPDATE account_key SET name = ?, limits = ? WHERE key_id = ?",
  buckets: 'SELECT name, units, at, rate AS "limit", period FROM rate_bucket',
  writeBuckets: `INSERT INTO rate_bucket (name, units, at, rate, period)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?) WHERE true
    ON CONFLICT (name) DO UPDATE SET units = excluded.units, at = excluded.at, rate = excluded.rate, period = excluded.period`,
  deleteBuckets: "DELETE FROM rate_bucket WHERE name IN (SELECT value FROM json_each(?))",
  spend: `SELECT day, CAST(day_amount AS TEXT) AS day_amount, month, CAST(month_amount AS TEXT) AS month_amount FROM key_spend WHERE key_id = ?`,
  writeSpend: `INSERT INTO key_spend (key_id, day, day_amount, month, month_amount) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key_id)
    DO UPDATE SET day = excluded.day, day_amount = excluded.day_amount, month = excluded.month, month_amount = excluded.month_amount`,
  heldRates: "SELECT request_id, rates FROM hold_rate",
  insertHeldRates: "INSERT INTO hold_rate (request_id, rates) VALUES (?, ?)",
  deleteHeldRates: "DELETE FROM hold_rate WHERE request_id = ?",
  charges: `SELECT hold.key_id, entry.at, CAST(-entry.amount AS TEXT) AS amount FROM entry JOIN hold ON hold.request_id = entry.request_id
    WHERE entry.amount <> 0 ORDER BY entry.seq DESC`,
} as const;

const count = z.number().int();
const limitsRowSchema = z.object({ limits: z.string() });
const bucketRowSchema = z.object({ name: z.string(), units: count, at: count, limit: count, period: count });
const spendRowSchema = z.object({ day: z.string(), day_amount: z.string(), month: z.string(), month_amount: z.string() });
const heldRatesRowSchema = z.object({ request_id: z.string(), rates: z.string() });
const ratesSchema = z.array(z.object({ name: z.string(), limit: count, period: count }));
const chargeRowSchema = z.object({ key_id: z.string(), at: count, amount: z.string() });

export interface Charge {
  keyId: string;
  at: number;
  amount: bigint;
}

export class LimitRows {
  readonly #sql: LedgerStorage["sql"];

  constructor(sql: LedgerStorage["sql"]) {
    this.#sql = sql;
    sql.exec(TABLES);
  }

  limits(): AccountLimits {
    const row = this.#sql.exec(SQL.limits).toArray()[0];
    if (row === undefined) return NO_ACCOUNT_LIMITS;
    const limits = parseWith(accountLimitsSchema, limitsRowSchema.parse(row).limits);
    if (!limits.ok) throw new Error(`limits of the account are not readable: ${limits.message}`);
    return limits.value;
  }

  writeLimits(limits: AccountLimits): void {
    this.#sql.exec(SQL.writeLimits, JSON.stringify(limits));
  }

  changeKey(key: { keyId: string; name: string; limits: AccountLimits }): void {
    this.#sql.exec(SQL.changeKey, key.name, JSON.stringify(key.limits), key.keyId);
  }

  /** What a key, or the account itself, was charged; nothing where it was never counted. */
  spend(name: string): Spend {
    const row = this.#sql.exec(SQL.spend, name).toArray()[0];
    if (row === undefined) return NO_SPEND;
    const { day, day_amount, month, month_amount } = spendRowSchema.parse(row);
    return { day, dayAmount: BigInt(day_amount), month, monthAmount: BigInt(month_amount) };
  }

  writeSpends(spends: ReadonlyMap<string, Spend>): void {
    for (const [name, { day, dayAmount, month, monthAmount }] of spends)
      this.#sql.exec(SQL.writeSpend, name, day, String(dayAmount), month, String(monthAmount));
  }

  buckets(): Map<string, Bucket> {
    const buckets = new Map<string, Bucket>();
    for (const row of this.#sql.exec(SQL.buckets)) {
      const { name, ...bucket } = bucketRowSchema.parse(row);
      buckets.set(name, bucket);
    }
    return buckets;
  }

  writeBuckets(buckets: ReadonlyMap<string, Bucket>): void {
    if (buckets.size === 0) return;
    const rows = [...buckets].map(([name, { units, at, limit, period }]) => [name, units, at, limit, period]);
    this.#sql.exec(SQL.writeBuckets, JSON.stringify(rows));
  }

  deleteBuckets(names: readonly string[]): void {
    this.#sql.exec(SQL.deleteBuckets, JSON.stringify(names));
  }

  /** Of every open hold that took from rates of tokens, by its request. */
  heldRates(): Map<string, NamedRate[]> {
    const held = new Map<string, NamedRate[]>();
    for (const row of this.#sql.exec(SQL.heldRates)) {
      const { request_id, rates } = heldRatesRowSchema.parse(row);
      const parsed = parseWith(ratesSchema, rates);
      if (!parsed.ok) throw new Error(`rates of the hold ${request_id} are not readable: ${parsed.message}`);
      held.set(request_id, parsed.value);
    }
    return held;
  }

  insertHeldRates(requestId: string, rates: readonly NamedRate[]): void {
    this.#sql.exec(SQL.insertHeldRates, requestId, JSON.stringify(rates));
  }

  deleteHeldRates(requestId: string): void {
    this.#sql.exec(SQL.deleteHeldRates, requestId);
  }

  /** What requests were charged, the latest first; one at a time, so that whoever reads may stop. */
  *charges(): Generator<Charge> {
    for (const row of this.#sql.exec(SQL.charges)) {
      const { key_id, at, amount } = chargeRowSchema.parse(row);
      yield { keyId: key_id, at, amount: BigInt(amount) };
    }
  }
}
