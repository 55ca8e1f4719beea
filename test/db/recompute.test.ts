import { DatabaseSync } from "node:sqlite";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { INSERT_ENTRIES, INSERT_USAGE } from "../../db/entry-rows.ts";
import { RECOMPUTE_ONE, RECOMPUTE_USAGE } from "../../db/recompute.ts";
import { parseWith } from "../../schema/json.ts";
import vectors from "../vectors/cost.json" with { type: "json" };
import { migrated } from "./migrated.ts";
import { usageMessage } from "./usage-message.ts";
import { entryRow } from "../../workers/queue/entry-row.ts";

const vectorSchema = z.looseObject({
  name: z.string(),
  fx_micro_rub_per_usd: z.union([z.number(), z.string()]),
  markup_bps: z.number(),
  expected: z.looseObject({ cost_micro_rub: z.string(), provider_cost_pico_usd: z.string(), flagged: z.string().nullable() }),
});
const checked = parseWith(z.array(vectorSchema), JSON.stringify(vectors.vectors));
if (!checked.ok) throw new Error(checked.message);
const cases = checked.value.filter((vector) => !(vector.expected.flagged ?? "").includes("cost_above_range"));

describe("the SQL that recomputes a cost", () => {
  test(`gives every one of the ${cases.length} vectors within range, to the micro-RUB`, () => {
    const statement = new DatabaseSync(":memory:").prepare(RECOMPUTE_ONE);
    const wrong = cases.flatMap((vector) => {
      const rate = BigInt(vector.fx_micro_rub_per_usd) * BigInt(10_000 + vector.markup_bps);
      const row = statement.get(vector.expected.provider_cost_pico_usd, rate.toString());
      return row?.["cost"] === vector.expected.cost_micro_rub ? [] : [vector.name];
    });
    expect(wrong).toEqual([]);
    expect(cases.length).toBeGreaterThan(250);
  });

  test("finds nothing in honest rows and exactly the row that was falsified", () => {
    const database = migrated();
    const rows = [1, 2, 3].map((seq) => entryRow(usageMessage(seq)));
    database.prepare(INSERT_ENTRIES).run(JSON.stringify(rows.map((row) => row.entry)));
    database.prepare(INSERT_USAGE).run(JSON.stringify(rows.map((row) => row.usage)));
    expect(database.prepare(RECOMPUTE_USAGE).all()).toEqual([]);
    database.exec("UPDATE usage SET cost_micro_rub = cost_micro_rub + 1 WHERE seq = 2");
    expect(
      database
        .prepare(RECOMPUTE_USAGE)
        .all()
        .map((row) => row["seq"]),
    ).toEqual([2]);
  });
});

describe("rows in D1", () => {
  test("are counted once in the rollup, however often they come", () => {
    const database = migrated();
    const row = entryRow(usageMessage(1));
    database.prepare(INSERT_ENTRIES).run(JSON.stringify([row.entry]));
    const usage = JSON.stringify([row.usage]);
    for (let time = 0; time < 3; time++) database.prepare(INSERT_USAGE).run(usage);
    expect(database.prepare("SELECT requests, charged_micro_rub FROM usage_day").all()).toEqual([{ requests: 1, charged_micro_rub: 4399 }]);
  });

  test("keep amounts above 2^53 exact", () => {
    const database = migrated();
    const { entry } = entryRow({ ...usageMessage(1), amount_micro_rub: "-9007199254740991", postings: [] });
    database.prepare(INSERT_ENTRIES).run(JSON.stringify([{ ...entry, balance_after_micro_rub: "9223372036854775807" }]));
    expect(database.prepare("SELECT CAST(balance_after_micro_rub AS TEXT) AS balance FROM entry").get()).toEqual({
      balance: "9223372036854775807",
    });
  });
});
