/** Brings the local D1 database to the tables of db/migrations, recorded in `d1_migrations` exactly as `wrangler d1 migrations apply` does. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Miniflare } from "miniflare";
import { unstable_splitSqlQuery as splitSqlQuery } from "wrangler";
import { z } from "zod";

const appliedSchema = z.array(z.looseObject({ name: z.string() }));

/** Applies what is missing, each file in one transaction with its record, and returns the names of the files applied. */
export async function applyMigrations(miniflare: Miniflare, binding: string, folder: string): Promise<string[]> {
  const files = existsSync(folder)
    ? readdirSync(folder)
        .filter((name) => name.endsWith(".sql"))
        .toSorted()
    : [];
  if (files.length === 0) return [];
  const database = await miniflare.getD1Database(binding);
  await database
    .prepare(
      "CREATE TABLE IF NOT EXISTS d1_migrations(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, " +
        "applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)",
    )
    .run();
  const { results } = await database.prepare("SELECT name FROM d1_migrations").all();
  const applied = new Set(appliedSchema.parse(results).map((row) => row.name));
  const missing = files.filter((name) => !applied.has(name));
  for (const name of missing) {
    const statements = splitSqlQuery(readFileSync(join(folder, name), "utf8")).map((sql) => database.prepare(sql));
    await database.batch([...statements, database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name)]);
  }
  return missing;
}
