/** Upstreams that do as they are told, on a virtual clock, for runs of a plan in plain Node. */
import type { PlanAttempt } from "../../schema/plan.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { AttemptRecord } from "../../schema/request.ts";
import { VirtualClock } from "../../scripts/replay/virtual-clock.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";
import { type CallEnding, type AskPorts, addressOf } from "../../workers/runtime/ask-address.ts";
import { infer, type InferCall } from "../../workers/runtime/infer.ts";

/** A piece of a body, after so many milliseconds of silence. */
export type Piece = string | Uint8Array | { after: number; bytes: string | Uint8Array };

/** What one call brings: nothing at all, a broken connection, or an answer. */
export type Reply =
  | "silence"
  | "refused"
  | { status?: number; type?: string; headers?: Record<string, string>; pieces: readonly Piece[]; ends?: "end" | "broken" | "silence" };

export interface Call {
  url: string;
  headers: Record<string, string>;
  body: string;
  at: number;
  /** When we ended it, on the virtual clock; null while we have not. */
  endedByUsAt: number | null;
}

export interface Stage {
  clock: VirtualClock;
  calls: Call[];
  attempts: AttemptRecord[];
  endings: [string, CallEnding][];
  rests: Map<string, number>;
  ports: AskPorts;
}

export function attempt(provider: string, protocol: ProtocolId, more: Partial<PlanAttempt> = {}): PlanAttempt {
  return {
    provider,
    model: "m",
    protocol,
    url: `https://${provider}.test/v1`,
    auth: { kind: "bearer" },
    headers: {},
    passed_headers: [],
    abort_stops_billing: true,
    quirks: {},
    ...more,
  };
}

const encoder = new TextEncoder();
const bytesOf = (text: string | Uint8Array): Uint8Array => (typeof text === "string" ? encoder.encode(text) : text);

/** `replies`: what each call brings, in order, by the provider's name. */
export function stage(replies: Record<string, Reply[]>): Stage {
  const clock = new VirtualClock();
  const calls: Call[] = [];
  const attempts: AttemptRecord[] = [];
  const endings: [string, CallEnding][] = [];
  const rests = new Map<string, number>();
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const provider = new URL(url).hostname.split(".")[0] ?? "";
    const body = init.body instanceof Uint8Array ? new TextDecoder().decode(init.body) : "";
    const call: Call = { url, headers: Object.fromEntries(new Headers(init.headers)), body, at: clock.now(), endedByUsAt: null };
    calls.push(call);
    if (init.signal?.aborted === true) throw new DOMException("aborted", "AbortError");
    const reply = replies[provider]?.shift() ?? "refused";
    if (reply === "refused") throw new TypeError("refused");
    if (reply === "silence") {
      return new Promise((_, reject) => {
        init.signal?.addEventListener("abort", () => {
          call.endedByUsAt = clock.now();
          reject(new DOMException("aborted", "AbortError"));
        });
      });
    }
    const headers = { "content-type": reply.type ?? "text/event-stream", ...reply.headers };
    return new Response(bodyOf(reply, call, { clock, signal: init.signal }), { status: reply.status ?? 200, headers });
  };
  return {
    clock,
    calls,
    attempts,
    endings,
    rests,
    ports: {
      runtime: { fetch, now: () => clock.now(), after: (milliseconds, action) => clock.after(milliseconds, action) },
      health: {
        enter: (address) => rests.get(address) ?? null,
        leave: (address, ended) => void endings.push([address.split(" ")[0] ?? "", ended]),
      },
      random: () => 0.5,
      onAttempt: (record) => void attempts.push(record),
    },
  };
}

function bodyOf(
  { pieces, ends = "end" }: Exclude<Reply, string>,
  call: Call,
  { clock, signal }: { clock: VirtualClock; signal: AbortSignal | null | undefined },
): ReadableStream<Uint8Array> {
  let next = 0;
  const note = (): void => void (call.endedByUsAt ??= clock.now());
  return new ReadableStream<Uint8Array>(
    {
      start: (controller) => {
        signal?.addEventListener("abort", () => {
          note();
          controller.error(new DOMException("aborted", "AbortError"));
        });
      },
      pull: async (controller) => {
        const piece = pieces[next++];
        if (piece !== undefined) {
          const waits = typeof piece === "object" && "after" in piece;
          if (waits) await clock.until(clock.now() + piece.after);
          return controller.enqueue(bytesOf(waits ? piece.bytes : piece));
        }
        if (ends === "end") controller.close();
        else if (ends === "broken") controller.error(new TypeError("broken"));
        else return new Promise<void>(() => undefined);
      },
      cancel: note,
    },
    { highWaterMark: 0 },
  );
}

/** Runs a plan of these attempts to its end. */
export async function run(on: Stage, attempts: PlanAttempt[], more: Partial<InferCall> = {}): Promise<CanonicalEvent[]> {
  const call: InferCall = { requestId: "req_test", stream: true, bodies: attempts.map(() => encoder.encode("{}")), ...more };
  const events: CanonicalEvent[] = [];
  for await (const event of infer({ attempts }, call, on.ports)) events.push(event);
  return events;
}

/** The address of an attempt rests for so long. */
export function rest(on: Stage, of: PlanAttempt, milliseconds: number): void {
  on.rests.set(addressOf(of), milliseconds);
}

/** A chunk of Chat Completions. */
export function chunk(delta: object, finish: string | null = null): string {
  return `data: ${JSON.stringify({ id: "c1", object: "chat.completion.chunk", model: "m", choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
}

/** A whole stream that says one word. */
export function saying(word: string): string[] {
  const usage = `data: ${JSON.stringify({ id: "c1", choices: [], usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 } })}\n\n`;
  return [chunk({ role: "assistant", content: "" }), chunk({ content: word }), chunk({}, "stop"), usage, "data: [DONE]\n\n"];
}

export function textOf(events: readonly CanonicalEvent[]): string {
  return events.map((event) => (event.type === "text-delta" ? event.text : "")).join("");
}
