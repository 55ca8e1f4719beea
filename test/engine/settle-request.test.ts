import { expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { parseWith } from "../../schema/json.ts";
import { settleCommandSchema } from "../../schema/ledger.ts";
import { requestRecordSchema } from "../../schema/message.ts";
import { ledgerEnd, type Finished } from "../../workers/engine/settle-request.ts";
import { usageMessage } from "../db/usage-message.ts";

const record = requestRecordSchema.parse(usageMessage(1).record);
const long = "x".repeat(1_000_000);

const finished: Finished = {
  id: "req_long",
  lane: "lane-0",
  facts: {
    account_id: "acc_0000000000000001",
    key_id: record.key_id,
    protocol: "openai-chat",
    stream: true,
    plan: { version: 1, model: record.model, reason: "slug", attempts: [], output_tokens_max: 10 },
    measure: { text_bytes: 1, blocks: 1, images: 0, file_bytes: 0, files_unsized: 0 },
    hold_micro_rub: "5000",
    idempotency_key: null,
    received_at: 1,
    dispatched_at: 2,
    evidence: "offline",
  },
  snapshot: record.snapshot,
  outcome: "settled",
  error: null,
  phase: "content",
  cut: null,
  progress: {
    phase: "content",
    finish_reason: long,
    usage: { ...(record.usage ?? expect.unreachable()) },
    usage_final: true,
    output_characters: 10,
    content_seen: true,
    first_byte_at: 3,
  },
  finishReason: long,
  attempts: [
    { provider: "alpha", model: "one", protocol: "openai-chat", status: 200, error_code: null, started_at: 2, provider_request_id: long },
  ],
  candidate: 0,
  finishedAt: 4,
};

test("words of a million letters that an upstream chose do not keep a settlement from landing", () => {
  const end = ledgerEnd(finished);
  expect(end.kind).toBe("settle");
  if (end.kind !== "settle") return;
  expect(settleCommandSchema.safeParse({ request_id: finished.id, facts: end.facts, record: end.record }).success).toBe(true);
  const read = parseWith(requestRecordSchema, end.record ?? "");
  expect(read.ok && [read.value.finish_reason?.length, read.value.attempts[0]?.provider_request_id?.length]).toEqual([
    LIMITS.upstreamWordCharacters,
    LIMITS.upstreamWordCharacters,
  ]);
});
