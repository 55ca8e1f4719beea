/** What a finished request was priced with: the stored inputs of its cost, as exact text. Walks `usage_request`. */
import { z } from "zod";
import { integerText } from "../schema/money.ts";

const CLASSES = ["input", "cache_read", "cache_write_5m", "cache_write_1h", "output"] as const;
export type PricedClass = (typeof CLASSES)[number];

const rowSchema = z.object({
  seq: z.number().int(),
  key_id: z.string(),
  provider: z.string(),
  input_tokens: z.number().int().nullable(),
  cache_read_tokens: z.number().int().nullable(),
  cache_write_5m_tokens: z.number().int().nullable(),
  cache_write_1h_tokens: z.number().int().nullable(),
  output_tokens: z.number().int().nullable(),
  input_pico_usd: integerText,
  cache_read_pico_usd: integerText,
  cache_write_5m_pico_usd: integerText,
  cache_write_1h_pico_usd: integerText,
  output_pico_usd: integerText,
  request_pico_usd: integerText,
  fx_micro_rub_per_usd: integerText,
  markup_bps: z.number().int(),
  provider_cost_pico_usd: integerText.nullable(),
  cost_micro_rub: integerText.nullable(),
  hold_micro_rub: integerText.nullable(),
});

export interface PricedRequest {
  seq: number;
  keyId: string;
  provider: string;
  lines: { class: PricedClass; tokens: number | null; picoUsd: bigint }[];
  requestPicoUsd: bigint;
  fxMicroRubPerUsd: bigint;
  markupBps: number;
  /** Null: nothing was priced. */
  providerCostPicoUsd: bigint | null;
  costMicroRub: bigint | null;
  holdMicroRub: bigint | null;
}

const EXACT = ["request_pico_usd", "fx_micro_rub_per_usd", "provider_cost_pico_usd", "cost_micro_rub", "hold_micro_rub"];
const COLUMNS = [
  "seq",
  "key_id",
  "provider",
  "markup_bps",
  ...CLASSES.map((each) => `${each}_tokens`),
  ...[...CLASSES.map((each) => `${each}_pico_usd`), ...EXACT].map((column) => `CAST(${column} AS TEXT) AS ${column}`),
].join(", ");

/** Null: the request has not ended, or its row is in the archive. */
export async function pricedRequest(databases: readonly D1Database[], accountId: string, requestId: string): Promise<PricedRequest | null> {
  const sql = `SELECT ${COLUMNS} FROM usage WHERE account_id = ?1 AND request_id = ?2`;
  for (const database of databases) {
    const found = await database.prepare(sql).bind(accountId, requestId).first();
    if (found !== null) return pricedOf(rowSchema.parse(found));
  }
  return null;
}

function exact(text: string | null): bigint | null {
  return text === null ? null : BigInt(text);
}

function pricedOf(row: z.infer<typeof rowSchema>): PricedRequest {
  return {
    seq: row.seq,
    keyId: row.key_id,
    provider: row.provider,
    lines: CLASSES.map((each) => ({ class: each, tokens: row[`${each}_tokens`], picoUsd: BigInt(row[`${each}_pico_usd`]) })),
    requestPicoUsd: BigInt(row.request_pico_usd),
    fxMicroRubPerUsd: BigInt(row.fx_micro_rub_per_usd),
    markupBps: row.markup_bps,
    providerCostPicoUsd: exact(row.provider_cost_pico_usd),
    costMicroRub: exact(row.cost_micro_rub),
    holdMicroRub: exact(row.hold_micro_rub),
  };
}
