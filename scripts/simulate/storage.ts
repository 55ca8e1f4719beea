/**
 * An object's SQLite as the platform offers it, on Node's: only text and null are bound (a bound number would arrive as REAL), what a
 * failed `transactionSync` wrote is gone, a stale instance's storage refuses everything, and there is a failpoint before and after each
 * commit and before each statement that writes.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";

/** The object died here: thrown through the product's code, whose storage is gone from then on. */
export class Crash extends Error {
  constructor() {
    super("the object died");
  }
}

export interface StorageWiring {
  database: Statements;
  /** False: another instance has taken over, or none. */
  isAlive: () => boolean;
  /** Throws `Crash` where the run wants one. */
  failpoint: (where: Failpoint) => void;
  alarm: { get: () => number | null; set: (at: number | null) => void };
}

export type Failpoint = "call" | "answer" | "statement" | "before commit" | "after commit" | "woken";

export interface DatabaseCopy {
  schema: Record<string, unknown>[];
  rows: Record<string, Record<string, unknown>[]>;
}

/** One database with its statements prepared once. */
export class Statements {
  readonly database = new DatabaseSync(":memory:");
  readonly #prepared = new Map<string, StatementSync>();

  prepare(query: string): StatementSync {
    const known = this.#prepared.get(query);
    if (known !== undefined) return known;
    const prepared = this.database.prepare(query);
    this.#prepared.set(query, prepared);
    return prepared;
  }

  all(query: string, ...bound: (string | number | null)[]): Record<string, unknown>[] {
    return this.prepare(query).all(...bound);
  }

  one(query: string, ...bound: (string | number | null)[]): Record<string, unknown> {
    return this.prepare(query).get(...bound) ?? {};
  }

  /** Rows changed since the database was opened. */
  changes(): number {
    return Number(this.one("SELECT total_changes() AS changes")["changes"]);
  }

  /** A copy of everything in it. */
  copy(): DatabaseCopy {
    const schema = this.all("SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'");
    const tables = schema.filter((row) => row["type"] === "table").map((row) => String(row["name"]));
    return { schema, rows: Object.fromEntries(tables.map((name) => [name, this.all(`SELECT * FROM ${name} ORDER BY 1, 2`)])) };
  }

  /** A database like the one that was copied. */
  static from(copy: DatabaseCopy): Statements {
    const statements = new Statements();
    for (const type of ["table", "index"]) statements.#create(copy, type);
    statements.#fill(copy);
    statements.#create(copy, "trigger");
    return statements;
  }

  /** Everything is as it was when it was copied. */
  putBack(copy: DatabaseCopy): void {
    for (const row of copy.schema) if (row["type"] === "trigger") this.database.exec(`DROP TRIGGER ${String(row["name"])}`);
    for (const name of Object.keys(copy.rows)) this.database.exec(`DELETE FROM ${name}`);
    this.#fill(copy);
    this.#create(copy, "trigger");
  }

  #create(copy: DatabaseCopy, type: string): void {
    for (const row of copy.schema) if (row["type"] === type) this.database.exec(String(row["sql"]));
  }

  #fill(copy: DatabaseCopy): void {
    for (const [name, rows] of Object.entries(copy.rows)) {
      for (const row of rows) {
        const columns = Object.keys(row);
        const bound = columns
          .map((column) => row[column])
          .map((value) => (typeof value === "number" || value === null ? value : String(value)));
        this.prepare(`INSERT INTO ${name} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`).run(...bound);
      }
    }
  }

  close(): void {
    this.#prepared.clear();
    this.database.close();
  }
}

/** What `context.storage` is to the product. */
export function objectStorage(wiring: StorageWiring): object {
  const { database } = wiring.database;
  let depth = 0;
  const alive = (): void => {
    if (!wiring.isAlive()) throw new Error("this instance is stale: its storage is gone");
  };
  const exec = (query: string, ...bound: unknown[]): object => {
    alive();
    if (!isBindable(bound)) throw new TypeError("only text and null may be bound here");
    if (/^\s*(CREATE|DROP)\b/.test(query)) {
      database.exec(query);
      return cursorOf([], 0);
    }
    const statement = wiring.database.prepare(query);
    if (/^\s*(SELECT|WITH)\b/.test(query)) return cursorOf(statement.all(...bound), 0);
    wiring.failpoint(depth > 0 ? "statement" : "before commit");
    const { changes } = statement.run(...bound);
    if (depth === 0) wiring.failpoint("after commit");
    return cursorOf([], Number(changes));
  };
  const transactionSync = <T>(closure: () => T): T => {
    alive();
    database.exec(depth === 0 ? "BEGIN" : "SAVEPOINT inner_step");
    depth += 1;
    let result: T;
    try {
      result = closure();
      if (depth === 1) wiring.failpoint("before commit");
    } catch (error) {
      depth -= 1;
      database.exec(depth === 0 ? "ROLLBACK" : "ROLLBACK TO inner_step; RELEASE inner_step");
      throw error;
    }
    depth -= 1;
    database.exec(depth === 0 ? "COMMIT" : "RELEASE inner_step");
    if (depth === 0) wiring.failpoint("after commit");
    return result;
  };
  const setAlarm = (at: number | null): Promise<void> => {
    alive();
    wiring.alarm.set(at);
    return Promise.resolve();
  };
  return {
    sql: { exec },
    transactionSync,
    setAlarm,
    deleteAlarm: () => setAlarm(null),
    getAlarm: () => Promise.resolve(wiring.alarm.get()),
  };
}

function isBindable(bound: unknown[]): bound is (string | null)[] {
  return bound.every((value) => value === null || typeof value === "string");
}

function cursorOf(rows: Record<string, unknown>[], rowsWritten: number): object {
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
