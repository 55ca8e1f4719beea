/**
 * An object's SQLite storage on Node's own SQLite, with the two habits of the real one that matter here: bound numbers would be REAL
 * (so none may be bound at all), and a failed `transactionSync` leaves nothing. A statement can be told to fail, as a crash would.
 */
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import type { LedgerCursor, LedgerStorage } from "../../workers/durable/ledger-rows.ts";

export class FakeStorage implements LedgerStorage {
  readonly #database = new DatabaseSync(":memory:");
  /** Statements until one throws; null for never. */
  failAfter: number | null = null;
  /** Statements run that write. */
  writes = 0;
  statements = 0;

  readonly sql = { exec: (query: string, ...bound: (string | null)[]): LedgerCursor => this.#exec(query, bound) };

  transactionSync<T>(closure: () => T): T {
    this.#database.exec("SAVEPOINT step");
    try {
      const result = closure();
      this.#database.exec("RELEASE step");
      return result;
    } catch (error) {
      this.#database.exec("ROLLBACK TO step; RELEASE step");
      throw error;
    }
  }

  /** Every row of every table, as text: equal dumps are equal databases. */
  dump(): string {
    const tables = [
      "account_key",
      "key_spend",
      "hold_snapshot",
      "hold",
      "entry",
      "idempotency",
      "incident",
      "recorded",
      "account_limit",
      "rate_bucket",
      "hold_rate",
    ];
    return tables.map((table) => JSON.stringify([table, this.#database.prepare(`SELECT * FROM ${table}`).all()])).join("\n");
  }

  /** Runs a statement past the fake's rules, as a test's own hand in the rows. */
  tamper(query: string): void {
    this.#database.exec(query);
  }

  rows(query: string): Record<string, unknown>[] {
    return this.#database.prepare(query).all();
  }

  #exec(query: string, bound: (string | null)[]): LedgerCursor {
    if (bound.some((value) => value !== null && typeof value !== "string")) throw new Error("only text and null may be bound");
    if (query.includes("CREATE TABLE")) {
      this.#database.exec(query);
      return cursorOf([], 0);
    }
    this.statements += 1;
    if (this.failAfter !== null) {
      if (this.failAfter === 0) {
        this.failAfter = null;
        throw new Error("injected storage failure");
      }
      this.failAfter -= 1;
    }
    const statement = this.#database.prepare(query);
    if (/^\s*SELECT/.test(query)) return cursorOf(statement.all(...bound), 0);
    this.writes += 1;
    return cursorOf([], Number(statement.run(...bound).changes));
  }
}

function cursorOf(rows: Record<string, unknown>[], rowsWritten: number): LedgerCursor {
  return {
    rowsWritten,
    toArray: () => rows,
    one: () => {
      const [row] = rows;
      if (row === undefined || rows.length !== 1) throw new Error(`expected one row, got ${rows.length}`);
      return row;
    },
    [Symbol.iterator]: () => rows[Symbol.iterator](),
  };
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
