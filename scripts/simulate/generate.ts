/**
 * Runs from a seed. Each has a setting and a swarm of its own: some faults are off, others frequent, since all of them always would hide
 * what needs a few of one kind (research/billing.md §6.2).
 */
import type { Operation, Run, Setting } from "./operations.ts";
import { type Random, randomOf } from "./random.ts";

type Maker = (random: Random) => Operation;

const REQUESTS_MAX = 400;

/** Tokens as requests have them: often round, sometimes nothing, now and then absurdly many. */
function tokens(random: Random): { input: number; cached: number; output: number } {
  const some = (): number => random.pick([0, 1, 10, 100, 1000, random.below(3000), random.below(200_000)]);
  return { input: some(), cached: random.chance(0.3) ? some() : 0, output: some() };
}

function amount(random: Random): number {
  return random.pick([1, 100, 1000, random.below(100_000), random.below(5_000_000)]);
}

interface Swarm {
  /** Requests begun so far; the next one is a new number, others act on a late one. */
  begun: number;
  payments: number;
  accounts: number;
  rich: boolean;
  shortLives: boolean;
  skew: number;
}

function late(swarm: Swarm, random: Random): number {
  return Math.max(0, swarm.begun - 1 - random.below(12));
}

function admitted(swarm: Swarm, random: Random): Operation {
  swarm.begun = Math.min(REQUESTS_MAX, swarm.begun + 1);
  return {
    op: "admit",
    account: random.below(swarm.accounts),
    request: swarm.begun - 1,
    lane: random.below(4),
    key: random.chance(0.3) ? 1 : 0,
    hold: swarm.rich ? random.below(20_000) : amount(random),
    ttl: swarm.shortLives ? random.pick([1, 500, 5_000, 40_000]) : random.pick([40_000, 300_000, 1_500_000]),
    idempotency: random.chance(0.2) ? random.below(6) : null,
  };
}

/** What happens without anything going wrong, and how often. */
function ordinary(swarm: Swarm): [number, Maker][] {
  return [
    [60, (random) => ({ op: "go", n: random.below(64) })],
    [4, (random) => ({ op: "wait", ms: random.pick([1, 60, 300, 2_000, 31_000, 70_000, swarm.shortLives ? 300_000 : 5_000]) })],
    [9, (random) => admitted(swarm, random)],
    [
      10,
      (random) => ({
        op: "finish",
        request: late(swarm, random),
        how: random.pick(["usage", "usage", "cut", "estimate", "release"]),
        ...tokens(random),
      }),
    ],
    [2, (random) => ({ op: "extend", request: late(swarm, random), hold: amount(random), ttl: random.pick([1, 60_000]) })],
    [1, (random) => ({ op: "trueUp", request: late(swarm, random), ...tokens(random) })],
    [
      1,
      (random) => ({
        op: "pay",
        account: random.below(swarm.accounts),
        payment: 10 + (swarm.payments += 1),
        amount: 1 + amount(random),
        succeeds: random.chance(0.8),
      }),
    ],
    [2, (random) => ({ op: "webhook", payment: random.below(11 + swarm.payments) })],
    [6, (random) => ({ op: "consume", n: random.below(64), size: random.pick([1, 3, 100]) })],
    [0.3, (random) => ({ op: "reconcile", account: random.below(swarm.accounts) })],
    [
      0.3,
      (random) => ({ op: "adjust", account: random.below(swarm.accounts), number: random.below(50), amount: random.between(-2000, 2000) }),
    ],
  ];
}

/** What goes wrong. */
function faults(swarm: Swarm): [number, Maker][] {
  const account = (random: Random): number => random.below(swarm.accounts);
  return [
    [
      0.5,
      (random) => ({
        op: "takeBack",
        payment: random.below(11 + swarm.payments),
        number: random.below(3),
        amount: amount(random) + 1,
        fee: random.pick([0, 500]),
        as: random.pick(["refund", "chargeback"]),
      }),
    ],
    [2, (random) => ({ op: "again", n: random.below(64), change: random.chance(0.3) })],
    [0.7, (random) => ({ op: "crash", account: account(random) })],
    [2, (random) => ({ op: "crashAt", account: account(random), after: random.below(24) })],
    [0.7, (random) => ({ op: "crashLane", account: account(random), lane: random.below(4) })],
    [1, (random) => ({ op: "crashConsumer", n: random.below(8) })],
    [2, (random) => ({ op: "drop", n: random.below(64) })],
    [2, (random) => ({ op: "duplicate", n: random.below(64) })],
    [1, (random) => ({ op: "slow", request: late(swarm, random) })],
    [1, (random) => ({ op: "deliver", request: late(swarm, random) })],
    [2, (random) => ({ op: "message", how: random.pick(["duplicate", "duplicate", "lose", "kill"]), n: random.below(64) })],
    [0.3, () => ({ op: "replayDead" })],
    [
      1,
      (random) => ({ op: "fail", where: random.pick(["d1", "queue"]), how: random.pick(["before", "after"]), times: random.between(1, 3) }),
    ],
    [1, (random) => ({ op: "alarm", account: account(random), how: random.pick(["now", "now", "lose"]) })],
    [0.5, (random) => ({ op: "skew", account: account(random), ms: random.between(-swarm.skew, swarm.skew) })],
  ];
}

/** Faults of this run: each is off, or from a tenth to three times its usual frequency. */
function swarmed(swarm: Swarm, random: Random): [number, Maker][] {
  const intensity = random.pick([0, 0.5, 1, 1, 3]);
  const chosen = faults(swarm).map(([weight, maker]): [number, Maker] => [
    random.chance(0.6) ? weight * intensity * random.pick([0.1, 1, 3]) : 0,
    maker,
  ]);
  return [...ordinary(swarm), ...chosen].filter(([weight]) => weight > 0);
}

/** Run number `episode` of a seed, of `steps` operations. */
export function generateRun(seed: number, episode: number, steps: number): Run {
  const random = randomOf(seed, episode);
  const rich = random.chance(0.4);
  const setting: Setting = {
    accounts: random.pick([1, 1, 2]),
    lanes: random.pick([1, 2]),
    opening: rich ? 1_000_000_000 : random.pick([0, 1000, 100_000, 3_000_000]),
    parallel: random.pick([1, 3, 1000]),
    spendPerDay: random.pick([1, 50_000, 1_000_000_000]),
    hangs: random.chance(0.3),
    eager: false,
    restoreTo: random.chance(0.25) ? random.below(steps) : null,
  };
  const swarm: Swarm = {
    begun: 0,
    payments: 0,
    accounts: setting.accounts,
    rich,
    shortLives: random.chance(0.5),
    skew: random.pick([0, 5_000, 600_000]),
  };
  const makers = swarmed(swarm, random);
  const total = makers.reduce((sum, [weight]) => sum + weight, 0);
  const operations: Operation[] = [];
  for (let step = 0; step < steps; step++) {
    let left = (random.below(1_000_000) / 1_000_000) * total;
    const chosen = makers.find(([weight]) => (left -= weight) < 0) ?? makers[0];
    if (chosen !== undefined) operations.push(chosen[1](random));
  }
  return { setting, operations };
}
