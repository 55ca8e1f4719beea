/**
 * An independent model of one account: the rules again, written from the contract and the research with plain maps, and no code of the
 * product, not even its schemas. For each command it says beforehand what the ledger must answer and what must then be in its rows; a
 * command whose object died in the middle must have done all of that, or nothing.
 */

import { type Fields, summed } from "../audit/chain.ts";

export type { Fields } from "../audit/chain.ts";

export interface ModelEntry {
  kind: string;
  request: string | null;
  external: string | null;
  amount: bigint;
  /** Account → micro-RUB, without zeros. */
  postings: ReadonlyMap<string, bigint>;
  balanceAfter: bigint;
  heldAfter: bigint;
  at: number;
  facts: Fields | null;
}

export interface ModelHold {
  state: "HELD" | "SETTLED" | "RELEASED" | "EXPIRED" | "SETTLED_LATE";
  amount: bigint;
  until: number;
  keyId: string;
  body: string;
  model: string;
  lane: string;
  snapshot: string;
  /** Number of the entry that ended it last; 0 while it is open. */
  seq: number;
  cost: bigint;
}

export interface ModelKey {
  id: string;
  parallel: bigint | null;
  spendPerDay: bigint | null;
  /** Charged on the day of its last charge; of another day nothing is remembered. */
  spent: { day: string; amount: bigint };
}

export function keyOf(id: string, parallel: bigint | null, spendPerDay: bigint | null): ModelKey {
  return { id, parallel, spendPerDay, spent: { day: "", amount: 0n } };
}

function spentOn(key: ModelKey, now: number): bigint {
  return key.spent.day === dayOf(now) ? key.spent.amount : 0n;
}

/** What a command must answer, in one line, and the change it makes. */
export interface Expected {
  answer: string;
  /** Null: it changes nothing in the money's rows. */
  change: (() => void) | null;
  /** Lines it leaves for an operator. */
  incidents: number;
}

const DAY = 86_400_000;
const RANGE = 9_007_199_254_740_991n;

function text(value: unknown): string {
  if (typeof value !== "string") throw new Error(`not a text: ${String(value)}`);
  return value;
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function most(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export class Auditor {
  balance = 0n;
  incidents = 0;
  isFrozen = false;
  readonly holds = new Map<string, ModelHold>();
  readonly entries: ModelEntry[] = [];
  readonly keys = new Map<string, ModelKey>();
  readonly #references = new Map<string, number>();
  readonly #remembered = new Map<
    string,
    { body: string; request: string; want: { needed: bigint; available: bigint } | null; at: number }
  >();

  get held(): bigint {
    let held = 0n;
    for (const hold of this.holds.values()) if (hold.state === "HELD") held += hold.amount;
    return held;
  }

  get available(): bigint {
    return this.balance - this.held;
  }

  openOf(keyId: string | null): ModelHold[] {
    return [...this.holds.values()].filter((hold) => hold.state === "HELD" && (keyId === null || hold.keyId === keyId));
  }

  /** What the ledger must answer to `method` now, with this command. */
  expect(method: string, command: Fields, now: number): Expected {
    switch (method) {
      case "admit":
        return this.#admit(command, now);
      case "settle":
        return this.#settle(command, now);
      case "release":
        return this.#giveBack(text(command["request_id"]), { kind: "release", reason: text(command["reason"]) }, now);
      case "expire":
        return this.#giveBack(text(command["request_id"]), { kind: "expire", reason: "expired" }, now);
      case "extend":
        return this.#extend(command, now);
      case "credit":
        return this.#credit(command, now);
      case "trueUp":
        return this.#trueUp(command, now);
      default:
        throw new Error(`the auditor knows no ${method}`);
    }
  }

  #nothing(answer: string, incidents = 0): Expected {
    return { answer, change: null, incidents };
  }

  #admit(command: Fields, now: number): Expected {
    const key = this.keys.get(text(command["key_hash"]));
    if (this.isFrozen) return this.#nothing("no account_frozen");
    if (key === undefined) return this.#nothing("no unknown_key");
    const id = text(command["request_id"]);
    const hold = this.holds.get(id);
    const same = hold !== undefined && hold.keyId === key.id && hold.body === command["body_hash"] && hold.lane === command["lane"];
    if (hold?.state === "HELD") return this.#nothing(same ? "held" : "no request_id_reused");
    const wish = command["idempotency_key"] === null ? null : `${key.id} ${text(command["idempotency_key"])}`;
    const earlier = wish === null ? undefined : this.#remembered.get(wish);
    if (earlier !== undefined && now - earlier.at <= DAY) {
      if (earlier.body !== command["body_hash"]) return this.#nothing("no idempotency_mismatch");
      if (earlier.want !== null) return this.#nothing(this.#tooLittle(earlier.want.needed, earlier.want.available));
      const first = this.holds.get(earlier.request);
      if (first !== undefined)
        return this.#nothing(first.state === "HELD" ? "no request_in_progress" : `replay ${earlier.request} ${first.state}`);
    }
    const needed = BigInt(text(command["hold_micro_rub"]));
    const limit = this.#limit(key, needed, now);
    if (limit !== null) return this.#nothing(`no ${limit}`);
    const remember = (want: { needed: bigint; available: bigint } | null): void => {
      if (wish !== null) this.#remembered.set(wish, { body: text(command["body_hash"]), request: id, want, at: now });
    };
    const { available } = this;
    if (needed > available) {
      return {
        answer: this.#tooLittle(needed, available),
        change: wish === null ? null : () => remember({ needed, available }),
        incidents: 0,
      };
    }
    if (hold !== undefined) return this.#nothing(same ? `replay ${id} ${hold.state}` : "no request_id_reused");
    const change = (): void => {
      remember(null);
      this.holds.set(id, {
        state: "HELD",
        amount: needed,
        until: now + Number(command["ttl_ms"]),
        keyId: key.id,
        body: text(command["body_hash"]),
        model: text(command["model"]),
        lane: text(command["lane"]),
        snapshot: text(command["snapshot"]),
        seq: 0,
        cost: 0n,
      });
    };
    return { answer: "held", change, incidents: 0 };
  }

  #tooLittle(needed: bigint, available: bigint): string {
    return `no ${available < 0n ? "account_blocked" : "insufficient_balance"} ${needed} ${available}`;
  }

  /** A crowd is named before the day's spend, unless the day would keep it longer. */
  #limit(key: ModelKey, needed: bigint, now: number): string | null {
    const open = this.openOf(key.id);
    const held = open.reduce((sum, hold) => sum + hold.amount, 0n);
    const spent = spentOn(key, now);
    const overDay = key.spendPerDay !== null && spent + held + needed > key.spendPerDay;
    const untilTomorrow = overDay && key.spendPerDay !== null && spent + needed > key.spendPerDay && DAY - (now % DAY) > 1000;
    const crowded = key.parallel !== null && BigInt(open.length) >= key.parallel;
    if (crowded) return untilTomorrow ? "spend_per_day" : "parallel_requests";
    return overDay ? "spend_per_day" : null;
  }

  #settle(command: Fields, now: number): Expected {
    const id = text(command["request_id"]);
    const facts = fieldsOf(command["facts"]);
    const hold = this.holds.get(id);
    if (hold === undefined) return this.#nothing("not_found");
    if (hold.state !== "HELD" && hold.state !== "EXPIRED") {
      const first = this.#entry(hold.seq);
      const same = hold.state !== "RELEASED" && JSON.stringify(first.facts) === JSON.stringify(facts);
      return this.#nothing(this.#ended(same ? "exists" : "exists_with_different", hold, hold.seq), same ? 0 : 1);
    }
    if (this.isFrozen) return this.#nothing("frozen");
    const isLate = hold.state === "EXPIRED";
    const cost = BigInt(text(facts["cost_micro_rub"]));
    const payable = most(0n, this.available + (isLate ? 0n : hold.amount));
    const charge = least(cost, payable);
    const heldAfter = this.held - (isLate ? 0n : hold.amount);
    const seq = this.entries.length + 1;
    const state = isLate ? "SETTLED_LATE" : "SETTLED";
    const change = (): void => {
      this.holds.set(id, { ...hold, state, seq, cost });
      this.#append(
        { kind: isLate ? "late_settle" : "settle", request: id, external: null, heldAfter, at: now, facts },
        sale(facts, charge),
      );
      this.#spend(hold.keyId, charge, now);
    };
    const word = isLate ? "settled_late" : "settled";
    const answer = `${word} ${state} ${charge} ${cost - charge} ${seq} ${this.balance - charge} ${heldAfter}`;
    return { answer, change, incidents: cost === charge ? 0 : 1 };
  }

  #giveBack(id: string, end: { kind: "release" | "expire"; reason: string }, now: number): Expected {
    const hold = this.holds.get(id);
    if (hold === undefined) return this.#nothing("not_found");
    if (hold.state !== "HELD") {
      const contradicts = end.kind === "release" && hold.state.startsWith("SETTLED");
      return this.#nothing(this.#ended(contradicts ? "exists_with_different" : "exists", hold, hold.seq), contradicts ? 1 : 0);
    }
    if (end.kind === "expire" && now < hold.until) return this.#nothing("not_due");
    if (this.isFrozen) return this.#nothing("frozen");
    const heldAfter = this.held - hold.amount;
    const seq = this.entries.length + 1;
    const state = end.kind === "release" ? "RELEASED" : "EXPIRED";
    const change = (): void => {
      this.holds.set(id, { ...hold, state, seq });
      this.#append({ kind: end.kind, request: id, external: null, heldAfter, at: now, facts: { reason: end.reason } }, []);
    };
    const word = end.kind === "release" ? "released" : "expired";
    return { answer: `${word} ${state} 0 0 ${seq} ${this.balance} ${heldAfter}`, change, incidents: 0 };
  }

  #extend(command: Fields, now: number): Expected {
    const id = text(command["request_id"]);
    const hold = this.holds.get(id);
    if (hold === undefined) return this.#nothing("not_found 0 0");
    if (hold.state !== "HELD") return this.#nothing(`not_held ${hold.amount} ${hold.until}`);
    const growth = most(0n, BigInt(text(command["hold_micro_rub"])) - hold.amount);
    const key = [...this.keys.values()].find((each) => each.id === hold.keyId);
    const committed = this.openOf(hold.keyId).reduce((sum, each) => sum + each.amount, 0n);
    const room = key?.spendPerDay === undefined || key.spendPerDay === null ? null : key.spendPerDay - spentOn(key, now) - committed;
    const available = room === null ? this.available : least(room, this.available);
    const shortOf = room !== null && room < this.available ? "over_limit" : "insufficient";
    if (growth > 0n && growth > available) return this.#nothing(`${shortOf} ${hold.amount} ${hold.until}`);
    const until = Math.max(hold.until, now + Number(command["ttl_ms"]));
    const grown = { ...hold, amount: hold.amount + growth, until };
    const answer = `extended ${grown.amount} ${until}`;
    if (growth === 0n && until === hold.until) return this.#nothing(answer);
    return this.isFrozen ? this.#nothing("frozen") : { answer, change: () => void this.holds.set(id, grown), incidents: 0 };
  }

  #credit(command: Fields, now: number): Expected {
    if (this.isFrozen) return this.#nothing(`frozen 0 ${this.balance}`);
    const kind = text(command["kind"]);
    const external = text(command["external_id"]);
    const outward = kind === "refund" || kind === "chargeback";
    const amount = BigInt(text(command["amount_micro_rub"])) * (outward ? -1n : 1n);
    const fee = BigInt(text(command["fee_micro_rub"] ?? "0"));
    const other = kind === "adjust" ? "adjustment" : "payment_clearing";
    const postings: [string, bigint][] = [
      ["customer", amount],
      [other, fee - amount],
      ["fees", -fee],
    ];
    const known = this.#references.get(external);
    if (known !== undefined) {
      const first = this.#entry(known);
      const same = first.kind === kind && samePostings(first.postings, summed(postings));
      return this.#nothing(`${same ? "exists" : "exists_with_different"} ${first.amount} ${first.balanceAfter}`, same ? 0 : 1);
    }
    const after = this.balance + amount;
    if (after > RANGE || after < -RANGE) return this.#nothing(`out_of_range 0 ${this.balance}`);
    const change = (): void => this.#append({ kind, request: null, external, heldAfter: this.held, at: now, facts: null }, postings);
    return { answer: `credited ${amount} ${after}`, change, incidents: 0 };
  }

  #trueUp(command: Fields, now: number): Expected {
    const id = text(command["request_id"]);
    const facts = fieldsOf(command["facts"]);
    const hold = this.holds.get(id);
    const external = `true_up:${id}`;
    const known = this.#references.get(external);
    if (this.isFrozen) return this.#nothing(`frozen 0 ${this.balance}`);
    if (hold === undefined) return this.#nothing(`not_found 0 ${this.balance}`);
    if (known !== undefined) {
      const first = this.#entry(known);
      const same = JSON.stringify(first.facts) === JSON.stringify(facts);
      return this.#nothing(`${same ? "exists" : "exists_with_different"} ${first.amount} ${first.balanceAfter}`, same ? 0 : 1);
    }
    if (hold.state === "HELD" || hold.state === "EXPIRED") return this.#nothing(`not_settled 0 ${this.balance}`);
    const first = this.#entry(hold.seq);
    const cost = BigInt(text(facts["cost_micro_rub"]));
    const paid = -first.amount;
    const charge = least(cost, paid + most(0n, this.available));
    const postings = [...sale(facts, charge), ...[...first.postings].map(([name, amount]): [string, bigint] => [name, -amount])];
    const change = (): void => {
      this.#append({ kind: "true_up", request: id, external, heldAfter: this.held, at: now, facts }, postings);
      this.#spend(hold.keyId, charge - paid, now);
    };
    return { answer: `trued_up ${paid - charge} ${this.balance + paid - charge}`, change, incidents: cost === charge ? 0 : 1 };
  }

  #entry(seq: number): ModelEntry {
    const entry = this.entries[seq - 1];
    if (entry === undefined) throw new Error(`the auditor has no entry ${seq}`);
    return entry;
  }

  #ended(word: string, hold: ModelHold, seq: number): string {
    const entry = this.#entry(seq);
    return `${word} ${hold.state} ${-entry.amount} ${-(entry.postings.get("house_loss") ?? 0n)} ${seq} ${entry.balanceAfter} ${entry.heldAfter}`;
  }

  #append(entry: Omit<ModelEntry, "amount" | "postings" | "balanceAfter">, postings: readonly (readonly [string, bigint])[]): void {
    const sums = summed(postings);
    const amount = sums.get("customer") ?? 0n;
    this.balance += amount;
    this.entries.push({ ...entry, amount, postings: sums, balanceAfter: this.balance });
    if (entry.external !== null) this.#references.set(entry.external, this.entries.length);
  }

  #spend(keyId: string, charge: bigint, now: number): void {
    const key = [...this.keys.values()].find((each) => each.id === keyId);
    if (key !== undefined && charge !== 0n) key.spent = { day: dayOf(now), amount: spentOn(key, now) + charge };
  }
}

/** What a sale books: the customer pays what is charged, the provider is owed its part, the rest is ours, and what is not paid is lost. */
function sale(facts: Fields, charge: bigint): [string, bigint][] {
  const cost = BigInt(text(facts["cost_micro_rub"]));
  const provider = BigInt(text(facts["provider_cost_micro_rub"] ?? "0"));
  return [
    ["customer", -charge],
    ["provider_cost", provider],
    ["revenue", cost - provider],
    ["house_loss", charge - cost],
  ];
}

export function samePostings(left: ReadonlyMap<string, bigint>, right: ReadonlyMap<string, bigint>): boolean {
  return left.size === right.size && [...left].every(([name, amount]) => right.get(name) === amount);
}

export function fieldsOf(value: unknown): Fields {
  if (typeof value !== "object" || value === null) throw new Error(`not an object: ${String(value)}`);
  return Object.fromEntries(Object.entries(value));
}

function dayOf(now: number): string {
  return new Date(now).toISOString().slice(0, 10);
}
