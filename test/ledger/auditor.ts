/**
 * An independent model of one account: the rules again, written from the contract with plain maps and no code of the product, to be
 * compared with the ledger after every step.
 */
export type Operation =
  | { kind: "admit"; id: number; hold: number; ttl: number }
  | { kind: "settle"; id: number; cost: number }
  | { kind: "release"; id: number }
  | { kind: "expire"; id: number }
  | { kind: "extend"; id: number; hold: number }
  | { kind: "credit"; id: number; amount: number }
  | { kind: "refund"; id: number; amount: number }
  | { kind: "wait"; milliseconds: number }
  | { kind: "restart" }
  | { kind: "crash"; after: number };

type End = { how: "settled" | "released" | "expired" | "late"; charge: bigint; cost: bigint };

export class Auditor {
  balance = 0n;
  now: number;
  readonly #open = new Map<number, { amount: bigint; until: number; ttl: number }>();
  readonly #ended = new Map<number, End>();
  readonly #outside = new Map<number, bigint>();

  constructor(now: number) {
    this.now = now;
  }

  get held(): bigint {
    return [...this.#open.values()].reduce((sum, hold) => sum + hold.amount, 0n);
  }

  get available(): bigint {
    return this.balance - this.held;
  }

  /** Entries there must be: one for each credit and each end, one more for a late settlement. */
  get entries(): number {
    const late = [...this.#ended.values()].filter((end) => end.how === "late").length;
    return this.#outside.size + this.#ended.size + late;
  }

  /** Applies an operation and gives the expected result in one word, with the charge where there is one. */
  apply(operation: Operation): string {
    switch (operation.kind) {
      case "admit":
        return this.#admit(operation.id, BigInt(operation.hold), operation.ttl);
      case "settle":
        return this.#settle(operation.id, BigInt(operation.cost));
      case "release":
        return this.#giveBack(operation.id, "released", true);
      case "expire":
        return this.#giveBack(operation.id, "expired", (this.#open.get(operation.id)?.until ?? 0) <= this.now);
      case "extend":
        return this.#extend(operation.id, BigInt(operation.hold));
      case "credit":
        return this.#book(operation.id, BigInt(operation.amount));
      case "refund":
        return this.#book(operation.id, -BigInt(operation.amount));
      case "wait":
        this.now += operation.milliseconds;
        return "";
      case "restart":
      case "crash":
        return "";
    }
  }

  #admit(id: number, hold: bigint, ttl: number): string {
    if (this.#open.has(id)) return "admitted";
    // What ended is found by its row, which is read only when a new hold would have been made.
    if (this.available < 0n) return "account_blocked";
    if (hold > this.available) return "insufficient";
    if (this.#ended.has(id)) return "replay";
    this.#open.set(id, { amount: hold, until: this.now + ttl, ttl });
    return "admitted";
  }

  #settle(id: number, cost: bigint): string {
    const open = this.#open.get(id);
    const ended = this.#ended.get(id);
    if (open === undefined && ended === undefined) return "not_found";
    if (open === undefined && ended !== undefined && ended.how !== "expired") {
      return `${ended.how !== "released" && ended.cost === cost ? "exists" : "exists_with_different"} ${ended.charge}`;
    }
    const payable = this.available + (open?.amount ?? 0n);
    const charge = payable < 0n ? 0n : cost < payable ? cost : payable;
    this.#open.delete(id);
    this.#ended.set(id, { how: open === undefined ? "late" : "settled", charge, cost });
    this.balance -= charge;
    return `${open === undefined ? "settled_late" : "settled"} ${charge}`;
  }

  #giveBack(id: number, how: "released" | "expired", due: boolean): string {
    const ended = this.#ended.get(id);
    if (ended !== undefined) {
      const charged = ended.how === "settled" || ended.how === "late";
      return `${charged && how === "released" ? "exists_with_different" : "exists"} ${ended.charge}`;
    }
    if (!this.#open.has(id)) return "not_found";
    if (!due) return "not_due";
    this.#open.delete(id);
    this.#ended.set(id, { how, charge: 0n, cost: 0n });
    return `${how} 0`;
  }

  #extend(id: number, hold: bigint): string {
    const open = this.#open.get(id);
    if (open === undefined) return this.#ended.has(id) ? "not_held" : "not_found";
    if (hold > open.amount) {
      if (hold - open.amount > this.available) return "insufficient";
      open.amount = hold;
    }
    open.until = Math.max(open.until, this.now + 1000);
    return `extended ${open.amount}`;
  }

  #book(id: number, amount: bigint): string {
    const earlier = this.#outside.get(id);
    if (earlier !== undefined) return earlier === amount ? "exists" : "exists_with_different";
    this.#outside.set(id, amount);
    this.balance += amount;
    return "credited";
  }
}
