/**
 * The caller's end of a streamed answer, kept while one candidate after another is asked. A caller that has waited long enough is given its
 * status line and comments, which are no answer: another candidate may still give that. From then on a failure is told in the stream.
 */
import type { GatewayError } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { renderHeartbeat } from "../protocol/sse.ts";
import { CoalescingWriter } from "../runtime/coalescing-writer.ts";
import { errorAnswer } from "./answers.ts";
import type { OwnerPorts } from "./ports.ts";
import { recordingOf } from "./recorded-stream.ts";
import { type CallerEnd, kept, modelHeader, type Run } from "./run.ts";

export const HEARTBEAT = new TextEncoder().encode(renderHeartbeat);

export class CallerStream implements CallerEnd {
  readonly writer: CoalescingWriter;
  /** Resolves when the caller was given its status line before there was an answer. */
  readonly opened: Promise<Response>;
  readonly #run: Run;
  readonly #ports: OwnerPorts;
  readonly #readable: ReadableStream<Uint8Array>;
  #resolveOpened: (response: Response) => void = () => undefined;
  #response: Response | null = null;
  /** An answer is under way, or none will be. */
  #isDecided = false;

  constructor(run: Run, ports: OwnerPorts) {
    this.#run = run;
    this.#ports = ports;
    const { readable, writable } = ports.bytePipe();
    this.#readable = readable;
    const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => ports.runtime.after(milliseconds, resolve));
    this.writer = new CoalescingWriter(writable, { now: ports.runtime.now, pause }, () => this.#callerLeft());
    this.opened = new Promise((resolve) => (this.#resolveOpened = resolve));
  }

  open(): void {
    if (this.#isDecided || this.#response !== null) return;
    this.#resolveOpened(this.#give());
    this.#beat();
  }

  begin(): Response {
    this.#isDecided = true;
    return this.#give();
  }

  takeBack(): void {
    this.writer.whenGone(() => this.#callerLeft());
  }

  async fail(error: GatewayError): Promise<Response | null> {
    this.#isDecided = true;
    if (this.#response === null) return null;
    const { caller, live } = this.#run;
    const rendered = caller.renderStreamError(error, live.id);
    const bytes = typeof rendered === "string" ? new TextEncoder().encode(rendered) : rendered;
    const outlet = recordingOf(this.#run, streamHeaders(this.#run), this.#ports)?.outlet;
    this.writer.write(outlet?.push(bytes) ?? bytes);
    if (outlet !== undefined) this.writer.write(outlet.end());
    await this.writer.close();
    return this.#response;
  }

  #give(): Response {
    return (this.#response ??= new Response(this.#readable, { status: 200, headers: streamHeaders(this.#run) }));
  }

  /** Only server-sent events have comments. */
  #beat(): void {
    if (this.#isDecided || this.writer.clientGone || this.#run.caller.framing !== "sse") return;
    this.writer.write(HEARTBEAT);
    // Whoever has left is found by writing, so this is also how its upstream ends.
    this.#ports.runtime.after(LIMITS.probeMilliseconds, () => this.#beat());
  }

  #callerLeft(): void {
    const { envelope, live } = this.#run;
    if (this.#isDecided || envelope.on_disconnect === "finish") return;
    live.cancelled = true;
    live.stop?.();
  }
}

/** Calls `tick` every few hundred milliseconds, until the returned function is called. */
export function everyMoment({ after }: OwnerPorts["runtime"], tick: () => void): () => void {
  let callOff = after(LIMITS.probeMilliseconds, function again() {
    tick();
    callOff = after(LIMITS.probeMilliseconds, again);
  });
  return () => callOff();
}

export function streamHeaders(run: Run): Record<string, string> {
  return {
    ...run.envelope.answer_headers,
    ...modelHeader(run),
    ...run.lifecycle.headers,
    "content-type": run.caller.streamContentType,
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
    "x-plyrum-request-id": run.live.id,
    ...(run.envelope.resumable ? { "x-plyrum-resumable": "1" } : {}),
  };
}

/** Tells the caller that its request failed: as a status where it has none yet, else in its stream. */
export async function failureTo(run: Run, error: GatewayError, ports: OwnerPorts): Promise<Response> {
  const response = await kept(run, errorAnswer(run.caller, error, run.live.id, run.envelope.answer_headers), ports);
  return (await run.callerStream?.fail(error)) ?? response;
}
