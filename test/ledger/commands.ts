/** Commands as the gateway sends them, with every fact a test does not care about filled in. */
import type { AdmitCommand, ChargeFacts, CreditCommand, ReleaseCommand, SettleCommand } from "../../schema/ledger.ts";

export const KEY_ID = "key_demo_00000001";
export const KEY_HASH = "hash-of-the-first-key";

export function admitCommand(requestId: string, hold: bigint | number, facts: Partial<AdmitCommand> = {}): AdmitCommand {
  return {
    request_id: requestId,
    key_hash: KEY_HASH,
    idempotency_key: null,
    body_hash: "body",
    hold_micro_rub: String(hold),
    snapshot: '{"version":"1"}',
    model: "acme/large",
    lane: "demo:0",
    ttl_ms: 60_000,
    tokens_bound: 100,
    ...facts,
  };
}

export function chargeFacts(cost: bigint | number, facts: Partial<ChargeFacts> = {}): ChargeFacts {
  return {
    usage: {
      input_tokens: 10,
      cache_read_tokens: null,
      cache_write_5m_tokens: null,
      cache_write_1h_tokens: null,
      output_tokens: 20,
      reasoning_tokens: null,
    },
    usage_source: "provider",
    cost_micro_rub: String(cost),
    provider_cost_pico_usd: "1",
    flagged: null,
    ...facts,
  };
}

export function settleCommand(requestId: string, cost: bigint | number, facts: Partial<ChargeFacts> = {}): SettleCommand {
  return { request_id: requestId, facts: chargeFacts(cost, facts), record: `{"id":"${requestId}"}` };
}

export function releaseCommand(requestId: string, reason = "refused"): ReleaseCommand {
  return { request_id: requestId, reason, record: null };
}

export function creditCommand(externalId: string, amount: bigint | number, kind: CreditCommand["kind"] = "credit"): CreditCommand {
  return { kind, external_id: externalId, amount_micro_rub: String(amount), record: null };
}
