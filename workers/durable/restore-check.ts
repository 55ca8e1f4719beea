/**
 * Whether this object was restored to an earlier time (point-in-time recovery, or a lost object that begins again): then D1 has entries
 * that its ledger lacks, and whatever it appended would contradict them. The ledger is frozen instead, until an operator replays them
 * (`POST /admin/accounts/:id/restore`, workers/queue/restore.ts). A restoration always begins a new life of the object, so the check
 * belongs to its start; it is repeated with each alarm, in case D1 did not answer then. Requests are admitted meanwhile, since a hold is
 * no entry; the first entry waits for the answer.
 */
import { lastStoredEntry } from "../../db/entry-source.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Ledger } from "./ledger-store.ts";

export class RestoreCheck {
  readonly #accountId: string;
  readonly #ledger: Ledger;
  readonly #env: Env;
  #done = false;
  #asked: Promise<void> | null = null;

  constructor(accountId: string, ledger: Ledger, env: Env) {
    this.#accountId = accountId;
    this.#ledger = ledger;
    this.#env = env;
  }

  /** Asks, once in a life. Resolves when D1 has answered or failed, or has had its time. */
  asked(): Promise<void> {
    this.#asked ??= new Promise((resolve) => {
      const timer = setTimeout(resolve, LIMITS.restoreCheckMilliseconds);
      void this.run().then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    return this.#asked;
  }

  /** Never throws: a D1 that does not answer holds up no account, and is asked again. */
  async run(): Promise<void> {
    if (this.#done) return;
    try {
      const stored = await lastStoredEntry(this.#env, this.#accountId);
      this.#done = true;
      if (stored === null) return;
      const own = this.#ledger.entriesBySeq([stored.seq])[0];
      if (own === undefined) this.#ledger.freeze({ reason: "d1_ahead", d1_seq: stored.seq });
      else if (own.hash !== stored.hash) this.#ledger.freeze({ reason: "diverged", d1_seq: stored.seq });
    } catch (error) {
      console.error("D1 was not asked what it has of this ledger", error);
    }
  }
}
