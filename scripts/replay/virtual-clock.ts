/** A clock that only moves when nothing else can happen: the next timer rings as soon as everything that could run has run. */

interface Timer {
  due: number;
  order: number;
  action: () => void;
}

export class VirtualClock {
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];
  #isTurning = false;

  now(): number {
    return this.#now;
  }

  /** Runs `action` once, so many virtual milliseconds from now; gives how to call that off. Of two due at once the older rings first. */
  after(milliseconds: number, action: () => void): () => void {
    const timer = { due: this.#now + milliseconds, order: this.#order++, action };
    this.#timers.push(timer);
    this.#turn();
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Resolves at that time; at once where it has passed. */
  async until(time: number): Promise<void> {
    if (time > this.#now) await new Promise<void>((resolve) => this.after(time - this.#now, resolve));
  }

  #turn(): void {
    if (this.#isTurning || this.#timers.length === 0) return;
    this.#isTurning = true;
    setImmediate(() => {
      this.#isTurning = false;
      const [next] = this.#timers.toSorted((left, right) => left.due - right.due || left.order - right.order);
      if (next === undefined) return;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.due);
      next.action();
      this.#turn();
    });
  }
}
