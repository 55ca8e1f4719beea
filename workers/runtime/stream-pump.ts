/**
 * The one pump: upstream bytes → relay (meter, translation) → client. It ends in exactly one way, through `settle`, whatever
 * happened: a clean end, an error in the stream, a time-out, or a client that left (gateways.md A21: one exit for all of them).
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import { CoalescingWriter } from "./coalescing-writer.ts";

export type PumpEnding = "complete" | "failed" | "client-gone";

export interface PumpEnd {
  ending: PumpEnding;
  error: GatewayError | null;
  /** False when nothing was ever written: the caller can still be given a real status. */
  started: boolean;
  clientGone: boolean;
}

export interface PumpInput {
  source: ReadableStream<Uint8Array>;
  sink: WritableStream<Uint8Array>;
  relay: Relay;
  /** After the client has left: read on to the end (its cost is owed anyway), or end the upstream. */
  drainWithoutClient: boolean;
  /** A comment that keeps idle connections open; null where the wire has none. */
  heartbeat: Uint8Array | null;
  now: () => number;
  pause: (milliseconds: number) => Promise<void>;
  /** Calls `tick` about once a second until the returned function is called. */
  everySecond: (tick: () => void) => () => void;
  /** Something was produced since the last second. */
  onProgress: () => void;
  /** Called once, before the last bytes leave: when the client sees the end, the money is settled. */
  settle: (end: PumpEnd) => Promise<void>;
}

/** A running pump. */
export interface Pump {
  /** Resolves at the first bytes for the client, or at an end without any. */
  first: Promise<void>;
  /** Commits to a stream although nothing came yet: sends a heartbeat. */
  start: () => void;
  end: Promise<PumpEnd>;
}

const IDLE = (): GatewayError => gatewayError("provider_timeout", "The provider stopped sending before the end of its answer.");
const TOO_LONG = (): GatewayError => gatewayError("provider_timeout", "The answer took longer than a stream may last.");
const BROKEN = (): GatewayError => gatewayError("provider_error", "The provider's answer broke off before its end.");

const NOTHING = new Uint8Array(0);

class StreamPump {
  #input: PumpInput;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: CoalescingWriter;
  #started = false;
  #failure: GatewayError | null = null;
  #lastByteAt: number;
  #lastWriteAt: number;
  #startedAt: number;
  #goneAt: number | null = null;
  #tailSince: number | null = null;
  #waitingSince: number | null = null;
  #progressed = false;
  #resolveFirst: () => void = () => undefined;
  first: Promise<void>;

  constructor(input: PumpInput) {
    this.#input = input;
    this.#reader = input.source.getReader();
    this.#startedAt = input.now();
    this.#lastByteAt = this.#startedAt;
    this.#lastWriteAt = this.#startedAt;
    this.#writer = new CoalescingWriter(input.sink, input, () => this.#clientLeft());
    this.first = new Promise((resolve) => (this.#resolveFirst = resolve));
  }

  start(): void {
    this.#started = true;
    if (this.#input.heartbeat !== null) this.#writer.write(this.#input.heartbeat);
    this.#resolveFirst();
  }

  async run(): Promise<PumpEnd> {
    const { relay, settle } = this.#input;
    const reader = this.#reader;
    const stopTicking = this.#input.everySecond(() => this.#tick());
    const last = await this.#forward(reader);
    const tail = relay.meter.ended ? NOTHING : relay.end(this.#failure);
    const end = this.#ending();
    await settle(end);
    if (end.started) {
      this.#writer.write(last);
      this.#writer.write(tail);
      await this.#forwardRest(reader);
      await this.#writer.close();
    }
    reader.cancel().catch(() => undefined);
    stopTicking();
    this.#resolveFirst();
    return { ...end, clientGone: this.#writer.clientGone };
  }

  /** Reads to the end; gives the bytes of the terminal event, held back until the settlement. */
  async #forward(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> {
    const { relay } = this.#input;
    try {
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return NOTHING;
        this.#lastByteAt = this.#input.now();
        this.#progressed = true;
        const out = relay.push(value);
        this.#commit(out, relay.meter.error === null);
        if (relay.meter.ended || (relay.meter.error !== null && !this.#started)) {
          return out;
        }
        if (relay.meter.error !== null) this.#tailSince ??= this.#input.now();
        this.#writer.write(out);
        if (this.#writer.pendingBytes > LIMITS.bufferedBytesPerStream) await this.#waitForClient();
        if (this.#failure !== null) return NOTHING;
      }
    } catch {
      this.#failure ??= this.#stoppedForClient() ? null : BROKEN();
      return NOTHING;
    }
  }

  /** What the upstream still sends after its own terminator: its bytes are the caller's, and cost nothing. Not for long. */
  async #forwardRest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const { relay } = this.#input;
    if (!relay.meter.ended || !relay.passesRest()) return;
    this.#tailSince ??= this.#input.now();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        this.#writer.write(done ? relay.end(null) : relay.push(value));
        if (done || this.#writer.clientGone) return;
      }
    } catch {
      // The answer is whole and settled; what came after it broke off.
    }
  }

  /** A client that takes nothing holds the upstream back, but not for ever: then it counts as gone. */
  async #waitForClient(): Promise<void> {
    this.#waitingSince = this.#input.now();
    await this.#writer.drained();
    this.#waitingSince = null;
    this.#lastByteAt = this.#input.now();
  }

  #commit(out: Uint8Array, healthy: boolean): void {
    if (this.#started || out.byteLength === 0) return;
    if (!healthy && !this.#input.relay.meter.contentSeen) return;
    this.#started = true;
    this.#resolveFirst();
  }

  #stoppedForClient(): boolean {
    return this.#writer.clientGone && !this.#input.drainWithoutClient;
  }

  #clientLeft(): void {
    this.#goneAt = this.#input.now();
    if (!this.#input.drainWithoutClient) this.#endUpstream();
  }

  #ending(): PumpEnd {
    const { meter } = this.#input.relay;
    const { error } = meter;
    const clientGone = this.#writer.clientGone;
    if (this.#stoppedForClient() && !meter.ended) return { ending: "client-gone", error: null, started: this.#started, clientGone };
    return { ending: error === null ? "complete" : "failed", error, started: this.#started, clientGone };
  }

  #tick(): void {
    const now = this.#input.now();
    if (this.#progressed) {
      this.#progressed = false;
      this.#input.onProgress();
    }
    if (this.#waitingSince !== null) {
      if (now - this.#waitingSince > LIMITS.clientStallMilliseconds) this.#writer.abandon();
    } else if (this.#tailSince !== null && now - this.#tailSince > LIMITS.errorTailMilliseconds) this.#endUpstream();
    else if (now - this.#lastByteAt > LIMITS.upstreamIdleMilliseconds) this.#fail(IDLE());
    else if (now - this.#startedAt > LIMITS.streamTotalMilliseconds) this.#fail(TOO_LONG());
    else if (this.#goneAt !== null && now - this.#goneAt > LIMITS.drainMilliseconds) this.#fail(TOO_LONG());
    else this.#beat(now);
  }

  #beat(now: number): void {
    const { heartbeat } = this.#input;
    const silentSince = Math.max(this.#lastByteAt, this.#lastWriteAt);
    if (heartbeat === null || !this.#started || now - silentSince < LIMITS.heartbeatMilliseconds) return;
    this.#lastWriteAt = now;
    this.#writer.write(heartbeat);
  }

  /**
   * Ends the upstream call by cancelling its body, which closes the connection. The signal given to `fetch` would do the same, but
   * workerd then keeps the signal, the body and the writer of every aborted stream for as long as the object lives (seen: 15 KB each).
   */
  #endUpstream(): void {
    this.#reader.cancel().catch(() => undefined);
  }

  #fail(error: GatewayError): void {
    this.#failure ??= error;
    this.#endUpstream();
  }
}

/** Starts pumping. The returned promises never reject. */
export function startPump(input: PumpInput): Pump {
  const pump = new StreamPump(input);
  return { first: pump.first, start: () => pump.start(), end: pump.run() };
}
