/** Recorded upstream bytes in the bucket: whole or not there, and gone after their days. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { putRecording, readRecording, type RecordingFacts, sweepRecordings } from "../../db/recordings.ts";
import { send } from "../http/gateway.ts";
import { expectError } from "../http/expect-error.ts";

const DAY = 86_400_000;
const NOW = Date.UTC(2026, 10, 21, 12);
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

function facts(requestId: string, expiresAt: number): RecordingFacts {
  const call = { kind: "call" as const, at: 0, status: 200, headers: {}, answered_at: 1, pieces: [], ended: "end" as const, ended_at: 2 };
  return {
    version: 1,
    request_id: requestId,
    account_id: "acc_recorded",
    protocol: "openai-chat",
    stream: false,
    plan: {
      version: 1,
      model: "one/m",
      reason: "slug",
      output_tokens_max: 1,
      attempts: [
        {
          provider: "one",
          model: "m",
          protocol: "openai-chat",
          url: "https://one.test",
          auth: { kind: "bearer" },
          headers: {},
          passed_headers: [],
          abort_stops_billing: true,
          quirks: {},
        },
      ],
    },
    recorded_at: NOW,
    expires_at: expiresAt,
    steps: [
      { ...call, number: 1 },
      { ...call, number: 2 },
    ],
    stopped: false,
  };
}

async function put(requestId: string, expiresAt: number): Promise<void> {
  await putRecording(env.ARCHIVE, facts(requestId, expiresAt), { bodies: [encode("first"), encode("second")], lines: ["{}\n"] });
}

async function keys(): Promise<string[]> {
  return (await env.ARCHIVE.list({ prefix: "recordings" })).objects.map((object) => object.key);
}

test("a recording is read as it was put, and not at all when a part of it is missing or its days are over", async () => {
  await put("req_whole", NOW + DAY);
  const found = await readRecording(env.ARCHIVE, "req_whole", NOW);
  expect(found?.bodies.map((body) => new TextDecoder().decode(body))).toEqual(["first", "second"]);
  expect(found?.recording.events.count).toBe(1);
  expect(await readRecording(env.ARCHIVE, "req_whole", NOW + DAY)).toBeNull();
  await env.ARCHIVE.delete("recordings/acc_recorded/req_whole/2");
  expect(await readRecording(env.ARCHIVE, "req_whole", NOW)).toBeNull();
});

test("the sweep deletes what is past its days, with everything that leads to it, and nothing else", async () => {
  await put("req_due", NOW - 2 * DAY);
  await put("req_stays", NOW + DAY);
  const before = await keys();
  expect(await sweepRecordings(env.ARCHIVE, NOW, 10)).toBe(1);
  const gone = (key: string): boolean => key.includes("req_due");
  expect(before.filter(gone)).toHaveLength(5);
  expect(await keys()).toEqual(before.filter((key) => !gone(key)));
  expect(await sweepRecordings(env.ARCHIVE, NOW, 10)).toBe(0);
});

test("the sweep does no more than it is told to, the oldest first", async () => {
  for (const days of [3, 5, 4]) await put(`req_old_${days}`, NOW - days * DAY);
  expect(await sweepRecordings(env.ARCHIVE, NOW, 2)).toBe(2);
  expect((await keys()).filter((key) => key.includes("req_old_")).every((key) => key.includes("req_old_3"))).toBe(true);
});

test("what was never recorded is not found", async () => {
  expectError(await send("/admin/recordings/req_000000000000000000000000_0"), 404, "request_not_found");
  expectError(await send("/admin/recordings/nothing"), 404, "request_not_found");
});
