/**
 * Runs a stored plan over what its upstreams sent, in plain Node: the same `infer` that serves requests, on a virtual clock, with a network
 * that says what was recorded. The events must be those of the run.
 */
import { digestOf } from "../../db/event-digest.ts";
import { eventLine, type RecordedCall, type Recording } from "../../schema/recording.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { infer } from "../../workers/runtime/infer.ts";
import { VirtualClock } from "./virtual-clock.ts";

/** Timers of a lane may ring that late, and a piece that came meanwhile was still taken. */
const LATEST_MILLISECONDS = 2_000;

export interface Replayed {
  events: CanonicalEvent[];
  count: number;
  sha256: string;
  /** Its events are those of the run. */
  isSame: boolean;
}

export async function replayRecording(recording: Recording, bodies: readonly Uint8Array[]): Promise<Replayed> {
  const world = new RecordedWorld(recording, bodies);
  const { plan, request_id: requestId, stream } = recording;
  const call = { requestId, stream, bodies: [], signal: world.signal };
  const events: CanonicalEvent[] = [];
  const ports = {
    runtime: {
      fetch: (_: string, init: RequestInit) => world.fetch(init),
      now: () => world.clock.now(),
      after: (milliseconds: number, action: () => void) => world.clock.after(milliseconds + LATEST_MILLISECONDS, action),
    },
    health: { enter: () => world.enter(), leave: () => undefined },
    random: () => 0,
    onAttempt: () => undefined,
  };
  for await (const event of infer(plan, call, ports)) events.push(event);
  const lines = events.map(eventLine);
  const sha256 = digestOf(lines);
  return { events, count: lines.length, sha256, isSame: sha256 === recording.events.sha256 && lines.length === recording.events.count };
}

/** What was recorded, step by step, as the run asked for it. Where there is nothing more, the run was called off. */
class RecordedWorld {
  readonly clock = new VirtualClock();
  readonly #recording: Recording;
  readonly #bodies: readonly Uint8Array[];
  readonly #over = new AbortController();
  #step = 0;

  constructor(recording: Recording, bodies: readonly Uint8Array[]) {
    this.#recording = recording;
    this.#bodies = bodies;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  enter(): number | null {
    const step = this.#recording.steps[this.#step];
    if (step?.kind !== "rest") return null;
    this.#step += 1;
    return step.rest_ms;
  }

  async fetch({ signal }: RequestInit): Promise<Response> {
    const step = this.#recording.steps[this.#step];
    if (step?.kind !== "call") return this.#end();
    this.#step += 1;
    const start = this.clock.now() - step.at;
    if (step.status === null) {
      if (step.ended === "broken") throw new TypeError("the connection failed");
      if (this.#isLast(step)) return this.#end();
      return silence(signal);
    }
    await this.clock.until(start + (step.answered_at ?? step.at));
    return new Response(this.#bodyOf(step, start, signal), { status: step.status, headers: step.headers });
  }

  #end(): never {
    this.#over.abort();
    throw new TypeError("nothing more was recorded");
  }

  /** The run was called off during this call. */
  #isLast(call: RecordedCall): boolean {
    return this.#recording.stopped && this.#recording.steps.at(-1) === call;
  }

  /** The pieces at the times they came. `start`: when the run began, on this clock. */
  #bodyOf(call: RecordedCall, start: number, signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> | null {
    if (call.status !== null && [204, 205, 304].includes(call.status)) return null;
    const body = this.#bodies[call.number - 1] ?? new Uint8Array(0);
    let piece = 0;
    let at = 0;
    return new ReadableStream<Uint8Array>(
      {
        start: (controller) => signal?.addEventListener("abort", () => controller.error(aborted())),
        pull: async (controller) => {
          const next = call.pieces[piece];
          if (next !== undefined) {
            const [time, length] = next;
            await this.clock.until(start + time);
            piece += 1;
            at += length;
            return controller.enqueue(body.slice(at - length, at));
          }
          if (call.ended === "open" && this.#isLast(call)) return this.#over.abort();
          if (call.ended === "open") return new Promise<void>(() => undefined);
          await this.clock.until(start + (call.ended_at ?? 0));
          if (call.ended === "end") controller.close();
          else controller.error(new TypeError("the connection broke"));
        },
      },
      { highWaterMark: 0 },
    );
  }
}

function silence(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(aborted()));
  });
}

function aborted(): DOMException {
  return new DOMException("aborted", "AbortError");
}
