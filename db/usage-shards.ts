/**
 * The databases that keep usage rows, as the bindings of this deployment: which one a row belongs in, which ones to ask for an account.
 * A deployment without `USAGE_n` bindings has one, and no map is read.
 */
import { parseWith } from "../schema/json.ts";
import { LIMITS } from "../schema/limits.ts";
import { monthOf, ONE_DATABASE, type ShardMap, shardMapSchema, shardOf, shardsNamed, shardsOf } from "../schema/shard.ts";
import { insertDocument, latestDocument } from "./documents.ts";

export interface UsageShards {
  map: ShardMap;
  /** Every database, `DB` first. */
  all: readonly D1Database[];
  /** Every database that may hold rows of this account. */
  of: (accountId: string) => readonly D1Database[];
  /** The database of an entry of that instant, in milliseconds. */
  at: (accountId: string, at: number) => D1Database;
}

interface ShardBindings {
  DB: D1Database;
}

let cached: { map: ShardMap; readAt: number } | null = null;

export async function usageShards(env: ShardBindings): Promise<UsageShards> {
  return shardsBy(await currentMap(env), env);
}

/** Names of the databases that are bound here. */
export function boundDatabases(env: ShardBindings): string[] {
  return ["DB", ...Object.keys(env).filter((name) => /^USAGE_\d+$/.test(name))];
}

async function currentMap(env: ShardBindings): Promise<ShardMap> {
  if (boundDatabases(env).length === 1) return ONE_DATABASE;
  if (cached === null || Date.now() - cached.readAt > LIMITS.shardMapCacheMilliseconds)
    cached = { map: await readShardMap(env.DB), readAt: Date.now() };
  return cached.map;
}

/** The map in force. */
export async function readShardMap(database: D1Database): Promise<ShardMap> {
  const stored = await latestDocument(database, "shards");
  if (stored === null) return ONE_DATABASE;
  const parsed = parseWith(shardMapSchema, stored.body);
  if (!parsed.ok) throw new Error(`the stored shard map is unreadable: ${parsed.message}`);
  return parsed.value;
}

/** Puts a map in force that was checked against the one before it; elsewhere it counts within the cache's life, long before its first month. */
export async function storeShardMap(database: D1Database, map: ShardMap, now: number): Promise<void> {
  await insertDocument(database, "shards", JSON.stringify(map), now);
  cached = null;
}

function shardsBy(map: ShardMap, env: ShardBindings): UsageShards {
  const bound = (name: string): D1Database => {
    const database: unknown = Reflect.get(env, name);
    if (!isDatabase(database)) throw new Error(`the shard map names ${name}, which is not bound`);
    return database;
  };
  return {
    map,
    all: shardsNamed(map).map(bound),
    of: (accountId) => shardsOf(map, accountId).map(bound),
    at: (accountId, at) => bound(shardOf(map, accountId, monthOf(at))),
  };
}

function isDatabase(value: unknown): value is D1Database {
  return typeof value === "object" && value !== null && "prepare" in value && "batch" in value;
}
