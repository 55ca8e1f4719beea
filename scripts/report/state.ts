/**
 * The facts of a report from the state folder of a system that is not running: the database's own file through the same SQL, and the
 * accounts' files for their open holds and balances. Everything is opened for reading only; nothing is started and nothing changes.
 */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { accountSums, type ReadTogether } from "../../db/report.ts";
import { configDocumentSchema } from "../../schema/document.ts";
import { parseJson, parseWith } from "../../schema/json.ts";
import { accountOfKeyId } from "../../schema/key.ts";
import { type AccountFacts, openHoldSchema, type RatesInForce } from "../../schema/report.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { FX_POLICY } from "../../workers/cost/exchange-rate.ts";
import { parsePriceDocument } from "../../workers/cost/price.ts";

const ENDLESS = Number.MAX_SAFE_INTEGER;
const accountSchema = z.object({ id: z.string(), name: z.string() });
const keySchema = z.object({ key_id: z.string() });
const lastSchema = z.object({ seq: z.number().int(), balance_micro_rub: z.string() });
const bodySchema = z.object({ body: z.string() });

const HOLDS = `SELECT request_id, key_id, model, CAST(amount AS TEXT) AS hold_micro_rub, created_at, expires_at FROM hold
  WHERE state = 'HELD' AND created_at <= CAST(? AS INTEGER) ORDER BY id`;
const LAST = "SELECT seq, CAST(balance_after AS TEXT) AS balance_micro_rub FROM entry ORDER BY seq DESC LIMIT 1";
const DOCUMENT = "SELECT body FROM document WHERE kind = ? ORDER BY number DESC LIMIT 1";

export async function factsOfState(folder: string, asOf: number | null): Promise<{ rates: RatesInForce; accounts: AccountFacts[] }> {
  const databases = openAll(join(folder, "resources/d1/miniflare-D1DatabaseObject")).filter((database) =>
    hasTable(database, "archive_part"),
  );
  const main = databases.find((database) => database.prepare("SELECT 1 FROM account LIMIT 1").get() !== undefined) ?? databases[0];
  if (main === undefined) throw new Error(`${folder} is not the state folder of a system that was started once`);
  const objects = openAll(join(folder, "resources/do/plyrum-AccountDO")).filter((database) => hasTable(database, "hold"));
  try {
    const known = objectFacts(objects, asOf ?? ENDLESS);
    const accounts: AccountFacts[] = [];
    for (const { id, name } of z.array(accountSchema).parse(main.prepare("SELECT id, name FROM account ORDER BY id").all())) {
      const sums = await accountSums(databases.map(reading), id, asOf ?? ENDLESS);
      if (sums === null)
        throw new Error(`a part of the archive of ${id} goes beyond --as-of; name an instant after the last archived month`);
      accounts.push({ account_id: id, name, ...sums, ...(known.get(id) ?? { holds: [], ledger: null }) });
    }
    return { rates: ratesOf(main), accounts };
  } finally {
    for (const database of [...databases, ...objects]) database.close();
  }
}

function openAll(folder: string): DatabaseSync[] {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder).filter((name) => name.endsWith(".sqlite") && name !== "metadata.sqlite");
  return files.toSorted().map((name) => new DatabaseSync(join(folder, name), { readOnly: true }));
}

function hasTable(database: DatabaseSync, name: string): boolean {
  return database.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

/** Nothing else writes meanwhile, so one after the other is at one instant. */
function reading(database: DatabaseSync): ReadTogether {
  return async (statements, ...values) => statements.map((sql) => database.prepare(sql).all(...values));
}

/** Open holds and last balance by account. An object's file has no name; its keys say whose it is. */
function objectFacts(objects: readonly DatabaseSync[], asOf: number): Map<string, Pick<AccountFacts, "holds" | "ledger">> {
  const facts = new Map<string, Pick<AccountFacts, "holds" | "ledger">>();
  for (const object of objects) {
    const key = keySchema.safeParse(object.prepare("SELECT key_id FROM account_key LIMIT 1").get());
    const accountId = key.success ? accountOfKeyId(key.data.key_id) : null;
    if (accountId === null) continue;
    const last = lastSchema.safeParse(object.prepare(LAST).get());
    facts.set(accountId, {
      holds: z.array(openHoldSchema).parse(object.prepare(HOLDS).all(String(asOf))),
      ledger: last.success ? last.data : { seq: 0, balance_micro_rub: "0" },
    });
  }
  return facts;
}

function ratesOf(main: DatabaseSync): RatesInForce {
  const stored = bodySchema.safeParse(main.prepare(DOCUMENT).get("prices"));
  const parsed = stored.success ? parseJson(stored.data.body) : ({ ok: true, value: catalogue } as const);
  const prices = parsed.ok ? parsePriceDocument(parsed.value) : parsed;
  if (!prices.ok) throw new Error(`the stored prices are unreadable: ${prices.message}`);
  const put = bodySchema.safeParse(main.prepare(DOCUMENT).get("config"));
  const config = put.success ? parseWith(configDocumentSchema, put.data.body) : null;
  const { max_age_days, stale } = (config?.ok === true ? config.value.fx : undefined) ?? FX_POLICY;
  return { prices_version: prices.value.version, ...prices.value.fx, policy: { max_age_days, stale } };
}
