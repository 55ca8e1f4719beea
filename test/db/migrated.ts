/** An empty database in memory with all the tables of db/migrations. */
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

const folder = new URL("../../db/migrations/", import.meta.url);

export function migrated(): DatabaseSync {
  const database = new DatabaseSync(":memory:");
  const files = readdirSync(folder).filter((name) => name.endsWith(".sql"));
  for (const name of files.toSorted()) database.exec(readFileSync(new URL(name, folder), "utf8"));
  return database;
}
