/**
 * The way of entries to the queue: batches after the recorded watermark, sent shortly after they were written and again when D1 does
 * not confirm them. A send may be repeated and may be lost; the consumer is idempotent and reconciliation finds gaps.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { Ledger } from "./ledger-store.ts";

export interface OutboxWiring {
  accountId: string;
  ledger: Ledger;
  queue: Queue;
  keepAlive: (work: Promise<unknown>) => void;
}

export class Outbox {
  readonly #wiring: OutboxWiring;
  #sentSeq = 0;
  #sentAt = 0;
  #scheduled = false;
  #flushing: Promise<void> | null = null;
  #pause: number = LIMITS.outboxFlushMilliseconds;

  constructor(wiring: OutboxWiring) {
    this.#wiring = wiring;
  }

  /** Everything is known to be in D1. */
  get empty(): boolean {
    const { ledger, accountId } = this.#wiring;
    return ledger.unrecorded(accountId, 1, 1).length === 0;
  }

  /** Flushes in a moment, so that what is written meanwhile goes in the same batch. */
  schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const flushed = new Promise<void>((resolve) => setTimeout(resolve, this.#pause)).then(() => {
      this.#scheduled = false;
      return this.flush();
    });
    this.#wiring.keepAlive(flushed);
  }

  /** Sends what has not been sent, and what was sent long ago without being confirmed. Never throws. */
  async flush(): Promise<void> {
    this.#flushing ??= this.#sendAll().finally(() => (this.#flushing = null));
    await this.#flushing;
  }

  async #sendAll(): Promise<void> {
    const { ledger, accountId, queue } = this.#wiring;
    const confirmed = ledger.recordedSeq;
    if (confirmed < this.#sentSeq && Date.now() - this.#sentAt > LIMITS.outboxResendMilliseconds) this.#sentSeq = confirmed;
    for (;;) {
      const after = Math.max(confirmed, this.#sentSeq);
      // Many entries in one message: each message costs the queue far more than each byte.
      const messages = ledger.unrecorded(accountId, LIMITS.outboxRowsPerBatch, LIMITS.outboxBytesPerMessage, after);
      const last = messages.at(-1);
      if (last === undefined) return;
      try {
        await queue.send(joined(messages), { contentType: "text" });
      } catch (error) {
        console.error("the queue took no batch; it is sent again later", error);
        this.#pause = Math.min(this.#pause * 2, LIMITS.outboxRetryMillisecondsMax);
        this.schedule();
        return;
      }
      this.#pause = LIMITS.outboxFlushMilliseconds;
      this.#sentSeq = last.seq;
      this.#sentAt = Date.now();
    }
  }
}

/** Entries as one JSON array: the body of one queue message. */
function joined(messages: readonly { body: string }[]): string {
  return `[${messages.map((message) => message.body).join(",")}]`;
}
