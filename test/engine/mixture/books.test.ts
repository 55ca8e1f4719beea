/** The books of an ensemble: shares that sum to the charge, caps that hold, and a row in D1 that SQL alone can recompute. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { INSERT_ENTRIES, INSERT_USAGE } from "../../../db/entry-rows.ts";
import { RECOMPUTE_USAGE } from "../../../db/recompute.ts";
import type { LegProgress } from "../../../schema/ensemble.ts";
import { requestRecordSchema } from "../../../schema/message.ts";
import type { Plan } from "../../../schema/plan.ts";
import type { PriceSnapshot } from "../../../schema/price.ts";
import { UNKNOWN_USAGE } from "../../../schema/usage.ts";
import { costOfLegs } from "../../../workers/cost/legs.ts";
import { ensembleBounds } from "../../../workers/engine/mixture/bounds.ts";
import { planMixture } from "../../../workers/engine/mixture/plan-mixture.ts";
import { settleLegs } from "../../../workers/engine/mixture/settle-legs.ts";
import { entryRow } from "../../../workers/queue/entry-row.ts";
import { migrated } from "../../db/migrated.ts";
import { usageMessage } from "../../db/usage-message.ts";

const record = requestRecordSchema.parse(usageMessage(1).record);
const cheap: PriceSnapshot = record.snapshot;
const dear: PriceSnapshot = { ...cheap, price_key: "beta/two", prices: { ...cheap.prices, input: "3000000", output: "15000001" } };
const SNAPSHOTS = [cheap, dear];
const snapshotOf = (index: number): PriceSnapshot => SNAPSHOTS[index] ?? expect.unreachable();
const measure = { text_bytes: 400, blocks: 2, images: 0, file_bytes: 0, files_unsized: 0 };
const CAP = 100;

const ensemble = planMixture({
  proposers: [
    { attempt: 0, outputTokensMax: CAP },
    { attempt: 1, outputTokensMax: CAP },
  ],
  spare: null,
  aggregator: { attempt: 1, outputTokensMax: CAP },
  second: null,
  direct: { attempt: 1, outputTokensMax: CAP },
  quorum: null,
  deadlineMilliseconds: null,
  seed: 1,
});
const attempt = {
  model: "one",
  protocol: "openai-chat" as const,
  url: "http://a.test",
  auth: { kind: "bearer" as const },
  headers: {},
  passed_headers: [],
  abort_stops_billing: true,
  quirks: {},
};
const plan: Plan = {
  version: 1,
  model: "moa/two",
  reason: "ensemble",
  attempts: [
    { ...attempt, provider: "alpha", slug: "alpha/one" },
    { ...attempt, provider: "beta", slug: "beta/two" },
  ],
  output_tokens_max: CAP,
  ensemble,
};

function leg(node: string, index: number, change: Partial<LegProgress> = {}): LegProgress {
  return {
    node,
    attempt: index,
    state: "answered",
    phase: "content",
    usage: { ...UNKNOWN_USAGE, input_tokens: 40, output_tokens: 30 },
    usage_final: true,
    output_characters: 90,
    added_bytes: 0,
    cut: null,
    finish_reason: "stop",
    error_code: null,
    ...change,
  };
}

describe("the cost of several calls", () => {
  test("is the exact sum rounded up once, and the shares are whole, fair and sum to it", () => {
    const usage = fc.record({ input: fc.nat(1_000_000), output: fc.nat(1_000_000), dear: fc.boolean(), owed: fc.boolean() });
    fc.assert(
      fc.property(fc.array(usage, { minLength: 1, maxLength: 16 }), (calls) => {
        const cost = costOfLegs(
          calls.map((each) => ({
            snapshot: each.dear ? dear : cheap,
            usage: each.owed ? { ...UNKNOWN_USAGE, input_tokens: each.input, output_tokens: each.output } : null,
          })),
        );
        const exact = cost.legs.reduce((sum, each) => sum + each.providerCostPicoUsd, 0n);
        expect(BigInt(cost.providerCostPicoUsd)).toBe(exact);
        expect(cost.legs.reduce((sum, each) => sum + BigInt(each.costMicroRub), 0n)).toBe(BigInt(cost.costMicroRub));
        for (const [index, each] of cost.legs.entries()) {
          const share = exact === 0n ? 0n : (BigInt(cost.costMicroRub) * each.providerCostPicoUsd) / exact;
          expect(BigInt(each.costMicroRub) - share).toBeOneOf([0n, 1n]);
          if (calls[index]?.owed === false) expect(each.providerCostPicoUsd).toBe(0n);
        }
      }),
      { numRuns: 200 },
    );
  });

  test("refuses calls that were priced at different rates", () => {
    const other = { ...cheap, fx_micro_rub_per_usd: "1" };
    expect(() =>
      costOfLegs([
        { snapshot: cheap, usage: null },
        { snapshot: other, usage: null },
      ]),
    ).toThrow(/different rates/);
  });
});

describe("a settlement", () => {
  const settle = (legs: LegProgress[], stream = true): ReturnType<typeof settleLegs> =>
    settleLegs(legs, { plan, measure, stream }, snapshotOf);

  test("charges what each call used and nothing for one that was never answered", () => {
    const silent = leg("proposer-2", 1, {
      state: "failed",
      phase: "no-answer",
      usage: UNKNOWN_USAGE,
      usage_final: false,
      output_characters: 0,
    });
    const { charge, legs } = settle([leg("proposer-1", 0), silent, leg("aggregator", 1)]);
    expect(charge).toMatchObject({ usage: { input_tokens: 80, output_tokens: 60 }, usage_source: "provider", flagged: null });
    expect(legs.map((each) => each.usage_source)).toEqual(["provider", null, "provider"]);
    expect(legs[1]).toMatchObject({ usage: null, cost_micro_rub: "0" });
  });

  test("of calls that were all refused is a release", () => {
    const refused = leg("proposer-1", 0, { phase: "refused", usage: UNKNOWN_USAGE, usage_final: false, output_characters: 0 });
    expect(settle([refused])).toMatchObject({ charge: null, reason: "refused" });
    expect(settle([])).toMatchObject({ charge: null, reason: "no_answer" });
  });

  test("stays within a proposer's cap, whatever its provider counts, and within the answer's where that does not stream", () => {
    const absurd = { usage: { ...UNKNOWN_USAGE, input_tokens: 40, output_tokens: 9_000, reasoning_tokens: 8_000 } };
    const proposer = settle([leg("proposer-1", 0, absurd)]);
    expect(proposer.charge).toMatchObject({
      usage: { output_tokens: CAP, reasoning_tokens: CAP },
      usage_source: "cut",
      flagged: "cap_ignored",
    });
    expect(settle([leg("aggregator", 1, absurd)], false).charge).toMatchObject({ usage: { output_tokens: CAP } });
    // A stream has shown its caller all of it, and its hold has grown with it.
    expect(settle([leg("aggregator", 1, absurd)], true).charge).toMatchObject({ usage: { output_tokens: 9_000 } });
  });

  test("never exceeds what was held, whatever calls of the plan were made within their caps", () => {
    const used = fc.record({ output: fc.integer({ min: 0, max: CAP }), characters: fc.nat(CAP * 6), isFinal: fc.boolean() });
    const { hold_micro_rub } = ensembleBounds(ensemble, SNAPSHOTS, measure);
    fc.assert(
      fc.property(fc.tuple(used, used, used), ([one, two, three]) => {
        const of = (node: string, index: number, each: typeof one): LegProgress =>
          leg(node, index, {
            usage: each.isFinal ? { ...UNKNOWN_USAGE, input_tokens: 140, output_tokens: each.output } : UNKNOWN_USAGE,
            usage_final: each.isFinal,
            output_characters: each.characters,
            added_bytes: node === "aggregator" ? 2 * CAP * 6 : 0,
          });
        const { charge } = settle([of("proposer-1", 0, one), of("proposer-2", 1, two), of("aggregator", 1, three)], false);
        expect(BigInt(charge?.cost_micro_rub ?? 0)).toBeLessThanOrEqual(BigInt(hold_micro_rub));
      }),
    );
  });

  test("is a row that SQL alone recomputes from its calls, and a falsified call is found", () => {
    const { charge, legs } = settle([
      leg("proposer-1", 0),
      leg("proposer-2", 1, { state: "lost", usage_final: false }),
      leg("aggregator", 1),
    ]);
    if (charge === null) return expect.unreachable();
    const message = usageMessage(1);
    const { usage, usage_source, cost_micro_rub, provider_cost_pico_usd, flagged } = charge;
    const facts = { usage, usage_source, cost_micro_rub, provider_cost_pico_usd, flagged };
    const row = entryRow({ ...message, facts, record: { ...record, ...facts, model: "moa/two", legs, degraded: null } });
    const database = migrated();
    database.prepare(INSERT_ENTRIES).run(JSON.stringify([row.entry]));
    database.prepare(INSERT_USAGE).run(JSON.stringify([row.usage]));
    expect(database.prepare("SELECT node, state, usage_source FROM usage_leg ORDER BY leg").all()).toEqual([
      { node: "proposer-1", state: "answered", usage_source: "provider" },
      { node: "proposer-2", state: "lost", usage_source: "estimated" },
      { node: "aggregator", state: "answered", usage_source: "provider" },
    ]);
    expect(database.prepare(RECOMPUTE_USAGE).all()).toEqual([]);
    for (const falsified of ["output_tokens = output_tokens + 1", "cost_micro_rub = cost_micro_rub - 1", "output_pico_usd = 1"]) {
      database.exec(`SAVEPOINT before; UPDATE usage_leg SET ${falsified} WHERE leg = 2`);
      expect(database.prepare(RECOMPUTE_USAGE).all()).toHaveLength(1);
      database.exec("ROLLBACK TO before; RELEASE before");
    }
    database.exec("DELETE FROM usage");
    expect(database.prepare("SELECT count(*) AS left FROM usage_leg").get()).toEqual({ left: 0 });
  });
});
