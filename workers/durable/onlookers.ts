/**
 * Pages that follow an account: each gets the whole state at once, and again whenever it has changed. The state is looked at from memory a few
 * times a second while somebody looks on, and never otherwise. A reader that is slow misses states in between and never the last one; one
 * that is gone is let go; each has to ask again after a while, so that whoever may look is asked anew.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { LiveQuestion, LiveState } from "../../schema/live.ts";

interface OnlookerPorts {
  state: (question: LiveQuestion) => LiveState;
  now: () => number;
  keepAlive: (work: Promise<unknown>) => void;
}

interface Onlooker {
  question: LiveQuestion;
  writer: WritableStreamDefaultWriter<Uint8Array>;
  openedAt: number;
  writtenAt: number;
  /** The state it was last given, as text. */
  given: string;
  isWriting: boolean;
}

/** How soon a browser asks again after its stream has ended. */
const RETRY_MILLISECONDS = 1_000;

export class Onlookers {
  readonly #ports: OnlookerPorts;
  readonly #onlookers = new Set<Onlooker>();
  readonly #encoder = new TextEncoder();
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(ports: OnlookerPorts) {
    this.#ports = ports;
  }

  /** Null: too many look on already. */
  open(question: LiveQuestion): ReadableStream<Uint8Array> | null {
    if (this.#onlookers.size >= LIMITS.liveWatchersPerAccount) return null;
    const pipe = new IdentityTransformStream();
    const now = this.#ports.now();
    const writer = pipe.writable.getWriter();
    const onlooker: Onlooker = { question, writer, openedAt: now, writtenAt: now, given: "", isWriting: false };
    this.#onlookers.add(onlooker);
    this.#look(onlooker, new Map());
    this.#timer ??= setInterval(() => this.#tick(), LIMITS.liveLookMilliseconds);
    return pipe.readable;
  }

  #tick(): void {
    const texts = new Map<string, string>();
    for (const onlooker of this.#onlookers) this.#look(onlooker, texts);
    if (this.#onlookers.size > 0 || this.#timer === null) return;
    clearInterval(this.#timer);
    this.#timer = null;
  }

  /** `texts`: what this tick has read already. */
  #look(onlooker: Onlooker, texts: Map<string, string>): void {
    const now = this.#ports.now();
    if (now - onlooker.openedAt > LIMITS.liveStreamMilliseconds) {
      this.#letGo(onlooker);
      return;
    }
    if (onlooker.isWriting) return;
    const question = JSON.stringify(onlooker.question);
    const text = texts.get(question) ?? JSON.stringify(this.#ports.state(onlooker.question));
    texts.set(question, text);
    if (text !== onlooker.given) this.#write(onlooker, `retry: ${RETRY_MILLISECONDS}\nevent: state\ndata: ${text}\n\n`);
    else if (now - onlooker.writtenAt > LIMITS.liveHeartbeatMilliseconds) this.#write(onlooker, ":\n\n");
    onlooker.given = text;
  }

  #write(onlooker: Onlooker, text: string): void {
    onlooker.isWriting = true;
    onlooker.writtenAt = this.#ports.now();
    const written = onlooker.writer.write(this.#encoder.encode(text)).then(
      () => {
        onlooker.isWriting = false;
      },
      () => this.#letGo(onlooker),
    );
    this.#ports.keepAlive(written);
  }

  #letGo(onlooker: Onlooker): void {
    this.#onlookers.delete(onlooker);
    // A write that nobody reads is not waited for.
    if (onlooker.isWriting) onlooker.writer.abort().catch(() => undefined);
    else onlooker.writer.close().catch(() => undefined);
  }
}
