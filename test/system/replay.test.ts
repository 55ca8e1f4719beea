/** Stored plans run again over what their upstreams sent, in plain Node: the same events, for whole answers, streams, faults and fallbacks. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Recording as StoredRecording, recordingViewSchema } from "../../schema/recording.ts";
import { replayRecording } from "../../scripts/replay/replay-recording.ts";
import { ROOT } from "../../scripts/start/system.ts";
import { type Recording, recordings, recordingsFolder } from "../protocol/recordings.ts";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const OWN_BODIES = join(import.meta.dirname, "../bodies");
/** A model that is asked in each format. */
const MODELS: Readonly<Record<string, string>> = {
  "openai-chat": "openai/gpt-5-mini",
  "anthropic-messages": "anthropic/claude-haiku-4-5",
  gemini: "gemini/gemini-2.5-flash",
  "cohere-chat": "cohere/command-a-03-2025",
};
const BODIES = 145;
const AT_ONCE = 12;

let stage: Stage;
let account: Account;
/** A call that asked to be recorded while no configuration said that calls are. */
let before: Sent;
beforeAll(async () => {
  stage = await startStage({ PLYRUM_RECORDINGS: recordingsFolder ?? OWN_BODIES });
  account = await stage.account(1_000_000_000_000);
  before = await ask({ model: "openai/gpt-5-mini", stream: false, headers: { "x-plyrum-record": "1" } });
  await stage.admin("/config", {
    method: "PUT",
    body: {
      record: { upstream: true, keep_days: 3 },
      timeouts: { "anthropic/*": { headers_ms: 400, first_token_ms: 800 } },
      model_fallbacks: { "openai/gpt-4.1-mini": ["anthropic/claude-haiku-4-5"], "anthropic/claude-sonnet-4-5": ["openai/gpt-5-mini"] },
    },
  });
});
afterAll(() => stage.close());

interface Ask {
  model: string;
  stream: boolean;
  leaveAfter?: number;
  headers?: Record<string, string>;
}

function ask({ model, stream, leaveAfter, headers = {} }: Ask): Promise<Sent> {
  const body = { model, max_tokens: 4096, stream, messages: [{ role: "user", content: "Hello" }] };
  return post(stage, account, body, { headers, ...(leaveAfter === undefined ? {} : { leaveAfter }) });
}

async function recordingOf(id: string): Promise<{ status: number; recording: StoredRecording | null; bodies: Buffer[] }> {
  const response = await fetch(`${stage.system.url}/admin/recordings/${id}`, {
    headers: { authorization: `Bearer ${stage.system.adminKey}` },
  });
  if (!response.ok) return { status: response.status, recording: null, bodies: [] };
  const { recording, bodies } = recordingViewSchema.parse(await response.json());
  return { status: 200, recording, bodies: bodies.map((body) => Buffer.from(body, "base64")) };
}

/** What differs; empty when the replay has the run's events. A recording is written after the answer, so it may take a moment. */
async function differenceOf(id: string): Promise<string[]> {
  for (let tries = 0; tries < 100; tries++) {
    const { recording, bodies } = await recordingOf(id);
    if (recording === null) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      continue;
    }
    const { isSame, count, events } = await replayRecording(recording, bodies);
    if (isSame) return [];
    const steps = recording.steps.map((step) => (step.kind === "call" ? `${step.status} ${step.ended}` : step.kind)).join(", ");
    const last = JSON.stringify(events.at(-1));
    return [`${id} ${recording.plan.attempts[0]?.model ?? ""} [${steps}]: run ${recording.events.count}, replay ${count}, last ${last}`];
  }
  return [`${id} was not recorded`];
}

async function allOf<Item, Result>(items: readonly Item[], work: (item: Item) => Promise<Result>): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = [...items];
  const worker = async (): Promise<void> => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) results.push(await work(item));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

/** Bodies of every format spread over all there are, those that can be named in a model's commands. */
function chosen(): Recording[] {
  const fitting = recordings.filter(({ protocol, name, bytes, provider }) => {
    const isThere = recordingsFolder === null || provider !== "own";
    return MODELS[protocol] !== undefined && isThere && !/[,=@]|jsonl$/.test(name) && bytes.length < 200_000 && bytes.length > 0;
  });
  const step = Math.max(1, fitting.length / BODIES);
  return Array.from({ length: Math.min(BODIES, fitting.length) }, (_, index) => fitting[Math.floor(index * step)] ?? fitting[0]).filter(
    (found) => found !== undefined,
  );
}

/** Faults of every kind, with and without somebody to stand in. */
const FAULTS = [
  "chunks=4",
  "utf8,chunks=9,split=3",
  "flaky=2",
  "status=429,retry_after=60",
  "status=500",
  "status=400",
  "refuse",
  "html,status=200",
  "garbage",
  "error200",
  "error_at=0",
  "error_at=1",
  "error_at=3",
  "cut=0",
  "cut=2",
  "cut=5,chunks=9",
  "end=3",
  "empty",
  "nodone",
  "hang",
];

test("200 stored plans and more give the events of their runs again", async () => {
  const bodies = chosen().map(({ name, protocol, stream }) => ({ model: `${MODELS[protocol] ?? ""}@replay=${name}`, stream }));
  const faults = FAULTS.flatMap((fault) => [
    { model: `openai/gpt-4.1-mini@${fault.replace("hang", "status=503")}`, stream: true },
    { model: `anthropic/claude-sonnet-4-5@${fault}`, stream: true },
    { model: `anthropic/claude-sonnet-4-5@${fault}`, stream: false },
  ]);
  // Where there are few bodies, some come twice: once more in pieces of seven bytes.
  const inPieces = bodies.slice(0, Math.max(0, BODIES - bodies.length)).map((body) => ({ ...body, model: `${body.model},split=7` }));
  const asked = [...bodies, ...inPieces, ...faults];
  const sent = await allOf(asked, ask);
  expect(sent.length).toBeGreaterThanOrEqual(200);
  const differences = (await allOf(sent, ({ id }) => differenceOf(id))).flat();
  expect(differences).toEqual([]);
});

test("a run whose caller left has the events that came until then", async () => {
  const left = await allOf([0, 1, 2, 3], (leaveAfter) => ask({ model: "openai/gpt-5-mini@chunks=30,delay=10", stream: true, leaveAfter }));
  await account.atRest();
  const views = await allOf(left, ({ id }) => recordingOf(id));
  expect(views.map(({ recording }) => recording?.stopped)).toEqual([true, true, true, true]);
  expect((await allOf(left, ({ id }) => differenceOf(id))).flat()).toEqual([]);
});

describe("what is recorded", () => {
  test("holds no credential, no prompt and no header that was sent", async () => {
    const sent = await ask({ model: "openai/gpt-5-mini@says=recorded", stream: false });
    await differenceOf(sent.id);
    const { recording, bodies } = await recordingOf(sent.id);
    const text = JSON.stringify(recording) + bodies.map((body) => body.toString()).join("");
    expect(text).toContain("recorded");
    for (const secret of ["offline-openai", account.key, "Hello", "authorization"]) expect(text).not.toContain(secret);
  });

  test("is nothing when the answer repeats the credential it was asked with", async () => {
    const sent = await ask({ model: "openai/gpt-5-mini@says=your key is offline-openai", stream: false });
    expect(sent.text).toContain("offline-openai");
    await account.atRest();
    expect((await recordingOf(sent.id)).status).toBe(404);
  });

  test("is nothing where the caller or the configuration does not want it", async () => {
    const refused = await ask({ model: "openai/gpt-5-mini", stream: false, headers: { "x-plyrum-record": "0" } });
    await account.atRest();
    expect(before.status).toBe(200);
    expect([(await recordingOf(refused.id)).status, (await recordingOf(before.id)).status]).toEqual([404, 404]);
  });

  test("is for the operator alone", async () => {
    const sent = await ask({ model: "openai/gpt-5-mini", stream: false });
    const answer = await fetch(`${stage.system.url}/admin/recordings/${sent.id}`, { headers: { authorization: `Bearer ${account.key}` } });
    expect(answer.status).toBe(403);
  });
});

/** The command itself, and what it says. */
function command(args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [join(ROOT, "scripts/replay.ts"), ...args], { cwd: ROOT }, (_, out, errors) =>
      resolve({ code: child.exitCode ?? -1, output: out + errors }),
    );
  });
}

test("`npm run replay` says that the events are the same, and fails where they are not or nothing is recorded", async () => {
  const sent = await ask({ model: "anthropic/claude-sonnet-4-5@status=500", stream: true });
  await differenceOf(sent.id);
  const where = ["--url", stage.system.url, "--admin-key", stage.system.adminKey];
  const same = await command([sent.id, ...where]);
  expect([same.code, same.output]).toEqual([0, expect.stringContaining(`replay: ${sent.id}: same`)]);
  const { recording, bodies } = await recordingOf(sent.id);
  if (recording === null) throw new Error("not recorded");
  const altered = bodies.map((body) => Buffer.from(body.toString().replaceAll("said", "sang")));
  expect((await replayRecording(recording, altered)).isSame).toBe(false);
  expect((await command([sent.id.replace(/_0$/, "_1"), ...where])).code).toBe(2);
});
