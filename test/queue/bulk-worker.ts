/**
 * The worker itself for `npm run bulk`, with three things done to it: an account's object can be told to bill many requests at once, its
 * queue duplicates, holds back, reorders and loses messages, and the consumer crashes before, while and after it writes. A number
 * generator with a seed chooses; what it did is counted. Everything else is the deployed code, on its real objects, queue and databases.
 */
import { z } from "zod";
import { priceSnapshotSchema } from "../../schema/price.ts";
import type { Usage } from "../../schema/usage.ts";
import { costOf } from "../../workers/cost/cost.ts";
import { hashText } from "../../workers/http/authenticate.ts";
import worker, { AccountDO as DeployedAccount } from "../../workers/index.ts";
import { usageMessage } from "../db/usage-message.ts";
import { type Doom, type Faults, faultyBatch, faultyDatabase, faultyQueue, seeded, type Source } from "./bulk-faults.ts";

export { RequestDO } from "../../workers/index.ts";

const HOLD_MICRO_RUB = "1000000000";
const MODELS = ["alpha/one", "alpha/two", "beta/three"];

const orderSchema = z.strictObject({
  account_id: z.string(),
  key: z.string(),
  /** Requests `first` to `first + count - 1`. */
  first: z.number().int(),
  count: z.number().int(),
  seed: z.number().int(),
  /** Nothing is to go wrong. */
  calm: z.boolean(),
});
type Order = z.infer<typeof orderSchema>;

/** What was billed, by model, counted where it was billed. Amounts as text. */
type Billed = Record<string, { requests: number; charged: string }>;

const faults: Faults = {
  sentTwice: 0,
  heldBack: 0,
  lost: 0,
  crashedBefore: 0,
  crashedAfter: 0,
  refusedByD1: 0,
  unsureOfD1: 0,
  retriedToDeath: 0,
};
/** Set by the first order; until then, and after `/bulk/calm`, nothing goes wrong but what is doomed. */
let chaos: Source | null = null;
const doom: Doom = { bodies: new Set(), messages: 0, batches: 0 };

export class AccountDO extends DeployedAccount {
  constructor(context: DurableObjectState, env: Env) {
    super(context, { ...env, USAGE_QUEUE: faultyQueue(env.USAGE_QUEUE, () => chaos, doom, faults) });
  }

  /** Admits and settles (one in twenty: releases) that many requests, each by its own number's facts. */
  async bill(order: Order): Promise<Billed> {
    const keyHash = hashText(order.key);
    const billed: Billed = {};
    for (let number = order.first; number < order.first + order.count; number++) {
      const facts = factsOf(order, number);
      const admitted = await this.admit({ ...facts.admission, key_hash: keyHash });
      if (!admitted.ok) throw new Error(`request ${number} was refused: ${admitted.reason}`);
      const ended = facts.settlement === null ? await this.release(facts.release) : await this.settle(facts.settlement);
      const line = billed[facts.model] ?? { requests: 0, charged: "0" };
      billed[facts.model] = { requests: line.requests + 1, charged: (BigInt(line.charged) + BigInt(ended.charged_micro_rub)).toString() };
    }
    return billed;
  }
}

interface BilledFacts {
  model: string;
  admission: Record<string, unknown>;
  settlement: Record<string, unknown> | null;
  release: Record<string, unknown>;
}

/** The request of one number: the same facts whenever it is asked for. */
function factsOf(order: Order, number: number): BilledFacts {
  const random = seeded(order.seed * 1_000_003 + number);
  const model = MODELS[random.below(MODELS.length)] ?? "alpha/one";
  const honest = usageMessage(1).record ?? {};
  const snapshot = priceSnapshotSchema.parse({ ...z.looseObject({}).parse(honest["snapshot"]), model, price_key: model });
  const usage: Usage = {
    input_tokens: random.below(3000),
    cache_read_tokens: random.below(2) === 0 ? null : random.below(2000),
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: 1 + random.below(3000),
    reasoning_tokens: null,
  };
  const request_id = `req_bulk_${number}`;
  const isReleased = random.below(20) === 0;
  const cost = costOf(snapshot, usage);
  const charge = {
    usage,
    usage_source: random.below(20) === 0 ? "estimated" : "provider",
    cost_micro_rub: cost.costMicroRub.toString(),
    provider_cost_pico_usd: cost.providerCostPicoUsd.toString(),
    flagged: cost.flagged,
  };
  const ended = isReleased
    ? {
        state: "failed",
        error_code: "provider_error",
        usage: null,
        usage_source: null,
        cost_micro_rub: null,
        provider_cost_pico_usd: null,
        flagged: null,
      }
    : { ...charge, state: "settled" };
  const record = JSON.stringify({
    ...honest,
    request_id,
    model,
    provider: model.split("/")[0],
    snapshot,
    hold_micro_rub: HOLD_MICRO_RUB,
    ...ended,
  });
  return {
    model,
    admission: {
      request_id,
      idempotency_key: null,
      body_hash: null,
      hold_micro_rub: HOLD_MICRO_RUB,
      snapshot: JSON.stringify(snapshot),
      model,
      lane: "0",
      ttl_ms: 1_500_000,
      tokens_bound: 6000,
    },
    settlement: isReleased ? null : { request_id, facts: charge, record },
    release: { request_id, reason: "provider_error", record },
  };
}

interface BulkAccount {
  bill: (order: Order) => Promise<Billed>;
}

async function bulk(request: Request, env: Env): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname !== "/bulk/charge" && pathname !== "/bulk/faults") chaos = null;
  if (pathname === "/bulk/heal") doom.bodies.clear();
  if (pathname === "/bulk/charge") {
    const order = orderSchema.parse(await request.json());
    if (!order.calm) chaos ??= seeded(order.seed);
    const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(order.account_id)) as unknown as BulkAccount;
    return Response.json(await account.bill(order));
  }
  return Response.json(faults);
}

export default {
  fetch: (request, env, context) =>
    new URL(request.url).pathname.startsWith("/bulk/") ? bulk(request, env) : worker.fetch(request, env, context),
  async queue(batch, env) {
    const faulty = faultyBatch(batch, chaos, doom, faults);
    if (faulty.crashes === "before") throw new Error("the consumer crashed before it wrote");
    await worker.queue(faulty.batch, { ...env, DB: faultyDatabase(env.DB, chaos, faults) });
    if (faulty.crashes === "after") throw new Error("the consumer crashed after it wrote");
  },
  scheduled: (event, env) => worker.scheduled(event, env),
} satisfies ExportedHandler<Env>;
