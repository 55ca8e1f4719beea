/**
 * Which model last answered each conversation of an account. In memory: after a restart a conversation is routed anew, and by the same facts
 * the same way (equal candidates fall by the conversation's name); a row written for each routed request would cost more than that.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { Pin } from "../../schema/routing.ts";

const LEVELS = { easy: 0, medium: 1, hard: 2 };

export class Pins {
  readonly #kept = new Map<string, Omit<Pin, "age_ms"> & { at: number }>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  note(conversation: string, pin: Omit<Pin, "age_ms">): void {
    const before = this.#kept.get(conversation);
    this.#kept.delete(conversation);
    // The one that was used longest ago goes first.
    if (this.#kept.size >= LIMITS.routingPinsKept) this.#kept.delete(this.#kept.keys().next().value ?? "");
    // A model that was chosen for hard work is not less fit for it after an easy turn.
    const level = before?.model === pin.model && LEVELS[before.level] > LEVELS[pin.level] ? before.level : pin.level;
    this.#kept.set(conversation, { ...pin, level, at: this.#now() });
  }

  of(conversation: string): Pin | null {
    const kept = this.#kept.get(conversation);
    if (kept === undefined) return null;
    const { at, ...pin } = kept;
    return { ...pin, age_ms: Math.max(0, this.#now() - at) };
  }
}
