/** The cost report is a function of its facts: its lines add up, its bytes are theirs alone, and a sum that does not agree is named. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalJson } from "../../scripts/report/canonical-json.ts";
import type { AccountFacts, UsageSums } from "../../schema/report.ts";
import { costReport, type ReportInputs } from "../../workers/cost/report.ts";
import type { ReportLine } from "../../workers/cost/report-lines.ts";

const AT = Date.UTC(2026, 10, 21, 12);
const rates: ReportInputs["rates"] = {
  prices_version: "v",
  micro_rub_per_usd: 90_000_000,
  source: "test",
  date: "2026-11-01",
  policy: { max_age_days: 14, stale: "warn" },
};

function sums(facts: Partial<UsageSums>): UsageSums {
  return {
    model: "alpha/one",
    provider: "alpha",
    key_id: "key_demo_1",
    kind: "settle",
    state: "settled",
    error_code: null,
    usage_source: "provider",
    evidence: "offline",
    fx_micro_rub_per_usd: "90000000",
    requests: "1",
    failed: "0",
    flagged: "0",
    attempts: "1",
    input_tokens: "10",
    cache_read_tokens: "0",
    cache_write_tokens: "0",
    output_tokens: "20",
    provider_cost_high: "0",
    provider_cost_low: "42500000",
    cost_micro_rub: "4399",
    charged_micro_rub: "4399",
    held_requests: "1",
    held_micro_rub: "8000",
    held_cost_micro_rub: "4399",
    above_hold: "0",
    last_at: AT,
    ...facts,
  };
}

function account(id: string, usage: UsageSums[], facts: Partial<AccountFacts> = {}): AccountFacts {
  const charges = usage.filter((row) => row.kind === "settle");
  const charged = charges.reduce((sum, row) => sum + BigInt(row.charged_micro_rub), 0n);
  const requests = charges.reduce((sum, row) => sum + Number(row.requests), 0);
  const released = usage.filter((row) => row.kind === "release").reduce((sum, row) => sum + Number(row.requests), 0);
  const entries = [
    { kind: "credit", entries: 1, amount_micro_rub: "1000000", last_at: AT - 1 },
    { kind: "settle", entries: requests, amount_micro_rub: String(-charged), last_at: AT },
    { kind: "release", entries: released, amount_micro_rub: "0", last_at: AT },
  ];
  const ledger = { seq: 1 + requests + released, balance_micro_rub: String(1_000_000n - charged) };
  return { account_id: id, name: id, entries, usage, holds: [], ledger, ...facts };
}

const DIMENSIONS = ["by_account", "by_key", "by_model", "by_provider"] as const;
type Summed = Exclude<keyof ReportLine, "name" | "provider_cost_pico_usd" | "margin_bps">;
const COLUMNS: Summed[] = [
  "requests",
  "failed",
  "flagged",
  "attempts",
  "input_tokens",
  "output_tokens",
  "cost_micro_rub",
  "charged_micro_rub",
  "provider_cost_micro_rub",
  "uncovered_micro_rub",
  "margin_micro_rub",
];

const anySums = fc
  .record({
    model: fc.constantFrom("alpha/one", "alpha/two", "beta/x"),
    provider: fc.constantFrom("alpha", "beta"),
    key_id: fc.constantFrom("key_demo_1", "key_demo_2"),
    fx: fc.integer({ min: 1, max: 200_000_000 }),
    high: fc.integer({ min: 0, max: 5_000 }),
    low: fc.integer({ min: 0, max: 999_999_999 }),
    cost: fc.integer({ min: 0, max: 1_000_000_000 }),
    paid: fc.integer({ min: 0, max: 100 }),
  })
  .map(({ model, provider, key_id, fx, high, low, cost, paid }) =>
    sums({
      model,
      provider,
      key_id,
      fx_micro_rub_per_usd: String(fx),
      provider_cost_high: String(high),
      provider_cost_low: String(low),
      cost_micro_rub: String(cost),
      charged_micro_rub: String(Math.floor((cost * paid) / 100)),
    }),
  );

describe("the lines of a report", () => {
  test("add up to the totals by every dimension, and the totals to the ledgers", () => {
    fc.assert(
      fc.property(fc.array(anySums, { maxLength: 12 }), fc.array(anySums, { maxLength: 12 }), (first, second) => {
        const accounts = [account("acc_00000001", first), account("acc_00000002", second)];
        const report = costReport({ asOf: AT, rates, accounts });
        for (const dimension of DIMENSIONS)
          for (const column of COLUMNS)
            expect(
              report[dimension].reduce((sum, line) => sum + line[column], 0),
              `${dimension} ${column}`,
            ).toBe(report.totals[column]);
        const ledger = report.ledger.filter((line) => line.kind === "settle").reduce((sum, line) => sum + line.amount_micro_rub, 0);
        expect(report.totals.charged_micro_rub + ledger).toBe(0);
        expect(report.checks.every((check) => check.ok)).toBe(true);
        const exact = [...first, ...second].reduce(
          (sum, row) =>
            sum + (BigInt(row.provider_cost_high) * 1_000_000_000n + BigInt(row.provider_cost_low)) * BigInt(row.fx_micro_rub_per_usd),
          0n,
        );
        const shown = BigInt(report.totals.provider_cost_micro_rub) * 10n ** 12n;
        expect(shown >= exact && shown - exact < 10n ** 12n).toBe(true);
      }),
    );
  });

  test("have the margin over the provider's cost, and none where nothing was spent", () => {
    const report = costReport({ asOf: AT, rates, accounts: [account("acc_00000001", [sums({})])] });
    // 42,500,000 pico-USD at 90 RUB are 3825 micro-RUB.
    expect(report.totals).toMatchObject({
      provider_cost_pico_usd: "42500000",
      provider_cost_micro_rub: 3825,
      margin_micro_rub: 574,
      margin_bps: 1500,
    });
    expect(costReport({ asOf: AT, rates, accounts: [] }).totals.margin_bps).toBeNull();
  });
});

describe("a report", () => {
  test("is the same bytes from the same facts, in whatever order they came", () => {
    fc.assert(
      fc.property(fc.array(anySums, { minLength: 1, maxLength: 8 }), fc.array(anySums, { maxLength: 8 }), (first, second) => {
        const accounts = [account("acc_00000001", first), account("acc_00000002", second)];
        const text = canonicalJson(costReport({ asOf: null, rates, accounts }));
        expect(canonicalJson(costReport({ asOf: null, rates, accounts: structuredClone(accounts) }))).toBe(text);
        const turned = accounts
          .toReversed()
          .map((each) => ({ ...each, usage: each.usage.toReversed(), entries: each.entries.toReversed() }));
        expect(canonicalJson(costReport({ asOf: null, rates, accounts: turned }))).toBe(text);
      }),
    );
  });

  test("knows the time from its newest fact, and holds by their age then", () => {
    const hold = (created_at: number, amount: string): AccountFacts["holds"][number] => ({
      request_id: `r${created_at}`,
      key_id: "key_demo_1",
      model: "alpha/one",
      hold_micro_rub: amount,
      created_at,
      expires_at: created_at + 1,
    });
    const holds = [hold(AT + 1000, "1"), hold(AT - 60_000, "2"), hold(AT - 6 * 60_000, "3"), hold(AT - 60 * 60_000, "4")];
    const report = costReport({ asOf: null, rates, accounts: [account("demo", [sums({})], { holds })] });
    expect(report.as_of).toBe("2026-11-21T12:00:01.000Z");
    expect(report.holds_by_age.map((line) => line.held_micro_rub)).toEqual([1, 2, 3, 4]);
    expect(report.fx).toMatchObject({ age_days: 20, stale: true, max_age_days: 14 });
  });

  test("names its evidence and says what it assumes", () => {
    const of = (...evidence: string[]): string =>
      costReport({
        asOf: AT,
        rates,
        accounts: [
          account(
            "demo",
            evidence.map((each) => sums({ evidence: each })),
          ),
        ],
      }).evidence;
    expect([of(), of("live"), of("offline", "offline"), of("live", "offline")]).toEqual(["none", "live", "offline", "mixed"]);
    expect(costReport({ asOf: AT, rates, accounts: [account("demo", [sums({})])] }).assumptions.join(" ")).toContain("offline provider");
  });

  test("lists attempts that ended without a settlement, and how far the estimates were off", () => {
    const released = sums({
      kind: "release",
      state: "failed",
      error_code: "provider_error",
      requests: "3",
      attempts: "5",
      cost_micro_rub: "0",
      charged_micro_rub: "0",
      held_requests: "0",
      held_micro_rub: "0",
      held_cost_micro_rub: "0",
      usage_source: null,
    });
    const estimated = sums({ usage_source: "estimated", held_requests: "0", held_micro_rub: "0", held_cost_micro_rub: "0" });
    const above = sums({ usage_source: "cut", held_micro_rub: "4000", above_hold: "1" });
    const report = costReport({ asOf: AT, rates, accounts: [account("demo", [sums({}), released, estimated, above])] });
    expect(report.attempts_without_settle).toEqual([
      { provider: "alpha", model: "alpha/one", kind: "release", state: "failed", error_code: "provider_error", requests: 3, attempts: 5 },
    ]);
    expect(report.estimate_error).toEqual({
      requests: 2,
      requests_without_hold: 1,
      held_micro_rub: 12_000,
      cost_micro_rub: 8798,
      over_estimate_bps: 3639,
      cost_above_hold: 1,
      usage_estimated: { requests: 1, charged_micro_rub: 4399 },
      usage_cut: { requests: 1, charged_micro_rub: 4399 },
    });
  });

  test("fails its checks where sums do not agree", () => {
    const good = account("demo", [sums({})]);
    const holds = (facts: Partial<AccountFacts>): boolean[] =>
      costReport({ asOf: AT, rates, accounts: [{ ...good, ...facts }] }).checks.map((check) => check.ok);
    expect(holds({})).toEqual([true, true, true]);
    expect(holds({ usage: [sums({ charged_micro_rub: "4398" })] })).toEqual([false, true, true]);
    expect(holds({ usage: [] })).toEqual([false, false, true]);
    expect(holds({ ledger: { seq: 2, balance_micro_rub: "1" } })).toEqual([true, true, false]);
    // Rows still on their way: the balance is of more entries than the sums.
    expect(holds({ ledger: { seq: 3, balance_micro_rub: "1" } })).toEqual([true, true, true]);
  });
});
