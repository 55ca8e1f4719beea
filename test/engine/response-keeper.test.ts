/** What is kept of an answer, and when: before its end, though not at any price. */
import { expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import type { ConversationCall, KeptResponse } from "../../schema/conversation.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { OwnerPorts } from "../../workers/engine/ports.ts";
import { keeperOf } from "../../workers/engine/response-keeper.ts";
import { context } from "../protocol/bodies.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A keeper over a store that takes so long. */
function keeper(call: Partial<ConversationCall>, keepMilliseconds = 0) {
  const kept: KeptResponse[] = [];
  const ports = {
    conversations: {
      keep: async (_account: string, response: KeptResponse) => {
        await new Promise((resolve) => setTimeout(resolve, keepMilliseconds));
        kept.push(response);
      },
    },
    keepAlive: () => undefined,
    runtime: {
      after: (milliseconds: number, action: () => void) => {
        const timer = setTimeout(action, milliseconds / 100);
        return () => clearTimeout(timer);
      },
    },
  } as unknown as OwnerPorts;
  const conversation = {
    previous: null,
    input: encoder.encode('[{"role":"user","content":"x"}]'),
    background: false,
    follows: false,
    echo: "{}",
    ...call,
  };
  const attempts = [{ provider: "alpha", protocol: "openai-responses" }];
  const envelope = { account_id: "a", protocol: "openai-responses", plan: { attempts }, conversation };
  const run = { envelope, live: { id: "req_1", candidate: 0 }, lifecycle: { replaces: false } };
  const made = keeperOf(run as never, context({ answerId: "resp_1" }), ports) ?? expect.unreachable();
  return {
    made,
    kept,
    shown: () => kept.map(({ id, status, input, body }) => [id, status, input !== null, JSON.parse(decoder.decode(body)).error ?? null]),
  };
}

const WELL = { outcome: "settled", error: null } as const;

test("an answer is kept as it was given, with the input it was given to", async () => {
  const { made, kept } = keeper({ previous: "resp_0" });
  made.whole('{"id":"resp_9","status":"incomplete","n":1.0,"output":[]}');
  await made.end(WELL);
  expect(kept).toMatchObject([
    { id: "resp_9", request_id: "req_1", previous: "resp_0", status: "incomplete", provider: "alpha", background: false },
  ]);
  expect(decoder.decode(kept[0]?.body)).toContain("1.0");
  expect(decoder.decode(kept[0]?.input ?? undefined)).toBe('[{"role":"user","content":"x","type":"message","id":"msg_ply_resp9in_0"}]');
});

test("an answer that failed or broke off is not kept, unless somebody will ask for it", async () => {
  const failure = { outcome: "failed", error: gatewayError("provider_error", "It broke.") } as const;
  const foreground = keeper({});
  await foreground.made.end(failure);
  expect(foreground.kept).toEqual([]);
  const background = keeper({ background: true });
  await background.made.begin();
  await background.made.end(failure);
  expect(background.shown()).toEqual([
    ["resp_1", "in_progress", true, null],
    ["resp_1", "failed", false, { code: "provider_error", message: "It broke." }],
  ]);
});

test("an answer larger than is kept is not there, and in the background it has failed", async () => {
  const large = `{"id":"resp_1","status":"completed","output":[],"text":"${"x".repeat(LIMITS.conversationResponseBytes)}"}`;
  const foreground = keeper({});
  foreground.made.whole(large);
  await foreground.made.end(WELL);
  expect(foreground.kept).toEqual([]);
  const background = keeper({ background: true });
  background.made.whole(large);
  await background.made.end(WELL);
  expect(background.shown()).toEqual([
    ["resp_1", "failed", false, { code: "provider_error", message: "The answer is larger than is kept of one." }],
  ]);
});

test("what was called off stays so, whatever still comes of it", async () => {
  const { made, shown } = keeper({ background: true });
  await made.cancel();
  made.whole('{"id":"resp_1","status":"completed","output":[]}');
  await made.end(WELL);
  expect(shown()).toEqual([["resp_1", "cancelled", false, null]]);
});

test("the end of an answer waits for its being kept, but not for ever", async () => {
  const quick = keeper({}, 5);
  quick.made.whole('{"id":"resp_1","status":"completed","output":[]}');
  await quick.made.end(WELL);
  expect(quick.kept).toHaveLength(1);
  const slow = keeper({}, 300);
  slow.made.whole('{"id":"resp_1","status":"completed","output":[]}');
  await slow.made.end(WELL);
  expect(slow.kept).toHaveLength(0);
});
