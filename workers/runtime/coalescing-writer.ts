/**
 * Writes to a client that may be slow or gone, without ever making the reader of the upstream wait for one write at a time: whatever
 * gathers while a write is under way goes out as one, and chunks that come faster than a millisecond apart are gathered for that long.
 * A paced stream is not delayed by it; a saturated one costs far fewer writes, each of which crosses two objects and a socket.
 */
import { LIMITS } from "../../schema/limits.ts";

/** The clock that gathering needs; `pause` resolves after so many milliseconds. */
export interface WriterClock {
  now: () => number;
  pause: (milliseconds: number) => Promise<void>;
}

export class CoalescingWriter {
  #writer: WritableStreamDefaultWriter<Uint8Array>;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #flushing: Promise<void> | null = null;
  #gone = false;
  #onGone: () => void;
  #clock: WriterClock;
  #lastWriteAt = 0;

  /** `onGone` is called once, when the client is found to have left. */
  constructor(sink: WritableStream<Uint8Array>, clock: WriterClock, onGone: () => void) {
    this.#clock = clock;
    this.#writer = sink.getWriter();
    this.#onGone = onGone;
    this.#writer.closed.catch(() => this.#leave());
  }

  get clientGone(): boolean {
    return this.#gone;
  }

  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** From now on this is called, once, when the client is found to have left; at once where it has. */
  whenGone(action: () => void): void {
    this.#onGone = action;
    if (this.#gone) action();
  }

  write(bytes: Uint8Array): void {
    if (this.#gone || bytes.byteLength === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.byteLength;
    this.#flushing ??= this.#flush();
  }

  /** Resolves when everything written so far has been taken, or the client is gone. */
  async drained(): Promise<void> {
    while (this.#flushing !== null) await this.#flushing;
  }

  /** A proper end of the body. */
  async close(): Promise<void> {
    await this.drained();
    if (!this.#gone) await this.#writer.close().catch(() => this.#leave());
  }

  /** Gives a client up that has left, or has taken nothing for too long. */
  abandon(): void {
    this.#leave();
    this.#writer.abort().catch(() => undefined);
  }

  async #flush(): Promise<void> {
    while (this.#pending.length > 0 && !this.#gone) {
      if (this.#clock.now() - this.#lastWriteAt < LIMITS.writeGatherMilliseconds) await this.#clock.pause(LIMITS.writeGatherMilliseconds);
      this.#lastWriteAt = this.#clock.now();
      const bytes = this.#take();
      try {
        await this.#writer.write(bytes);
      } catch {
        this.#leave();
      }
    }
    this.#flushing = null;
  }

  #take(): Uint8Array {
    const parts = this.#pending;
    const [first] = parts;
    const total = this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    if (parts.length === 1 && first !== undefined) return first;
    const joined = new Uint8Array(total);
    let offset = 0;
    for (const part of parts) {
      joined.set(part, offset);
      offset += part.byteLength;
    }
    return joined;
  }

  #leave(): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#onGone();
  }
}
