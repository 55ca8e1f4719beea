/**
 * The one pump: upstream bytes → relay (meter, translation) → client. It ends in exactly one way, through `settle`, whatever
 * happened: a clean end, an error in the stream, a time-out, or a client that left (gateways.md A21: one exit for all of them).
 */
import { gatewayError, type GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Relay } from "../protocol/relay-contract.ts";
import { hasBegun } from "./answer-reader.ts";
import { concatenated } from "./bytes.ts";
import { CoalescingWriter } from "./coalescing-writer.ts";
import { BROKEN, IDLE, NEVER_BEGAN, TOO_LONG } from "./stream-faults.ts";
import { type Timeouts, timeoutsOf } from "./timeouts.ts";

export type PumpEnding = "complete" | "failed" | "client-gone" | "cut";

export interface PumpEnd {
  ending: PumpEnding;
  error: GatewayError | null;
  /** False when nothing was ever written: the caller can still be given a real status. */
  started: boolean;
  clientGone: boolean;
}

/** What stands between the answer and its caller. It sees all bytes of the answer, also those nobody is there for, but no heartbeats. */
export interface Outlet {
  /** The bytes as they are to be sent; an event that is not complete may be held back. */
  push: (bytes: Uint8Array) => Uint8Array;
  /** The answer has ended: what was held back. */
  end: () => Uint8Array;
}

export interface PumpInput {
  source: ReadableStream<Uint8Array>;
  /** The client; a writer is one that other pumps wrote to, or may yet: it stays open when this one never started. */
  sink: WritableStream<Uint8Array> | CoalescingWriter;
  /** Gives nothing out before the answer has begun (answer-reader.ts): until then it can still fail as if it had never been. */
  holdsBeginning?: boolean;
  relay: Relay;
  /** After the client has left: read on to the end (its cost is owed anyway), or end the upstream. */
  drainWithoutClient: boolean;
  /** Called once, when the client is found to have left. */
  onClientGone?: () => void;
  /** A comment that keeps idle connections open; null where the wire has none. */
  heartbeat: Uint8Array | null;
  outlet?: Outlet | null;
  /** Left out: our own bounds. */
  timeouts?: Pick<Timeouts, "firstToken" | "idle" | "total">;
  now: () => number;
  pause: (milliseconds: number) => Promise<void>;
  /** Calls `tick` about once a second until the returned function is called. */
  everySecond: (tick: () => void) => () => void;
  /**
   * Calls `tick` a few times a second until the returned function is called. A client that has left is only found by writing to it, and it
   * takes two writes: where leaving ends the upstream, one that gets nothing for so long is sent a heartbeat. Left out: it is not looked for.
   */
  everyMoment?: (tick: () => void) => () => void;
  /** Asked after each piece of the answer: null when it goes on; a promise is waited for, and gives the reason when the answer is to be cut. */
  afford?: () => Promise<GatewayError | null> | null;
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
  /** Ends the answer now, as if its caller had left and wanted no more of it. */
  cancel: () => void;
  end: Promise<PumpEnd>;
}

const CANCELLED = (): GatewayError => gatewayError("invalid_transition", "The request was cancelled before the end of its answer.");

const NOTHING = new Uint8Array(0);

class StreamPump {
  #input: PumpInput;
  #timeouts: Pick<Timeouts, "firstToken" | "idle" | "total">;
  #reader: ReadableStreamDefaultReader<Uint8Array>;
  #writer: CoalescingWriter;
  #started = false;
  #failure: GatewayError | null = null;
  #cutFor: GatewayError | null = null;
  #lastByteAt: number;
  #lastWriteAt: number;
  #startedAt: number;
  #goneAt: number | null = null;
  #tailSince: number | null = null;
  #waitingSince: number | null = null;
  #progressed = false;
  #cancelled = false;
  #beginning: Uint8Array[] = [];
  #beginningBytes = 0;
  #resolveFirst: () => void = () => undefined;
  first: Promise<void>;

  constructor(input: PumpInput) {
    this.#input = input;
    this.#timeouts = input.timeouts ?? timeoutsOf({});
    this.#reader = input.source.getReader();
    this.#startedAt = input.now();
    this.#lastByteAt = this.#startedAt;
    this.#lastWriteAt = this.#startedAt;
    this.first = new Promise((resolve) => (this.#resolveFirst = resolve));
    this.#writer = input.sink instanceof CoalescingWriter ? input.sink : new CoalescingWriter(input.sink, input, () => undefined);
    this.#writer.whenGone(() => this.#clientLeft());
  }

  start(): void {
    this.#started = true;
    if (this.#input.heartbeat !== null) this.#writer.write(this.#input.heartbeat);
    this.#resolveFirst();
  }

  cancel(): void {
    if (this.#input.relay.meter.ended) return;
    this.#cancelled = true;
    this.#fail(CANCELLED());
  }

  /** To the caller, by way of the outlet. */
  #send(bytes: Uint8Array): void {
    this.#writer.write(this.#input.outlet?.push(bytes) ?? bytes);
  }

  async run(): Promise<PumpEnd> {
    const { relay, settle } = this.#input;
    const reader = this.#reader;
    const stopTicking = this.#input.everySecond(() => this.#tick());
    const stopLooking = this.#input.drainWithoutClient ? undefined : this.#input.everyMoment?.(() => this.#look());
    const last = await this.#forward(reader);
    const tail = relay.meter.ended ? NOTHING : this.#released(relay.end(this.#failure));
    if (this.#input.holdsBeginning === true) this.#commit(tail, relay.meter.error === null);
    const end = this.#ending();
    await settle(end);
    if (end.started) {
      this.#send(last);
      this.#send(tail);
      await this.#forwardRest(reader);
      this.#writer.write(this.#input.outlet?.end() ?? NOTHING);
      await this.#writer.close();
    }
    reader.cancel().catch(() => undefined);
    stopTicking();
    stopLooking?.();
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
        const out = this.#released(relay.push(value));
        this.#commit(out, relay.meter.error === null);
        if (relay.meter.ended || (relay.meter.error !== null && !this.#started)) {
          return out;
        }
        if (relay.meter.error !== null) this.#tailSince ??= this.#input.now();
        this.#send(out);
        if (this.#writer.pendingBytes > LIMITS.bufferedBytesPerStream) await this.#waitForClient();
        const afforded = this.#input.afford?.() ?? null;
        if (this.#failure !== null || (afforded !== null && (await this.#isCut(afforded)))) return NOTHING;
      }
    } catch {
      this.#failure ??= this.#stoppedForClient() ? null : BROKEN();
      return NOTHING;
    }
  }

  /** True when the answer may not go on. The upstream waits meanwhile, so nothing comes that is not paid for. */
  async #isCut(afforded: Promise<GatewayError | null>): Promise<boolean> {
    this.#cutFor = await afforded;
    this.#lastByteAt = this.#input.now();
    if (this.#cutFor !== null) this.#endUpstream();
    return this.#cutFor !== null;
  }

  /** What the upstream still sends after its own terminator: its bytes are the caller's, and cost nothing. Not for long. */
  async #forwardRest(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
    const { relay } = this.#input;
    if (!relay.meter.ended || !relay.passesRest()) return;
    this.#tailSince ??= this.#input.now();
    try {
      for (;;) {
        const { value, done } = await reader.read();
        this.#send(done ? relay.end(null) : relay.push(value));
        if (done || (this.#writer.clientGone && (this.#input.outlet ?? null) === null)) return;
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

  /** What may be given out: nothing, while all of it may still be taken back. */
  #released(bytes: Uint8Array): Uint8Array {
    if (this.#started || this.#input.holdsBeginning !== true) return bytes;
    this.#beginning.push(bytes);
    this.#beginningBytes += bytes.byteLength;
    if (!hasBegun(this.#input.relay.meter) && this.#beginningBytes <= LIMITS.heldBeginningBytes) return NOTHING;
    return concatenated(this.#beginning.splice(0));
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
    this.#input.onClientGone?.();
    if (!this.#input.drainWithoutClient) this.#endUpstream();
  }

  #ending(): PumpEnd {
    const { meter } = this.#input.relay;
    const { error } = meter;
    const clientGone = this.#writer.clientGone;
    if (this.#cutFor !== null) return { ending: "cut", error: this.#cutFor, started: this.#started, clientGone };
    if ((this.#cancelled || this.#stoppedForClient()) && !meter.ended)
      return { ending: "client-gone", error: null, started: this.#started, clientGone };
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
    else if (this.#goneAt !== null && now - this.#goneAt > LIMITS.drainMilliseconds) this.#fail(TOO_LONG());
    else {
      const overdue = this.#overdue(now);
      if (overdue === null) this.#beat(now, LIMITS.heartbeatMilliseconds);
      else this.#fail(overdue);
    }
  }

  /** Whose time ran out, the earliest of them. */
  #overdue(now: number): GatewayError | null {
    const { firstToken, idle, total } = this.#timeouts;
    const dues: [number, () => GatewayError][] = [
      [this.#startedAt + total, TOO_LONG],
      [hasBegun(this.#input.relay.meter) ? Infinity : this.#startedAt + firstToken, NEVER_BEGAN],
      [this.#lastByteAt + idle, IDLE],
    ];
    const [first] = dues.filter(([due]) => now > due).toSorted(([left], [right]) => left - right);
    return first === undefined ? null : first[1]();
  }

  #look(): void {
    if (this.#waitingSince === null && !this.#writer.clientGone) this.#beat(this.#input.now(), LIMITS.probeMilliseconds);
  }

  #beat(now: number, silence: number): void {
    const { heartbeat } = this.#input;
    const silentSince = Math.max(this.#lastByteAt, this.#lastWriteAt);
    if (heartbeat === null || !this.#started || now - silentSince < silence) return;
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
  return { first: pump.first, start: () => pump.start(), cancel: () => pump.cancel(), end: pump.run() };
}
