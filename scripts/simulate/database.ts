/** D1 on Node's SQLite: each call is under way until the run lets it happen, and may fail before or after it was done. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Life } from "./object-host.ts";
import { ROOT } from "./product.ts";
import type { Schedule } from "./schedule.ts";
import { Statements } from "./storage.ts";

type Value = string | number | null;

/** What the next calls meet: an error before anything was done, or after all of it was. */
export interface Faults {
  before: number;
  after: number;
}

interface Result {
  success: true;
  results: Record<string, unknown>[];
  meta: { changes: number };
}

let migrations: string | null = null;

function migrationText(): string {
  if (migrations !== null) return migrations;
  const folder = join(ROOT, "db/migrations");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  migrations = files
    .toSorted()
    .map((name) => readFileSync(join(folder, name), "utf8"))
    .join("\n");
  return migrations;
}

/** An empty database with every migration applied. */
export function openDatabase(): Statements {
  const statements = new Statements();
  statements.database.exec(migrationText());
  return statements;
}

export interface DatabaseWiring {
  statements: Statements;
  schedule: Schedule;
  faults: Faults;
  life: Life;
  /** Called after each commit that may have changed something. */
  changed: () => void;
  failed: (how: "before" | "after") => void;
}

/** The binding as whoever lives `life` sees it. */
export function databaseBinding(wiring: DatabaseWiring): object {
  const statementOf = (query: string, bound: Value[]): object => ({
    query,
    bound,
    bind: (...values: Value[]) => statementOf(query, values),
    all: () => call(wiring, () => ran(wiring.statements, query, bound)),
    run: () => call(wiring, () => ran(wiring.statements, query, bound)),
    first: () => call(wiring, () => ran(wiring.statements, query, bound).results[0] ?? null),
  });
  return {
    prepare: (query: string) => statementOf(query, []),
    batch: (statements: { query: string; bound: Value[] }[]) =>
      call(wiring, () => statements.map(({ query, bound }) => ran(wiring.statements, query, bound))),
  };
}

function ran(statements: Statements, query: string, bound: Value[]): Result {
  const statement = statements.prepare(query);
  if (/^\s*(SELECT|WITH)\b/.test(query)) return { success: true, results: statement.all(...bound), meta: { changes: 0 } };
  return { success: true, results: [], meta: { changes: Number(statement.run(...bound).changes) } };
}

/** One call: all of it in one transaction, at the time the run chooses. */
function call<T>({ statements, schedule, faults, life, changed, failed }: DatabaseWiring, work: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const refuse = (how: "before" | "after", message: string): void => {
      failed(how);
      if (life.wake()) reject(new Error(message));
    };
    schedule.push("d1", () => {
      if (faults.before > 0) {
        faults.before -= 1;
        refuse("before", "D1_ERROR: D1 DB is overloaded");
        return;
      }
      const { database } = statements;
      let value: T;
      database.exec("BEGIN");
      try {
        value = work();
        database.exec("COMMIT");
      } catch (error) {
        database.exec("ROLLBACK");
        if (life.wake()) reject(error instanceof Error ? error : new Error(String(error)));
        return;
      }
      changed();
      if (faults.after > 0) {
        faults.after -= 1;
        refuse("after", "D1_ERROR: Network connection lost");
        return;
      }
      if (life.wake()) resolve(value);
    });
  });
}
