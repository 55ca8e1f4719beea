/** Long timers of many requests on one interval: each request arms two, nearly none rings, and a timer of its own costs more than a Map entry. */
import { LIMITS } from "../../schema/limits.ts";

interface Deadline {
  at: number;
  action: () => void;
}

export class Deadlines {
  readonly #deadlines = new Set<Deadline>();
  #interval: ReturnType<typeof setInterval> | null = null;

  /** Runs `action` once, up to a second after its time. Gives how to call it off. */
  add(milliseconds: number, action: () => void): () => void {
    const deadline = { at: Date.now() + milliseconds, action };
    this.#deadlines.add(deadline);
    this.#interval ??= setInterval(() => this.#ring(), LIMITS.progressWriteMilliseconds);
    return () => this.#deadlines.delete(deadline);
  }

  #ring(): void {
    const now = Date.now();
    for (const deadline of this.#deadlines) {
      if (deadline.at > now) continue;
      this.#deadlines.delete(deadline);
      deadline.action();
    }
    // An idle object must be able to sleep.
    if (this.#deadlines.size > 0 || this.#interval === null) return;
    clearInterval(this.#interval);
    this.#interval = null;
  }
}
