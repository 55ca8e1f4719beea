/** Plans run twice in plain Node: over every body there is, however it is cut into pieces, and over what a recorder kept of the first run. */
import { describe, expect, test } from "vitest";
import { digestOf } from "../../db/event-digest.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import { eventLine, type Recording } from "../../schema/recording.ts";
import { replayRecording } from "../../scripts/replay/replay-recording.ts";
import { secretsOf, UpstreamRecorder } from "../../workers/engine/upstream-recorder.ts";
import { infer } from "../../workers/runtime/infer.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { type Recording as Body, recordings, seededPlaces } from "../protocol/recordings.ts";
import { attempt, type Piece, type Reply, run, saying, type Stage, stage } from "./scripted-upstream.ts";

const bodies = recordings.filter(({ bytes }) => bytes.length > 0 && bytes.length < 300_000);

function typeOf({ protocol, stream, status }: Body): string {
  return stream && status === 200 ? PROTOCOLS[protocol].streamContentType : "application/json";
}

function cutAt(bytes: Uint8Array, places: readonly number[]): Piece[] {
  const ends = [...new Set([...places, bytes.length])].filter((end) => end > 0).toSorted((left, right) => left - right);
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : ends[index - 1], end));
}

function replyOf(body: Body, pieces: readonly Piece[]): Reply {
  return { status: body.status, type: typeOf(body), pieces };
}

describe("every body there is", () => {
  test(`has the same events however it is cut (${bodies.length} bodies)`, async () => {
    const different: string[] = [];
    for (const [index, body] of bodies.entries()) {
      const places = seededPlaces(index + 1, 12, body.bytes.length);
      const digests: string[] = [];
      for (const pieces of [[body.bytes], cutAt(body.bytes, places)]) {
        const on = stage({ one: Array.from({ length: 3 }, () => replyOf(body, pieces)) });
        const events = await run(on, [attempt("one", body.protocol)], { stream: body.stream });
        if (!["end", "error"].includes(events.at(-1)?.type ?? "none")) different.push(`${body.name}: no end`);
        digests.push(digestOf(events.map(eventLine)));
      }
      if (digests[0] !== digests[1]) different.push(body.name);
    }
    expect(different).toEqual([]);
  });
});

/** A run with a recorder between it and its upstreams, as the engine has it; `leaveAt`: when its caller leaves. */
async function recorded(
  on: Stage,
  attempts: PlanAttempt[],
  more: { stream: boolean; leaveAt?: number },
): Promise<{ recording: Recording; bodies: Uint8Array[] }> {
  const recorder = new UpstreamRecorder(on.ports.runtime.now);
  const ports = { ...on.ports, runtime: recorder.runtime(on.ports.runtime), health: recorder.health(on.ports.health) };
  const off = new AbortController();
  if (more.leaveAt !== undefined) on.clock.after(more.leaveAt, () => off.abort());
  const call = { requestId: "req_test", stream: more.stream, bodies: [], signal: off.signal };
  for await (const event of infer({ attempts }, call, ports)) recorder.note([event], { error: null });
  const record = recorder.finish(off.signal.aborted, { error: null, secrets: [] });
  if (record === null) throw new Error("it was too much to be recorded");
  const { steps, stopped, lines } = record;
  const recording: Recording = {
    version: 1,
    request_id: "req_test",
    account_id: "acc_test",
    protocol: "openai-chat",
    stream: more.stream,
    plan: { version: 1, model: "one/m", reason: "slug", attempts, output_tokens_max: 100 },
    recorded_at: 0,
    expires_at: 1,
    steps,
    stopped,
    events: { count: lines.length, sha256: digestOf(lines) },
  };
  return { recording, bodies: record.bodies };
}

const PLANS = 300;

/** One candidate's replies: a body or a fault, in pieces that take their time. */
function replies(pick: (below: number) => number, stream: boolean): { protocol: Body["protocol"]; replies: Reply[] } {
  const fitting = bodies.filter((body) => body.stream === stream && body.bytes.length < 20_000);
  const body = fitting[pick(fitting.length)];
  if (body === undefined) throw new Error("there are no bodies");
  const fault = pick(6);
  const places = Array.from({ length: pick(5) }, () => pick(body.bytes.length));
  const pieces = cutAt(body.bytes, places).map((piece): Piece => ({
    after: pick(3) * 400,
    bytes: piece instanceof Uint8Array ? piece : "",
  }));
  const reply = replyOf(body, pieces);
  if (typeof reply === "string") return { protocol: body.protocol, replies: [reply] };
  const broken: Reply = { ...reply, pieces: pieces.slice(0, pick(pieces.length + 1)), ends: pick(2) === 0 ? "broken" : "silence" };
  const of: Reply[][] = [[reply], [broken], ["refused", "refused", reply], ["silence"], [{ ...reply, status: 503 }, reply, reply], [reply]];
  return { protocol: body.protocol, replies: [...(of[fault] ?? []), reply, reply] };
}

test(`${PLANS} plans with up to three candidates, faults, rests and callers that leave, replay as they ran`, async () => {
  const different: string[] = [];
  const seen = { stopped: 0, fellBack: 0, rested: 0 };
  for (let plan = 0; plan < PLANS; plan++) {
    const numbers = seededPlaces(plan + 1, 200, 2 ** 30);
    let at = 0;
    const pick = (below: number): number => Math.floor(((numbers[at++ % numbers.length] ?? 0) / 2 ** 30) * below);
    const stream = pick(3) > 0;
    const names = ["one", "two", "three"].slice(0, 1 + pick(3));
    const candidates = names.map((name) => ({ name, ...replies(pick, stream) }));
    const on = stage(Object.fromEntries(candidates.map((candidate) => [candidate.name, candidate.replies])));
    const attempts = candidates.map(({ name, protocol }) => attempt(name, protocol, { timeouts: { headers_ms: 5_000, idle_ms: 9_000 } }));
    if (pick(6) === 0) on.rests.set("one m https://one.test", 4_000);
    const leave = pick(5) === 0 ? { leaveAt: pick(2_500) } : {};
    const { recording, bodies: kept } = await recorded(on, attempts, { stream, ...leave });
    const replayed = await replayRecording(recording, kept);
    if (!replayed.isSame) different.push(`plan ${plan}: ${recording.events.count} events, replayed ${replayed.count}`);
    seen.stopped += recording.stopped ? 1 : 0;
    seen.fellBack += new Set(on.calls.map((call) => call.url)).size > 1 ? 1 : 0;
    seen.rested += recording.steps.some((step) => step.kind === "rest") ? 1 : 0;
  }
  expect(different).toEqual([]);
  // The seeds must reach what they are there for.
  expect(Math.min(seen.stopped, seen.fellBack, seen.rested)).toBeGreaterThan(20);
});

test("a replay over other bytes is told from the run", async () => {
  const { recording, bodies: kept } = await recorded(stage({ one: [{ pieces: saying("hello") }] }), [attempt("one", "openai-chat")], {
    stream: true,
  });
  expect((await replayRecording(recording, kept)).isSame).toBe(true);
  const altered = kept.map((body) => new TextEncoder().encode(new TextDecoder().decode(body).replace("hello", "hullo")));
  expect((await replayRecording(recording, altered)).isSame).toBe(false);
});

describe("a recorder", () => {
  const finish = async (pieces: readonly Piece[], secrets: readonly string[] = []): Promise<ReturnType<UpstreamRecorder["finish"]>> => {
    const on = stage({ one: [{ pieces }] });
    const recorder = new UpstreamRecorder(on.ports.runtime.now);
    const ports = { ...on.ports, runtime: recorder.runtime(on.ports.runtime) };
    const call = { requestId: "r", stream: true, bodies: [] };
    for await (const event of infer({ attempts: [attempt("one", "openai-chat")] }, call, ports)) recorder.note([event], { error: null });
    return recorder.finish(false, { error: null, secrets });
  };

  test("keeps nothing of an answer that is too large, in bytes or in pieces", async () => {
    expect(await finish([...saying("x"), new Uint8Array(10)])).not.toBeNull();
    expect(await finish([`: ${"x".repeat(LIMITS.recordedBytes)}\n\n`, ...saying("x")])).toBeNull();
    expect(await finish([...Array.from({ length: LIMITS.recordedPieces + 1 }, () => ":\n\n"), ...saying("x")])).toBeNull();
  });

  test("keeps nothing of an answer that repeats a credential, nor headers that decide nothing", async () => {
    const secrets = secretsOf(["sk-secret-1", null, "AKIDEXAMPLE:wJalrXUtnFEMI:token-of-session"]);
    expect(secrets).toEqual(["sk-secret-1", "AKIDEXAMPLE", "wJalrXUtnFEMI", "token-of-session"]);
    for (const secret of secrets) expect(await finish(saying(`I know ${secret}`), secrets)).toBeNull();
    const record = await finish(saying("nothing"), secrets);
    expect(record?.steps).toMatchObject([{ kind: "call", headers: { "content-type": "text/event-stream" }, ended: "open" }]);
  });
});
