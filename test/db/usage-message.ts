/** One honest message of a settled request, as an account's object sends it: 10 input and 20 output tokens at 0.25 and 2 USD per million. */
import type { RequestRecord, UsageMessage } from "../../schema/message.ts";

const SNAPSHOT: RequestRecord["snapshot"] = {
  version: "test",
  model: "alpha/one",
  price_key: "alpha/one",
  prices: { input: "250000", cache_read: null, cache_write_5m: null, cache_write_1h: null, output: "2000000" },
  request_pico_usd: "0",
  tiers: [],
  fx_micro_rub_per_usd: "90000000",
  fx_source: "test",
  fx_date: "2026-11-21",
  markup_bps: 1500,
  rounding_version: 1,
  context_tokens: null,
  max_output_tokens: 4096,
};

export function usageMessage(seq: number): UsageMessage {
  const usage = {
    input_tokens: 10,
    cache_read_tokens: null,
    cache_write_5m_tokens: null,
    cache_write_1h_tokens: null,
    output_tokens: 20,
    reasoning_tokens: null,
  };
  return {
    v: 1,
    account_id: "acc_0000000000000001",
    seq,
    kind: "settle",
    request_id: `req_${seq}`,
    external_id: null,
    amount_micro_rub: "-4399",
    postings: [
      ["customer", "-4399"],
      ["revenue", "4399"],
    ],
    balance_after_micro_rub: String(100_000_000 - 4399 * seq),
    held_after_micro_rub: "0",
    at: 1_795_239_079_271 + seq,
    facts: { usage, usage_source: "provider", cost_micro_rub: "4399", provider_cost_pico_usd: "42500000", flagged: null },
    record: {
      request_id: `req_${seq}`,
      lane: "lane-0",
      key_id: "key_0000000000000001_aaaaaaaa",
      protocol: "openai-chat",
      upstream_protocol: "openai-chat",
      model: "alpha/one",
      provider: "alpha",
      stream: false,
      state: "settled",
      error_code: null,
      usage,
      usage_source: "provider",
      cost_micro_rub: "4399",
      provider_cost_pico_usd: "42500000",
      snapshot: SNAPSHOT,
      flagged: null,
      attempts: [],
      timings: {
        received_at: 1,
        dispatched_at: 2,
        first_byte_at: 3,
        finished_at: 4,
        ttft_ms: 2,
        duration_ms: 3,
        output_tokens_per_second: null,
      },
      finish_reason: "stop",
      evidence: "offline",
      idempotency_key: null,
    },
    prev_hash: "",
    hash: `hash-${seq}`,
  };
}
