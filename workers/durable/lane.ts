/**
 * A lane: the owner of many requests inside one object. It wires the engine's ports to storage, network and clock, keeps who watches
 * which request, and finds orphans. Lane 0 lives in the account's own object (one hop fewer, and the ledger is a function call: measured
 * at about half the CPU of a second object); further lanes are `RequestDO` objects.
 */
import { gatewayError } from "../../schema/error.ts";
import type { Hold } from "../../schema/ledger.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { ServeEnvelope } from "../../schema/plan.ts";
import type { LifecycleFrame, StoredRequest } from "../../schema/request.ts";
import type { AddressView, RoutedRequest } from "../../schema/routing.ts";
import type { ServeResult } from "../../schema/rpc.ts";
import { errorAnswer } from "../engine/answers.ts";
import { isEnded } from "../engine/live-request.ts";
import { ownRequest } from "../engine/own-request.ts";
import type { ConversationPort, LedgerPort, OwnerPorts, RecordingPort } from "../engine/ports.ts";
import { recoverRequest } from "../engine/recover-request.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { addressHealth, type SeenHealth } from "./address-health.ts";
import { Deadlines } from "./deadlines.ts";
import { RequestRows } from "./request-rows.ts";
import { StreamRows } from "./stream-rows.ts";
import { writeEvents } from "./write-events.ts";

export interface LaneWiring {
  name: string;
  context: DurableObjectState;
  /** The way to the providers. */
  upstream: Pick<Fetcher, "fetch">;
  ledger: LedgerPort;
  ledgerIsLocal: boolean;
  /** Where an account's kept answers are. */
  conversations: ConversationPort;
  /** Where recorded upstream bytes are kept. */
  recordings: RecordingPort;
  /** The open holds of this lane: which requests have not ended, and the price snapshot each is settled by. */
  openHolds: () => Promise<Hold[]>;
}

type Watcher = (frame: LifecycleFrame) => void;

export class Lane {
  readonly rows: RequestRows;
  readonly #records: StreamRows;
  readonly #cancels = new Map<string, () => Promise<void>>();
  readonly #wiring: LaneWiring;
  readonly #ports: OwnerPorts;
  readonly #running = new Set<string>();
  readonly #opened = new Set<string>();
  readonly #deadlines = new Deadlines();
  readonly #health = addressHealth(() => Date.now());
  readonly #watchers = new Map<string, Set<Watcher>>();

  constructor(wiring: LaneWiring) {
    this.#wiring = wiring;
    this.rows = new RequestRows(wiring.context.storage.sql, () => Date.now());
    this.#records = new StreamRows(wiring.context.storage.sql, () => Date.now());
    this.#ports = this.#wire();
  }

  /** Requests that run here now. */
  get running(): number {
    return this.#running.size;
  }

  async serve(envelope: ServeEnvelope): Promise<ServeResult> {
    // Counted from here on, so that a crowd at the door is seen before it is let in.
    this.#running.add(envelope.request_id);
    try {
      return await ownRequest(envelope, this.#ports);
    } catch (error) {
      console.error("request failed inside its owner", envelope.request_id, error);
      // Whatever went wrong, its hold must end: it is an orphan now, like one of a life before.
      this.#opened.delete(envelope.request_id);
      this.#running.delete(envelope.request_id);
      this.#wiring.context.waitUntil(this.recover().catch((failed: unknown) => console.error("an orphan waits for the alarm", failed)));
      const failure = gatewayError("internal_error", "The gateway failed. The request is settled by what is known of it.");
      return errorAnswer(PROTOCOLS[envelope.protocol], failure, envelope.request_id);
    } finally {
      // Refused or replayed: it never opened a row, so nobody will see it end.
      if (!this.#opened.has(envelope.request_id)) this.#running.delete(envelope.request_id);
    }
  }

  /** Ends every stored request that nobody runs. Gives how many. */
  async recover(): Promise<number> {
    let recovered = 0;
    for (const hold of await this.#wiring.openHolds()) {
      if (hold.lane !== this.#wiring.name || this.#running.has(hold.request_id)) continue;
      if (await this.#recoverOne(hold)) recovered += 1;
    }
    return recovered;
  }

  /** False: it could not be ended now. That holds up no other orphan, and its hold ends at its expiry at the latest. */
  async #recoverOne(hold: Hold): Promise<boolean> {
    try {
      const stored = this.rows.read(hold.request_id);
      // A hold without a row was admitted and never dispatched: its owner died in between, so it costs nothing.
      if (stored === null) await this.#wiring.ledger.release({ request_id: hold.request_id, reason: "not_dispatched", record: null });
      else await recoverRequest(stored, hold.snapshot, this.#ports);
      return true;
    } catch (error) {
      console.error("an orphaned request could not be ended yet", hold.request_id, error);
      return false;
    }
  }

  /** How an address has done here lately. */
  look(address: string): SeenHealth {
    return this.#health.look(address);
  }

  /** Every address that was asked here lately. */
  addresses(): AddressView[] {
    return this.#health.all();
  }

  decisions(): RoutedRequest[] {
    return this.rows.decisions();
  }

  stored(requestId: string): StoredRequest | null {
    return this.rows.read(requestId);
  }

  /** Frames after `afterSeq` as server-sent events, until the request has ended. */
  events(requestId: string, afterSeq: number): ReadableStream<Uint8Array> | null {
    const stored = this.rows.read(requestId);
    if (stored === null) return null;
    const pipe = new IdentityTransformStream();
    const writer = pipe.writable.getWriter();
    const encoder = new TextEncoder();
    let sent = afterSeq;
    const write = (frame: LifecycleFrame): void => {
      if (frame.seq <= sent) return;
      sent = frame.seq;
      const text = `id: ${frame.seq}\nevent: ${frame.event}\ndata: ${JSON.stringify({ request_id: requestId, ...frame })}\n\n`;
      writer.write(encoder.encode(text)).catch(() => this.#watchers.get(requestId)?.delete(watcher));
      if (frame.event === "settled" || frame.event === "released") writer.close().catch(() => undefined);
    };
    const watcher: Watcher = (frame) => write(frame);
    if (!isEnded(stored.frames)) this.#watchersOf(requestId).add(watcher);
    for (const frame of stored.frames) write(frame);
    if (isEnded(stored.frames) && sent <= afterSeq) writer.close().catch(() => undefined);
    return pipe.readable;
  }

  /** A recorded stream from after an event on; one that has not begun is waited for. Null when there is none. */
  async resume(requestId: string, after: number): Promise<Response | null> {
    for (let waited = 0; waited < LIMITS.upstreamHeadersMilliseconds; waited += BEGIN_POLL_MILLISECONDS) {
      const begun = this.#recorded(requestId, after);
      // Only a request that can be gone on with can be called off.
      if (begun !== null || !this.#cancels.has(requestId)) return begun;
      await new Promise((resolve) => setTimeout(resolve, BEGIN_POLL_MILLISECONDS));
    }
    return null;
  }

  #recorded(requestId: string, after: number): Response | null {
    const found = this.#records.read(requestId, after);
    if (found === null) return null;
    const pipe = new IdentityTransformStream();
    this.#wiring.context.waitUntil(writeEvents(found.events, pipe.writable));
    return new Response(pipe.readable, { headers: found.headers });
  }

  /** Ends a recorded request that is under way. False: it is not. */
  async cancel(requestId: string): Promise<boolean> {
    const cancel = this.#cancels.get(requestId);
    await cancel?.();
    return cancel !== undefined;
  }

  /** When recorded streams are to be deleted next; null when there are none. */
  get pruneAt(): number | null {
    return this.#records.pruneAt;
  }

  /** Deletes what is past its retention. */
  prune(): void {
    this.rows.prune();
    this.#records.prune();
  }

  #watchersOf(requestId: string): Set<Watcher> {
    const watchers = this.#watchers.get(requestId) ?? new Set();
    this.#watchers.set(requestId, watchers);
    return watchers;
  }

  #publish(requestId: string, frame: LifecycleFrame): void {
    for (const watcher of this.#watchers.get(requestId) ?? []) watcher(frame);
    if (frame.event !== "settled" && frame.event !== "released") return;
    this.#watchers.delete(requestId);
    this.#running.delete(requestId);
    this.#opened.delete(requestId);
    this.#cancels.delete(requestId);
  }

  #wire(): OwnerPorts {
    const { context, name, upstream, ledger, ledgerIsLocal, conversations, recordings } = this.#wiring;
    return {
      lane: name,
      ledger,
      ledgerIsLocal,
      requests: {
        open: (id, facts, frames) => {
          this.rows.open(id, facts, frames);
          this.#opened.add(id);
        },
        save: (id, change) => this.rows.save(id, change),
        keepAnswer: (id, answer) => this.rows.keepAnswer(id, answer),
        answer: (id) => this.rows.answer(id),
      },
      streams: { open: (id, facts) => this.#records.open(id, facts), replay: (id) => this.#recorded(id, -1) },
      conversations,
      recordings,
      onCancel: (id, cancel) => this.#cancels.set(id, cancel),
      runtime: {
        fetch: (url, init) => upstream.fetch(url, init),
        now: () => Date.now(),
        after: (milliseconds, action) =>
          milliseconds < COARSE_MILLISECONDS ? exactTimer(milliseconds, action) : this.#deadlines.add(milliseconds, action),
      },
      health: this.#health,
      random: () => Math.random(),
      everySecond: (tick) => {
        const timer = setInterval(tick, LIMITS.progressWriteMilliseconds);
        return () => clearInterval(timer);
      },
      bytePipe: () => new IdentityTransformStream(),
      keepAlive: (work) => context.waitUntil(work),
      publish: (id, frame) => this.#publish(id, frame),
      untilDone,
    };
  }
}

/** How often a reader that came early looks for the stream. */
const BEGIN_POLL_MILLISECONDS = 25;

/** Timers at least this long may ring up to a second late, and share one interval. */
const COARSE_MILLISECONDS = 10_000;

function exactTimer(milliseconds: number, action: () => void): () => void {
  const timer = setTimeout(action, milliseconds);
  return () => clearTimeout(timer);
}

/** Repeats with growing pauses. Ends only by success: the object's alarm takes over should the object itself die. */
async function untilDone(action: () => Promise<void>): Promise<void> {
  for (let pause = 50; ; pause = Math.min(pause * 2, LIMITS.settleRetryMillisecondsMax)) {
    try {
      return await action();
    } catch (error) {
      console.error("a settlement did not land yet", error);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
}
