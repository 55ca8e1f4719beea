/** What is tried and what must hold. Each phase has an account of its own, and gives its claims with what was seen. */
import type { Answered, Crowd, CrowdAccount } from "./crowd.ts";

export interface Claim {
  phase: string;
  claim: string;
  seen: string;
  holds: boolean;
}

export interface Scale {
  keys: number;
  requests: number;
  /** How long the rates are watched under constant demand. */
  seconds: number;
}

type Phase = (crowd: Crowd, scale: Scale) => Promise<Claim[]>;

const RICH_MICRO_RUB = 1_000_000_000_000;
const MINUTE = 60_000;
/** Long enough that the whole crowd is inside at once. */
const SLOW = { commands: "tokens=20,ttft=300", maxTokens: 40 };
const QUICK = { commands: "tokens=20", maxTokens: 40 };

const served = (answers: readonly Answered[]): Answered[] => answers.filter(({ status }) => status === 200);
const ofKey = (answers: readonly Answered[], key: number): Answered[] => answers.filter((answer) => answer.key === key);
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

function claim(phase: string, text: string, holds: boolean, seen: string): Claim {
  return { phase, claim: text, seen, holds };
}

/** True when every refusal is the expected one and says when to come back. */
function refusalsAre(answers: readonly Answered[], status: number, code: string): boolean {
  const refused = answers.filter((answer) => answer.status !== 200);
  return refused.every((answer) => answer.status === status && answer.code === code && (status === 402 || answer.retryAfter !== null));
}

/** After every phase: holds and counters at rest, the balance exactly what the charges leave, and it was never below zero. */
async function atRest(phase: string, crowd: Crowd, account: CrowdAccount, answers: readonly Answered[]): Promise<Claim[]> {
  const rests = await crowd.comesToRest(account);
  const shown = await crowd.show(account);
  const entries = await crowd.entries(account);
  const opening = sum(entries.filter(({ kind }) => kind === "credit").map((entry) => entry.amount_micro_rub));
  const charged = -sum(entries.filter(({ kind }) => kind !== "credit").map((entry) => entry.amount_micro_rub));
  const told = sum(answers.map((answer) => answer.costMicroRub ?? 0));
  const least = Math.min(...entries.map((entry) => entry.balance_after_micro_rub - entry.held_after_micro_rub));
  return [
    claim(
      phase,
      "holds and counters are back at rest, D1 has every entry",
      rests && shown.held_micro_rub === 0,
      `held ${shown.held_micro_rub}`,
    ),
    claim(
      phase,
      "the balance is what the charges leave, to the micro-RUB",
      shown.balance_micro_rub === opening - charged && charged === told,
      `${opening} - ${charged} = ${shown.balance_micro_rub}, callers were told ${told}`,
    ),
    claim(phase, "available was never below zero after any entry", least >= 0, `least ${least}`),
  ];
}

const WAVES_MAX = 60;

/** The whole crowd at once, again and again, until nobody is served any more. */
async function untilNobodyIsServed(crowd: Crowd, account: CrowdAccount, requests: number): Promise<Answered[]> {
  const answers: Answered[] = [];
  for (let wave = 0; wave < WAVES_MAX; wave++) {
    const all = await crowd.all(account, requests, SLOW);
    answers.push(...all);
    if (served(all).length === 0) break;
  }
  return answers;
}

/** After the last wave: one caller alone, with nothing held beside, is refused too. */
async function exhausted(phase: string, crowd: Crowd, account: CrowdAccount, status: number): Promise<Claim> {
  const rests = await crowd.comesToRest(account);
  const alone = await crowd.ask(account, 0, QUICK);
  return claim(phase, "it goes on until one more request would be too much", rests && alone.status === status, `then ${alone.status}`);
}

const budget: Phase = async (crowd, { keys, requests }) => {
  const probe = await crowd.account(RICH_MICRO_RUB, 1);
  const cost = (await crowd.ask(probe, 0, QUICK)).costMicroRub ?? 0;
  // Money for a third of the crowd by what a request really costs, which is far less than it holds at first.
  const account = await crowd.account(cost * Math.floor(requests / 3), keys);
  const answers = await untilNobodyIsServed(crowd, account, requests);
  const end = await exhausted("balance", crowd, account, 402);
  const shown = await crowd.show(account);
  return [
    claim(
      "balance",
      "some are served, some refused for want of balance, none otherwise",
      served(answers).length > 0 && refusalsAre(answers, 402, "insufficient_balance") && served(answers).length < answers.length,
      `${served(answers).length} of ${answers.length} served`,
    ),
    claim(
      "balance",
      "no more is spent than there was",
      shown.balance_micro_rub >= 0 && served(answers).length <= Math.floor(requests / 3),
      `${shown.balance_micro_rub} micro-RUB left`,
    ),
    end,
    ...(await atRest("balance", crowd, account, answers)),
  ];
};

const spend: Phase = async (crowd, { keys, requests }) => {
  const probe = await crowd.account(RICH_MICRO_RUB, 1);
  const cost = (await crowd.ask(probe, 0, QUICK)).costMicroRub ?? 0;
  const limit = cost * Math.max(20, Math.floor(requests / keys / 2));
  const account = await crowd.account(RICH_MICRO_RUB, keys, { spend_micro_rub_per_day: limit });
  const accountLimit = limit * Math.ceil(keys / 2);
  await crowd.admin("PATCH", `/accounts/${account.id}`, { limits: { spend_micro_rub_per_month: accountLimit } });
  const answers = await untilNobodyIsServed(crowd, account, requests);
  const end = await exhausted("spend", crowd, account, 429);
  const shown = await crowd.show(account);
  const worst = Math.max(...shown.keys.map((key) => Number(key.spent_today_micro_rub)));
  const total = sum(served(answers).map((answer) => answer.costMicroRub ?? 0));
  return [
    claim("spend", "no key is charged more than its day allows", worst <= limit && worst > 0, `at most ${worst} of ${limit}`),
    claim(
      "spend",
      "all keys together are not charged more than the account's month allows",
      total <= accountLimit,
      `${total} of ${accountLimit}`,
    ),
    claim(
      "spend",
      "what is counted is what was charged",
      sum(shown.keys.map((key) => Number(key.spent_today_micro_rub))) === total,
      `${total}`,
    ),
    claim(
      "spend",
      "every refusal is a 429 that says when to come back",
      refusalsAre(answers, 429, "rate_limited") && served(answers).length > 0,
      `${served(answers).length} of ${answers.length} served`,
    ),
    end,
    ...(await atRest("spend", crowd, account, answers)),
  ];
};

const parallel: Phase = async (crowd, { keys, requests }) => {
  const each = 3;
  const account = await crowd.account(RICH_MICRO_RUB, keys, { parallel_requests: each });
  await crowd.admin("PATCH", `/accounts/${account.id}`, { limits: { parallel_requests: each * keys - 5 } });
  const answers = await crowd.all(account, requests, { ...SLOW, commands: `tokens=20,ttft=${2_000 + requests * 10}` });
  const inside = account.keys.map((_, key) => ofKey(served(answers), key).length);
  const again = await crowd.all(account, keys, QUICK);
  return [
    claim("parallel", `no key runs more than ${each} at once`, Math.max(...inside) <= each, `at most ${Math.max(...inside)}`),
    claim(
      "parallel",
      `the account runs exactly ${each * keys - 5} at once`,
      sum(inside) === each * keys - 5,
      `${sum(inside)} of ${requests}`,
    ),
    claim(
      "parallel",
      "afterwards every key runs again",
      served(again).length === keys && refusalsAre(answers, 429, "rate_limited"),
      `${served(again).length} of ${keys}`,
    ),
    ...(await atRest("parallel", crowd, account, [...answers, ...again])),
  ];
};

/** The most that a bucket of `limit` a minute lets through between the first and the last of these answers. */
function mostOf(limit: number, answers: readonly Answered[]): number {
  const first = Math.min(...answers.map((answer) => answer.startedAt));
  const last = Math.max(...answers.map((answer) => answer.endedAt));
  return limit + ((last - first) * limit) / MINUTE;
}

const burst: Phase = async (crowd, { keys, requests }) => {
  const limit = Math.max(2, Math.floor(requests / keys / 3));
  const account = await crowd.account(RICH_MICRO_RUB, keys, { requests_per_minute: limit });
  const answers = await crowd.all(account, requests, QUICK);
  const seen = account.keys.map((_, key) => ofKey(served(answers), key).length);
  const most = mostOf(limit, answers);
  const exact = seen.every((count) => count >= limit && count <= Math.floor(most));
  return [
    claim(
      "burst",
      `each key is let in ${limit} times, and as often as that refills meanwhile`,
      exact,
      `${Math.min(...seen)} to ${Math.max(...seen)}, refilled at most ${(most - limit).toFixed(2)}`,
    ),
    claim(
      "burst",
      "every refusal is a 429 that says when to come back",
      refusalsAre(answers, 429, "rate_limited"),
      `${answers.length - served(answers).length} refused`,
    ),
    ...(await atRest("burst", crowd, account, answers)),
  ];
};

/** What the keys were let, and what they took of it, when they were refused last. */
interface Exhaustion {
  allowed: number;
  taken: number;
}

/**
 * A refusal says that the bucket is empty: all that it held and refilled until then was taken. A call that has not quite ended holds more
 * than it will use, so the middle one of the refusals of a key's last seconds counts. Null: a key was never refused, and nothing can be said.
 */
function exhaustionOf(answers: readonly Answered[], keys: number, { limit, each }: { limit: number; each: number }): Exhaustion | null {
  const whole: Exhaustion = { allowed: 0, taken: 0 };
  for (let key = 0; key < keys; key++) {
    const own = ofKey(answers, key);
    const firstEnd = Math.min(...served(own).map((answer) => answer.endedAt));
    const refused = own.filter((answer) => answer.status === 429);
    const since = Math.max(...refused.map((answer) => answer.startedAt)) - LAST_MILLISECONDS;
    const moments = refused
      .filter((answer) => answer.startedAt >= since)
      .map((refusal) => ({
        allowed: limit + (Math.max(0, refusal.startedAt - firstEnd) * limit) / MINUTE,
        taken: served(own).filter((answer) => answer.startedAt < refusal.endedAt).length * each,
      }));
    moments.sort((left, right) => left.allowed - left.taken - (right.allowed - right.taken));
    const middle = moments[Math.floor(moments.length / 2)];
    if (middle === undefined) return null;
    whole.allowed += middle.allowed;
    whole.taken += middle.taken;
  }
  return whole;
}

const LAST_MILLISECONDS = 2_000;

function withinOnePercent(phase: string, seconds: number, exhaustion: Exhaustion | null): Claim {
  const text = `under constant demand for ${seconds} s on an empty bucket the rate is within 1 %`;
  if (exhaustion === null) return claim(phase, text, false, "the crowd asks too slowly to meet its limits");
  const { allowed, taken } = exhaustion;
  const off = taken / allowed - 1;
  return claim(phase, text, Math.abs(off) <= 0.01, `${taken} of ${allowed.toFixed(0)} taken, ${(off * 100).toFixed(2)} % off`);
}

const requestRate: Phase = async (crowd, { keys, seconds }) => {
  const limit = 120;
  const account = await crowd.account(RICH_MICRO_RUB, keys, { requests_per_minute: limit });
  const answers = await crowd.steadily(account, 2, seconds * 1000, QUICK);
  const most = mostOf(limit, answers);
  const worst = Math.max(...account.keys.map((_, key) => ofKey(served(answers), key).length));
  return [
    withinOnePercent("requests a minute", seconds, exhaustionOf(answers, keys, { limit, each: 1 })),
    claim("requests a minute", "no key is let in once too often", worst <= Math.floor(most), `at most ${worst} of ${most.toFixed(1)}`),
    ...(await atRest("requests a minute", crowd, account, answers)),
  ];
};

const tokenRate: Phase = async (crowd, { keys, seconds }) => {
  // A rate cannot be met closer than by one request, so the bucket has room for many.
  const limit = 4_000;
  const probe = await crowd.account(RICH_MICRO_RUB, 1, { tokens_per_minute: 1_000_000 });
  const exact = { ...QUICK, maxTokens: 20 };
  const used = await crowd.tokensOf(probe, 0, exact);
  const account = await crowd.account(RICH_MICRO_RUB, keys, { per_model: [{ model: "openai/*", tokens_per_minute: limit }] });
  // One caller a key: a second one under way would hold its bound just when the first is refused.
  const answers = await crowd.steadily(account, 1, seconds * 1000, exact);
  const most = mostOf(limit, answers);
  const worst = Math.max(...account.keys.map((_, key) => ofKey(served(answers), key).length)) * used;
  return [
    withinOnePercent("tokens a minute", seconds, exhaustionOf(answers, keys, { limit, each: used })),
    claim(
      "tokens a minute",
      "no key uses more than its bucket and one request",
      worst <= most + used,
      `at most ${worst} of ${most.toFixed(0)}`,
    ),
    ...(await atRest("tokens a minute", crowd, account, answers)),
  ];
};

export const PHASES: readonly Phase[] = [budget, spend, parallel, burst, requestRate, tokenRate];
