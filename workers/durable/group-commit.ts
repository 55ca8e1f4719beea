/**
 * Group commit: writes of many requests in one turn are one transaction and one flush to disk. With few requests under way each goes
 * at once; with many, they wait for each other up to a millisecond, which costs each less than its own flush would.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { LedgerPort } from "../engine/ports.ts";

export class GroupCommit {
  readonly #running: () => number;
  #turn: Promise<void> | null = null;

  /** `running` tells how many requests are under way now. */
  constructor(running: () => number) {
    this.#running = running;
  }

  /** Resolves when it is this write's turn: at once when the object is quiet, else together with the others of this millisecond. */
  async turn(): Promise<void> {
    if (this.#running() < LIMITS.groupCommitRequests) return;
    this.#turn ??= new Promise((resolve) => {
      setTimeout(() => {
        this.#turn = null;
        resolve();
      }, LIMITS.groupCommitMilliseconds);
    });
    await this.#turn;
  }
}

/** The same ledger, with each of its writes in its turn. */
export function inTurns(group: GroupCommit, ledger: LedgerPort): LedgerPort {
  return {
    admit: (command) => group.turn().then(() => ledger.admit(command)),
    settle: (command) => group.turn().then(() => ledger.settle(command)),
    release: (command) => group.turn().then(() => ledger.release(command)),
    // An answer waits for it.
    extend: (command) => ledger.extend(command),
  };
}
