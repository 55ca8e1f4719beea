/**
 * Virtual time and everything that is under way: calls, answers, timers, alarms, statements on their way to D1. Nothing happens by
 * itself; the run says what happens next. Code in between is driven until it waits again.
 */

export type PendingKind = "call" | "answer" | "timer" | "alarm" | "d1" | "send";

export interface Pending {
  id: number;
  kind: PendingKind;
  /** Not before this time. */
  due: number;
  run: () => void;
  /** What becomes of it when it is lost on the way; null for what cannot be lost. */
  lose: (() => void) | null;
  /** Does the same once more; null for what cannot come twice. */
  again: (() => void) | null;
  /** The request it is about; null for none, or nobody knows. */
  about: string | null;
}

export class Schedule {
  now = Date.UTC(2026, 10, 21, 12, 0, 0);
  /** How far the clock of whoever runs now is off. */
  skew = 0;
  readonly pending: Pending[] = [];
  readonly #slow = new Set<string>();
  #nextId = 1;

  push(
    kind: PendingKind,
    run: () => void,
    options: { due?: number; lose?: () => void; again?: () => void; about?: string | null } = {},
  ): Pending {
    const about = options.about ?? null;
    const pending: Pending = {
      id: this.#nextId,
      kind,
      due: about !== null && this.#slow.has(about) ? Number.POSITIVE_INFINITY : (options.due ?? this.now),
      run,
      lose: options.lose ?? null,
      again: options.again ?? null,
      about,
    };
    this.#nextId += 1;
    this.pending.push(pending);
    return pending;
  }

  remove(pending: Pending): void {
    const index = this.pending.indexOf(pending);
    if (index !== -1) this.pending.splice(index, 1);
  }

  removeId(id: number): void {
    const index = this.pending.findIndex((pending) => pending.id === id);
    if (index !== -1) this.pending.splice(index, 1);
  }

  /** Whatever is said about this request from now on is under way until it is delivered. */
  slow(about: string): void {
    this.#slow.add(about);
  }

  /** What was kept under way may happen now: about this request, or about all. False: nothing was. */
  deliver(about: string | null): boolean {
    if (about === null) this.#slow.clear();
    else this.#slow.delete(about);
    const kept = this.pending.filter((pending) => pending.due === Number.POSITIVE_INFINITY && (about === null || pending.about === about));
    for (const pending of kept) pending.due = this.now;
    return kept.length > 0;
  }

  /** What may happen now, oldest first. */
  due(): Pending[] {
    return this.pending.filter((pending) => pending.due <= this.now);
  }

  /** When the next thing is due that is not due yet; null when there is none. */
  nextDue(): number | null {
    let next: number | null = null;
    for (const { due } of this.pending) if (due > this.now && Number.isFinite(due) && (next === null || due < next)) next = due;
    return next;
  }

  /** Lets the code that was woken run until all of it waits. */
  settle(): Promise<void> {
    return new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** The timers and clock that the product's code is led to; one schedule at a time. */
export interface Globals {
  now: () => number;
  log: (...words: unknown[]) => void;
  setTimeout: (action: () => void, milliseconds?: number) => number;
  clearTimeout: (id: number | undefined) => void;
  setInterval: (action: () => void, milliseconds?: number) => number;
  clearInterval: (id: number | undefined) => void;
  opened: (ledger: object, storage: object) => object;
}

export interface GlobalsWiring {
  log: (...words: unknown[]) => void;
  opened: (ledger: object, storage: object) => object;
}

/** Puts this schedule behind the product's globals. */
export function installGlobals(schedule: Schedule, wiring: GlobalsWiring): void {
  const intervals = new Map<number, Pending>();
  const globals: Globals = {
    ...wiring,
    now: () => schedule.now + schedule.skew,
    setTimeout: (action, milliseconds = 0) => schedule.push("timer", action, { due: schedule.now + Math.max(0, milliseconds) }).id,
    clearTimeout: (id) => schedule.removeId(id ?? 0),
    setInterval: (action, milliseconds = 0) => {
      const key = -1 - intervals.size;
      const tick = (): void => {
        arm();
        action();
      };
      const arm = (): void => {
        intervals.set(key, schedule.push("timer", tick, { due: schedule.now + Math.max(1, milliseconds) }));
      };
      arm();
      return key;
    },
    clearInterval: (id) => {
      const pending = intervals.get(id ?? 0);
      if (pending !== undefined) schedule.remove(pending);
    },
  };
  Reflect.set(globalThis, "__sim", globals);
}
