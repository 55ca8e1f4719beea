/**
 * The cost report: who used what, what it cost the house, what was charged for it, what is held and for how long, how good the estimates
 * were, and whether the sums are those of the ledgers. A function of its facts alone: no clock, so equal facts give an equal report.
 */
import type { AccountFacts, OpenHold, RatesInForce, UsageSums } from "../../schema/report.ts";
import { isRateStale, rateAgeDays } from "./exchange-rate.ts";
import { type AccountRow, linesBy, type ReportLine, shown, totalLine } from "./report-lines.ts";

export interface ReportInputs {
  /** Milliseconds; null: the instant of the newest fact. */
  asOf: number | null;
  rates: RatesInForce;
  accounts: readonly AccountFacts[];
}

interface Check {
  name: string;
  ok: boolean;
  /** Accounts for which it does not hold. */
  accounts: string[];
}

interface HoldsOfAge {
  age: string;
  holds: number;
  held_micro_rub: number;
}

interface Unsettled {
  provider: string;
  model: string;
  kind: string;
  state: string;
  error_code: string | null;
  requests: number;
  /** How often a provider was called for them: what it may bill although nothing was charged. */
  attempts: number;
}

interface EstimateError {
  /** Charged requests whose hold is known. */
  requests: number;
  requests_without_hold: number;
  held_micro_rub: number;
  cost_micro_rub: number;
  /** (held - cost) / cost in ten-thousandths, rounded down; null where nothing was charged. */
  over_estimate_bps: number | null;
  cost_above_hold: number;
  /** Charged by our own count, since no usage was reported. */
  usage_estimated: { requests: number; charged_micro_rub: number };
  /** Reported, but the stream broke before its end. */
  usage_cut: { requests: number; charged_micro_rub: number };
}

export interface CostReport {
  v: 1;
  as_of: string;
  evidence: "live" | "offline" | "mixed" | "none";
  assumptions: string[];
  checks: Check[];
  fx: {
    prices_version: string;
    micro_rub_per_usd: number;
    source: string;
    date: string;
    age_days: number;
    max_age_days: number;
    stale: boolean;
  };
  totals: ReportLine;
  by_account: ReportLine[];
  by_key: ReportLine[];
  by_model: ReportLine[];
  by_provider: ReportLine[];
  ledger: { account_id: string; kind: string; entries: number; amount_micro_rub: number }[];
  holds_by_age: HoldsOfAge[];
  attempts_without_settle: Unsettled[];
  estimate_error: EstimateError;
  /** Corrections of charges to what providers reported later, on the customers' side; the lines above show requests as they were charged. */
  true_ups: { entries: number; amount_micro_rub: number };
}

const CHARGES = ["settle", "late_settle"];
const MINUTE = 60_000;
const AGES: readonly { age: string; below: number }[] = [
  { age: "below 1 minute", below: MINUTE },
  { age: "1 to 5 minutes", below: 5 * MINUTE },
  { age: "5 to 25 minutes", below: 25 * MINUTE },
  { age: "25 minutes and more", below: Infinity },
];

export function costReport({ asOf, rates, accounts }: ReportInputs): CostReport {
  const at = asOf ?? newest(accounts);
  const rows = accounts.flatMap((account) => account.usage.map((row) => ({ ...row, account_id: account.account_id })));
  const { policy, ...rate } = rates;
  return {
    v: 1,
    as_of: new Date(at).toISOString(),
    evidence: evidenceOf(rows),
    assumptions: assumptionsOf(rows),
    checks: checksOf(accounts),
    fx: {
      ...rate,
      age_days: rateAgeDays(rate.date, at),
      max_age_days: policy.max_age_days,
      stale: isRateStale(rate.date, at, policy),
    },
    totals: totalLine(rows),
    by_account: linesBy(rows, (row) => row.account_id),
    by_key: linesBy(rows, (row) => row.key_id),
    by_model: linesBy(rows, (row) => row.model),
    by_provider: linesBy(rows, (row) => row.provider),
    ledger: accounts.flatMap(ledgerLines).toSorted(byText((line) => `${line.account_id}\n${line.kind}`)),
    holds_by_age: holdsByAge(
      accounts.flatMap((account) => account.holds),
      at,
    ),
    attempts_without_settle: unsettled(rows),
    estimate_error: estimateError(rows),
    true_ups: trueUps(accounts),
  };
}

function byText<T>(textOf: (value: T) => string): (left: T, right: T) => number {
  return (left, right) => (textOf(left) < textOf(right) ? -1 : textOf(left) > textOf(right) ? 1 : 0);
}

function newest(accounts: readonly AccountFacts[]): number {
  let at = 0;
  for (const { entries, usage, holds } of accounts) {
    for (const { last_at } of [...entries, ...usage]) at = Math.max(at, last_at);
    for (const { created_at } of holds) at = Math.max(at, created_at);
  }
  return at;
}

function evidenceOf(rows: readonly UsageSums[]): CostReport["evidence"] {
  const kinds = new Set(rows.map((row) => row.evidence));
  if (kinds.size === 0) return "none";
  if (kinds.size > 1) return "mixed";
  return kinds.has("live") ? "live" : "offline";
}

function assumptionsOf(rows: readonly UsageSums[]): string[] {
  return [
    "Provider cost is reported tokens times the prices each request was held by, not an invoice of the provider.",
    "Provider cost becomes micro-RUB at each request's own rate, is rounded up once in total, and is split over lines by largest remainder.",
    "A provider is assumed to charge nothing for attempts that ended without a settlement; they are counted in attempts_without_settle.",
    "Open holds are those at the moment the facts were read, made at or before as_of; their age is counted to as_of.",
    ...(rows.some((row) => row.evidence === "offline")
      ? ["Requests with offline evidence were answered by the offline provider: their tokens are invented, their arithmetic is not."]
      : []),
  ];
}

/** Sums that must agree, each by two ways that share no rows. */
function checksOf(accounts: readonly AccountFacts[]): Check[] {
  const failing = (name: string, fails: (account: AccountFacts) => boolean): Check => {
    const found = accounts.filter(fails).map((account) => account.account_id);
    return { name, ok: found.length === 0, accounts: found.toSorted() };
  };
  return [
    failing("what usage rows say was charged is what the ledger's entries took", (account) => {
      const taken = entrySum(account, (kind) => CHARGES.includes(kind));
      return sumOf(account.usage, (row) => row.charged_micro_rub) !== -taken;
    }),
    failing("every charge has its usage row", (account) => {
      const charges = account.entries.filter(({ kind }) => CHARGES.includes(kind)).reduce((sum, row) => sum + BigInt(row.entries), 0n);
      return sumOf(account.usage, (row) => (CHARGES.includes(row.kind) ? row.requests : "0")) !== charges;
    }),
    failing(
      "the entries add up to the balance of the ledger",
      (account) =>
        account.ledger !== null && isWhole(account) && entrySum(account, () => true) !== BigInt(account.ledger.balance_micro_rub),
    ),
  ];
}

/** Whether the entries are all that the ledger has: else (a report of an earlier time, or rows on their way) its balance is another sum. */
function isWhole({ entries, ledger }: AccountFacts): boolean {
  return entries.reduce((sum, row) => sum + row.entries, 0) === ledger?.seq;
}

function entrySum(account: AccountFacts, counts: (kind: string) => boolean): bigint {
  return account.entries.filter(({ kind }) => counts(kind)).reduce((sum, row) => sum + BigInt(row.amount_micro_rub), 0n);
}

function sumOf(rows: readonly UsageSums[], textOf: (row: UsageSums) => string): bigint {
  return rows.reduce((sum, row) => sum + BigInt(textOf(row)), 0n);
}

/** Entries of several databases by their kind. */
function ledgerLines({ account_id, entries }: AccountFacts): CostReport["ledger"] {
  const kinds = [...new Set(entries.map((row) => row.kind))];
  return kinds.map((kind) => {
    const ofKind = entries.filter((row) => row.kind === kind);
    return {
      account_id,
      kind,
      entries: ofKind.reduce((sum, row) => sum + row.entries, 0),
      amount_micro_rub: shown(ofKind.reduce((sum, row) => sum + BigInt(row.amount_micro_rub), 0n)),
    };
  });
}

function trueUps(accounts: readonly AccountFacts[]): CostReport["true_ups"] {
  const found = accounts.flatMap((account) => account.entries.filter((row) => row.kind === "true_up"));
  return {
    entries: found.reduce((sum, row) => sum + row.entries, 0),
    amount_micro_rub: shown(found.reduce((sum, row) => sum + BigInt(row.amount_micro_rub), 0n)),
  };
}

function holdsByAge(holds: readonly OpenHold[], at: number): HoldsOfAge[] {
  const left = new Set(holds);
  return AGES.map(({ age, below }) => {
    const ofAge = [...left].filter((hold) => at - hold.created_at < below);
    for (const hold of ofAge) left.delete(hold);
    const held = ofAge.reduce((sum, hold) => sum + BigInt(hold.hold_micro_rub), 0n);
    return { age, holds: ofAge.length, held_micro_rub: shown(held) };
  });
}

function unsettled(rows: readonly AccountRow[]): Unsettled[] {
  const groups = new Map<string, Unsettled>();
  for (const row of rows) {
    if (CHARGES.includes(row.kind)) continue;
    const { provider, model, kind, state, error_code } = row;
    const key = [provider, model, kind, state, error_code ?? ""].join("\n");
    const group = groups.get(key) ?? { provider, model, kind, state, error_code, requests: 0, attempts: 0 };
    group.requests += shown(BigInt(row.requests));
    group.attempts += shown(BigInt(row.attempts));
    groups.set(key, group);
  }
  return [...groups].toSorted(byText(([key]) => key)).map(([, group]) => group);
}

function estimateError(rows: readonly AccountRow[]): EstimateError {
  const charged = rows.filter((row) => CHARGES.includes(row.kind));
  const requests = sumOf(charged, (row) => row.held_requests);
  const held = sumOf(charged, (row) => row.held_micro_rub);
  const cost = sumOf(charged, (row) => row.held_cost_micro_rub);
  const bySource = (source: string): { requests: number; charged_micro_rub: number } => {
    const found = charged.filter((row) => row.usage_source === source);
    return { requests: shown(sumOf(found, (row) => row.requests)), charged_micro_rub: shown(sumOf(found, (row) => row.charged_micro_rub)) };
  };
  return {
    requests: shown(requests),
    requests_without_hold: shown(sumOf(charged, (row) => row.requests) - requests),
    held_micro_rub: shown(held),
    cost_micro_rub: shown(cost),
    over_estimate_bps: cost === 0n ? null : shown(((held - cost) * 10_000n) / cost),
    cost_above_hold: shown(sumOf(charged, (row) => row.above_hold)),
    usage_estimated: bySource("estimated"),
    usage_cut: bySource("cut"),
  };
}
