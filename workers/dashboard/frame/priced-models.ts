/** Models as pages show them: what is served and priced now, with prices in micro-RUB after exchange rate and markup, exact to the last digit. */
import { z } from "zod";
import { type PriceDocument, priceDocumentSchema, type PriceSnapshot } from "../../../schema/price.ts";
import { microRubOf } from "../../cost/cost.ts";
import { priceSnapshot } from "../../cost/price.ts";
import { callAsAccount, callAsOperator } from "./gateway-call.ts";
import type { OrganisationView } from "./view.ts";

const MILLION = 1_000_000n;

const listSchema = z.object({
  data: z.array(
    z.looseObject({
      id: z.string(),
      name: z.string(),
      context_length: z.number().nullable(),
      max_output_tokens: z.number().nullable(),
      architecture: z.looseObject({ input_modalities: z.array(z.string()).nullable(), output_modalities: z.array(z.string()).nullable() }),
      capabilities: z.record(z.string(), z.boolean().nullable()),
    }),
  ),
});
type ListedModel = z.infer<typeof listSchema>["data"][number];

/** What a list of models can be narrowed to: a capability the gateway knows of. */
export const CAPABILITIES = ["tools", "reasoning", "structured_output", "image_input", "audio_input", "embeddings"] as const;
export type Capability = (typeof CAPABILITIES)[number];

export interface PricedModel {
  id: string;
  provider: string;
  name: string;
  contextTokens: number | null;
  maxOutputTokens: number | null;
  capabilities: Capability[];
  snapshot: PriceSnapshot;
  /** Micro-RUB per million tokens; null where the class has no price. */
  input: bigint;
  cacheRead: bigint | null;
  output: bigint;
}

/** Micro-RUB for a million tokens at this many pico-USD each: the formula of every charge, over a million tokens. */
export function perMillion(picoUsd: string, snapshot: PriceSnapshot): bigint {
  return microRubOf(BigInt(picoUsd) * MILLION, snapshot).amount;
}

function priced(model: ListedModel, prices: PriceDocument): PricedModel | null {
  const snapshot = priceSnapshot(prices, model.id);
  if (snapshot === null) return null;
  const { input, cache_read: cacheRead, output } = snapshot.prices;
  return {
    id: model.id,
    provider: model.id.slice(0, model.id.indexOf("/")),
    name: model.name,
    contextTokens: model.context_length,
    maxOutputTokens: model.max_output_tokens,
    capabilities: CAPABILITIES.filter((each) => model.capabilities[each] === true),
    snapshot,
    input: perMillion(input, snapshot),
    cacheRead: cacheRead === null ? null : perMillion(cacheRead, snapshot),
    output: perMillion(output, snapshot),
  };
}

/** Everything that a request of this account could be served by now. */
export async function pricedModels(view: OrganisationView): Promise<{ prices: PriceDocument; models: PricedModel[] }> {
  const [prices, list] = await Promise.all([
    callAsOperator(view, "/admin/prices", priceDocumentSchema),
    callAsAccount(view, "/v1/models", listSchema),
  ]);
  if (!prices.ok) throw new Error(`the prices were not given: ${prices.error.message}`);
  if (!list.ok) throw new Error(`the models were not given: ${list.error.message}`);
  return { prices: prices.value, models: list.value.data.flatMap((model) => priced(model, prices.value) ?? []) };
}
