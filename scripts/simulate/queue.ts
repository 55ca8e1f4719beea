/** The queue: at least once, in any order, sometimes never. A consumer may die at any time; what it had then comes again. */
import type { Life } from "./object-host.ts";
import type { Faults } from "./database.ts";
import type { Batch } from "./product.ts";
import type { Schedule } from "./schedule.ts";

export interface Message {
  id: number;
  body: string;
  attempts: number;
  notBefore: number;
}

const RETRIES_MAX = 10;

export class Queue {
  readonly waiting: Message[] = [];
  readonly dead: Message[] = [];
  readonly faults: Faults = { before: 0, after: 0 };
  readonly #schedule: Schedule;
  readonly #failed: (how: "before" | "after") => void;
  #nextId = 1;

  constructor(schedule: Schedule, failed: (how: "before" | "after") => void) {
    this.#schedule = schedule;
    this.#failed = failed;
  }

  /** The producer's binding as whoever lives `life` sees it. */
  binding(life: Life): object {
    return {
      send: (body: string) =>
        new Promise<void>((resolve, reject) => {
          this.#schedule.push("send", () => {
            const { faults } = this;
            const how = faults.before > 0 ? "before" : faults.after > 0 ? "after" : null;
            if (how !== "before") this.add(body);
            if (how === null) {
              if (life.wake()) resolve();
              return;
            }
            faults[how] -= 1;
            this.#failed(how);
            if (life.wake()) reject(new Error("Too Many Requests"));
          });
        }),
    };
  }

  add(body: string): void {
    this.waiting.push({ id: this.#nextId, body, attempts: 0, notBefore: this.#schedule.now });
    this.#nextId += 1;
  }

  /** Up to `size` messages that may be delivered, from the `n`-th on and around the end. They are under way until they are given back. */
  take(n: number, size: number): Message[] {
    const ready = this.waiting.filter((message) => message.notBefore <= this.#schedule.now);
    const from = ready.length === 0 ? 0 : n % ready.length;
    const taken = [...ready.slice(from), ...ready.slice(0, from)].slice(0, Math.max(1, size));
    for (const message of taken) this.waiting.splice(this.waiting.indexOf(message), 1);
    return taken;
  }

  /** What was not acknowledged comes again, at most so often. */
  giveBack(messages: readonly Message[], delaySeconds: number): void {
    for (const message of messages) {
      message.attempts += 1;
      message.notBefore = this.#schedule.now + delaySeconds * 1000;
      (message.attempts > RETRIES_MAX ? this.dead : this.waiting).push(message);
    }
  }
}

/** A batch as a consumer sees it, and what it did to each message. */
export function batchOf(
  messages: readonly Message[],
  queue: string,
  now: number,
): { batch: Batch; acked: Set<number>; delays: Map<number, number> } {
  const acked = new Set<number>();
  const delays = new Map<number, number>();
  const acknowledge = (id: number): void => {
    if (!delays.has(id)) acked.add(id);
  };
  const repeat = (id: number, delaySeconds: number): void => {
    if (!acked.has(id)) delays.set(id, delaySeconds);
  };
  const batch: Batch = {
    queue,
    messages: messages.map(({ id, body, attempts }) => ({
      id: String(id),
      timestamp: new Date(now),
      attempts: attempts + 1,
      body,
      ack: () => acknowledge(id),
      retry: (options) => repeat(id, options?.delaySeconds ?? 0),
    })),
    ackAll: () => messages.forEach(({ id }) => acknowledge(id)),
    retryAll: () => messages.forEach(({ id }) => repeat(id, 0)),
  };
  return { batch, acked, delays };
}
