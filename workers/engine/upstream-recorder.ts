/**
 * Records what upstreams send for one request, where that was asked for (schema/recording.ts): the engine's own ports, with an ear to them.
 * Bounded: an answer that is too large is not recorded at all. An answer that repeats a credential is not either.
 */
import { LIMITS } from "../../schema/limits.ts";
import { eventLine, RECORDED_HEADERS, type RecordedCall, type RecordedStep } from "../../schema/recording.ts";
import type { CanonicalEvent } from "../protocol/canonical.ts";
import { createEventReader, type EventReader } from "../protocol/read-events.ts";
import type { Meter } from "../protocol/relay-contract.ts";
import type { HealthPort } from "../runtime/ask-address.ts";
import type { RuntimePorts } from "../runtime/send-attempt.ts";
import { concatenated } from "../runtime/bytes.ts";

/** What was recorded, for whoever keeps it. */
export interface UpstreamRecord {
  steps: RecordedStep[];
  bodies: Uint8Array[];
  stopped: boolean;
  /** The lines of the run's events (schema/recording.ts). */
  lines: string[];
}

export class UpstreamRecorder {
  readonly #startedAt: number;
  readonly #now: () => number;
  readonly #steps: RecordedStep[] = [];
  readonly #bodies: Uint8Array[][] = [];
  #lines: string[] = [];
  #events: EventReader = createEventReader();
  #tail: string[] = [];
  #size = 0;
  #pieces = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#startedAt = now();
  }

  /** Another candidate takes over: what an earlier one said is none of the answer. */
  begin(): void {
    this.#lines = [];
    this.#tail = [];
    this.#events = createEventReader();
  }

  /** The next events of the answer. */
  note(events: readonly CanonicalEvent[], meter: Pick<Meter, "error">): void {
    this.#keepLines(this.#lines, this.#events.take(events, meter));
  }

  /** Events that came of ending the answer: they count unless the run is called off. */
  noteTail(events: readonly CanonicalEvent[], meter: Pick<Meter, "error">): void {
    this.#keepLines(this.#tail, this.#events.take(events, meter));
  }

  /** Null: too much to be kept, or it holds one of these secrets. */
  finish(stopped: boolean, { error, secrets }: { error: Meter["error"]; secrets: readonly string[] }): UpstreamRecord | null {
    if (!stopped) this.noteTail([], { error });
    const lines = stopped ? this.#lines : [...this.#lines, ...this.#tail];
    if (this.#size > LIMITS.recordedBytes || this.#pieces > LIMITS.recordedPieces) return null;
    const bodies = this.#bodies.map(concatenated);
    if (bodies.some((body) => holdsSecret(body, secrets))) return null;
    return { steps: this.#steps, bodies, stopped, lines };
  }

  /** The network as it is, with what comes from it noted. */
  runtime(ports: RuntimePorts): RuntimePorts {
    return { ...ports, fetch: (url, init) => this.#hearing(ports, url, init) };
  }

  health(port: HealthPort): HealthPort {
    return {
      enter: (address) => {
        const rest = port.enter(address);
        if (rest !== null) this.#steps.push({ kind: "rest", address, rest_ms: Math.max(0, Math.ceil(rest)) });
        return rest;
      },
      leave: (address, ended, latency) => port.leave(address, ended, latency),
    };
  }

  async #hearing(ports: RuntimePorts, url: string, init: RequestInit): Promise<Response> {
    const parts: Uint8Array[] = [];
    const call: RecordedCall = {
      kind: "call",
      number: this.#bodies.push(parts),
      at: this.#elapsed(),
      status: null,
      headers: {},
      answered_at: null,
      pieces: [],
      ended: "open",
      ended_at: null,
    };
    this.#steps.push(call);
    try {
      const response = await ports.fetch(url, init);
      const headers = [...response.headers].filter(([name]) => RECORDED_HEADERS.has(name.toLowerCase()));
      Object.assign(call, { status: response.status, headers: Object.fromEntries(headers), answered_at: this.#elapsed() });
      // The body is given decoded and in pieces, so what was said of its packing no longer holds.
      const given = new Headers(response.headers);
      for (const name of ["content-encoding", "content-length"]) given.delete(name);
      return new Response(this.#heard(response, call, { parts, signal: init.signal }), { status: response.status, headers: given });
    } catch (error) {
      // A call that we ended ourselves is one that never answered.
      if (init.signal?.aborted !== true) Object.assign(call, { ended: "broken", ended_at: this.#elapsed() });
      throw error;
    }
  }

  /** The body piece by piece, only as fast as it is read, so that what is noted is what was read. */
  #heard(
    { body }: Response,
    call: RecordedCall,
    { parts, signal }: { parts: Uint8Array[]; signal: AbortSignal | null | undefined },
  ): ReadableStream<Uint8Array> | null {
    if (body === null) {
      Object.assign(call, { ended: "end", ended_at: this.#elapsed() });
      return null;
    }
    const reader = body.getReader();
    let isCancelled = false;
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const { value, done } = await reader.read();
            if (isCancelled) return;
            if (done) {
              Object.assign(call, { ended: "end", ended_at: this.#elapsed() });
              return controller.close();
            }
            this.#keepPiece(value, call, parts);
            controller.enqueue(value);
          } catch (error) {
            if (!isCancelled && signal?.aborted !== true) Object.assign(call, { ended: "broken", ended_at: this.#elapsed() });
            controller.error(error);
          }
        },
        cancel: (reason) => {
          isCancelled = true;
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
  }

  #keepPiece(piece: Uint8Array, call: RecordedCall, parts: Uint8Array[]): void {
    this.#size += piece.byteLength;
    this.#pieces += 1;
    if (this.#size > LIMITS.recordedBytes || this.#pieces > LIMITS.recordedPieces) return this.#forget();
    parts.push(piece.slice());
    call.pieces.push([this.#elapsed(), piece.byteLength]);
  }

  #keepLines(lines: string[], events: readonly CanonicalEvent[]): void {
    for (const event of events) {
      const line = eventLine(event);
      this.#size += line.length;
      if (this.#size > LIMITS.recordedBytes) return this.#forget();
      lines.push(line);
    }
  }

  /** Too much: what there is takes memory for nothing. */
  #forget(): void {
    for (const parts of this.#bodies) parts.length = 0;
    this.#lines.length = 0;
    this.#tail.length = 0;
  }

  #elapsed(): number {
    return Math.max(0, Math.round(this.#now() - this.#startedAt));
  }
}

/** The parts of credentials that are long enough to be secret; some are several, with colons between them. */
export function secretsOf(credentials: readonly (string | null)[]): string[] {
  return credentials.flatMap((credential) => credential?.split(":") ?? []).filter((part) => part.length >= SECRET_CHARACTERS);
}

const SECRET_CHARACTERS = 8;
const LATIN = new TextDecoder("latin1");

function holdsSecret(body: Uint8Array, secrets: readonly string[]): boolean {
  const text = LATIN.decode(body);
  return secrets.some((secret) => text.includes(secret));
}
