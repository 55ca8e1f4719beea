/** A request whose owner died is ended by what was stored of it, at the price of the candidate that was answering. */
import { expect, test } from "vitest";
import type { EndResult, SettleCommand } from "../../schema/ledger.ts";
import { requestRecordSchema } from "../../schema/message.ts";
import type { PriceSnapshot } from "../../schema/price.ts";
import type { StoredRequest } from "../../schema/request.ts";
import type { OwnerPorts } from "../../workers/engine/ports.ts";
import { recoverRequest } from "../../workers/engine/recover-request.ts";
import { costOf } from "../../workers/cost/cost.ts";
import { usageMessage } from "../db/usage-message.ts";

const record = requestRecordSchema.parse(usageMessage(1).record);
const cheap: PriceSnapshot = record.snapshot;
const dear: PriceSnapshot = { ...cheap, model: "beta/two", prices: { ...cheap.prices, output: String(BigInt(cheap.prices.output) * 10n) } };

function storedWith(candidate: number): StoredRequest {
  const attempt = {
    model: "one",
    protocol: "openai-chat" as const,
    url: "http://a.test",
    auth: { kind: "bearer" as const },
    headers: {},
    passed_headers: [],
    abort_stops_billing: true,
    quirks: {},
  };
  return {
    id: "req_1",
    state: "streaming",
    facts: {
      account_id: "acc_0000000000000001",
      key_id: record.key_id,
      protocol: "openai-chat",
      stream: true,
      plan: {
        version: 1,
        model: "alpha/one",
        reason: "slug",
        attempts: [
          { ...attempt, provider: "alpha" },
          { ...attempt, provider: "beta", slug: "beta/two" },
        ],
        output_tokens_max: 10,
      },
      measure: { text_bytes: 1, blocks: 1, images: 0, file_bytes: 0, files_unsized: 0 },
      snapshots: [JSON.stringify(cheap), JSON.stringify(dear)],
      hold_micro_rub: "5000",
      idempotency_key: null,
      received_at: 1,
      dispatched_at: 2,
      evidence: "offline",
    },
    frames: [],
    progress: {
      phase: "content",
      finish_reason: "stop",
      usage: record.usage ?? expect.unreachable(),
      usage_final: true,
      output_characters: 10,
      content_seen: true,
      first_byte_at: 3,
      candidate,
    },
  };
}

/** Recovers and gives what the ledger was told. */
async function settledBy(candidate: number): Promise<SettleCommand> {
  const commands: SettleCommand[] = [];
  const ended: EndResult = { charged_micro_rub: "1", seq: 1, state: "SETTLED", repeated: false } as never;
  const ports = {
    lane: "lane-0",
    ledger: {
      settle: async (command: SettleCommand) => {
        commands.push(command);
        return ended;
      },
    },
    requests: { save: () => undefined },
    runtime: { now: () => 10 },
    publish: () => undefined,
  } as unknown as OwnerPorts;
  await recoverRequest(storedWith(candidate), JSON.stringify(cheap), ports);
  return commands[0] ?? expect.unreachable();
}

test.each([
  { candidate: 0, snapshot: cheap, model: "alpha/one", provider: "alpha" },
  { candidate: 1, snapshot: dear, model: "beta/two", provider: "beta" },
])("candidate $candidate is charged at its own price and named", async ({ candidate, snapshot, model, provider }) => {
  const command = await settledBy(candidate);
  expect(command.facts.cost_micro_rub).toBe(costOf(snapshot, record.usage ?? expect.unreachable()).costMicroRub.toString());
  expect(JSON.parse(command.record ?? "")).toMatchObject({ model, provider });
});
