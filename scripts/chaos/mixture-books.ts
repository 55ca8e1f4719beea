/** The offline providers' invoices of one request, and the charge that they and the price list come to: the books a mixture is held against. */
import { z } from "zod";

const usageSchema = z.object({
  input_tokens: z.number().nullable(),
  cache_read_tokens: z.number().nullable(),
  output_tokens: z.number().nullable(),
});
const legSchema = z.looseObject({
  node: z.string(),
  model: z.string(),
  state: z.string(),
  error_code: z.string().nullable(),
  usage: usageSchema.nullable(),
  usage_source: z.string().nullable(),
  cost_micro_rub: z.number(),
});
export const mixtureViewSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  settlement: z.string().nullable(),
  degraded: z.string().nullable(),
  cost_micro_rub: z.number().nullable(),
  charged_micro_rub: z.number().nullable(),
  stream: z.boolean(),
  plan: z.looseObject({
    ensemble: z.looseObject({ nodes: z.array(z.looseObject({ id: z.string(), role: z.string(), output_tokens_max: z.number() })) }),
  }),
  legs: z.array(legSchema),
  lifecycle: z.array(z.looseObject({ event: z.string(), seq: z.number(), detail: z.record(z.string(), z.unknown()).optional() })),
});
export type MixtureView = z.infer<typeof mixtureViewSchema>;

const lineSchema = z.object({
  request_id: z.string().nullable(),
  model: z.string(),
  path: z.string(),
  input: z.number(),
  cache_read: z.number(),
  output: z.number(),
  reported: z.boolean(),
  completed: z.boolean(),
  client_closed_at_event: z.number().nullable(),
});
export type Line = z.infer<typeof lineSchema>;

/** What all providers would bill, in the order they were asked. */
export async function invoices(offlineUrl: string): Promise<Line[]> {
  return z.object({ lines: z.array(lineSchema) }).parse(await (await fetch(`${offlineUrl}/_invoice`)).json()).lines;
}

export const priceListSchema = z.object({
  fx: z.object({ micro_rub_per_usd: z.number() }),
  markup_bps: z.number(),
  models: z.record(z.string(), z.looseObject({ input: z.string(), output: z.string(), cache_read: z.string().nullable().optional() })),
});
export type PriceList = z.infer<typeof priceListSchema>;

/** USD per million tokens as text → pico-USD per token. */
function picoUsd(price: string): bigint {
  const [whole = "0", fraction = ""] = price.split(".");
  return BigInt(whole + fraction.padEnd(6, "0"));
}

/** Tokens at the prices of a slug. */
export interface Used {
  slug: string;
  input: number;
  cacheRead: number;
  output: number;
}

/** Micro-RUB for those tokens at the list's prices, rounded up once: contract §5, written a second time. */
export function chargeFor(prices: PriceList, used: readonly Used[]): number {
  const pico = used.reduce((sum, { slug, input, cacheRead, output }) => {
    const price = prices.models[slug];
    if (price === undefined) throw new Error(`the price list has no ${slug}`);
    const read = BigInt(cacheRead) * picoUsd(price.cache_read ?? price.input);
    return sum + BigInt(input) * picoUsd(price.input) + read + BigInt(output) * picoUsd(price.output);
  }, 0n);
  const scale = 10n ** 16n;
  return Number((pico * BigInt(prices.fx.micro_rub_per_usd) * BigInt(10_000 + prices.markup_bps) + scale - 1n) / scale);
}

/** The calls as they were charged. */
export function chargedLegs({ legs }: MixtureView): Used[] {
  return legs.flatMap(({ model, usage }) =>
    usage === null
      ? []
      : [{ slug: model, input: usage.input_tokens ?? 0, cacheRead: usage.cache_read_tokens ?? 0, output: usage.output_tokens ?? 0 }],
  );
}

/** A line of an invoice, for `chargeFor`. */
export function usedOf({ model, path, input, cache_read, output }: Line): Used {
  const plain = model.split("@")[0] ?? "";
  const provider = path.includes("/messages") ? "anthropic" : path.includes("enerateContent") ? "gemini" : "openai";
  return { slug: `${provider}/${plain}`, input, cacheRead: cache_read, output };
}

/** What is wrong with a request at rest, in words: its hold, its one end, its calls' shares. Empty when nothing is. */
export function faultsOf(view: MixtureView, prices: PriceList): string[] {
  const events = view.lifecycle.map((frame) => frame.event);
  const count = (...names: string[]): number => events.filter((event) => names.includes(event)).length;
  const charged = view.charged_micro_rub ?? 0;
  const held = Number(view.lifecycle.find((frame) => frame.event === "held")?.detail?.["hold_micro_rub"] ?? 0);
  const started = view.lifecycle.filter((frame) => frame.event === "node_started").map((frame) => frame.detail?.["node"]);
  const finished = view.lifecycle.filter((frame) => frame.event === "node_finished").map((frame) => frame.detail?.["node"]);
  return [
    ...(count("held") === 1 ? [] : [`${count("held")} holds`]),
    ...(count("finished", "failed", "cancelled", "expired") === 1 ? [] : [`no single ending: ${events.join(" ")}`]),
    ...(count("settled", "released") === 1 ? [] : [`no single end of the hold: ${events.join(" ")}`]),
    ...(charged <= held || isGrown(view) ? [] : [`charged ${charged} of a hold of ${held}`]),
    ...(view.legs.reduce((sum, leg) => sum + leg.cost_micro_rub, 0) === (view.cost_micro_rub ?? 0) ? [] : ["the shares are not the cost"]),
    ...(chargeFor(prices, chargedLegs(view)) === (view.cost_micro_rub ?? 0) ? [] : ["the cost is not that of the tokens"]),
    ...(view.legs.some((leg) => leg.state === "running") ? ["a call still runs"] : []),
    ...(started.toSorted().join() === finished.toSorted().join() ? [] : [`calls begun ${started.join()}, ended ${finished.join()}`]),
  ];
}

/** The call that streams to the caller may outgrow its cap, and the hold grows with it. */
function isGrown({ legs, plan, stream }: MixtureView): boolean {
  return legs.some(({ node, usage }) => {
    const planned = plan.ensemble.nodes.find(({ id }) => id === node);
    const isAnswer = planned !== undefined && planned.role !== "proposer" && planned.role !== "spare";
    return stream && isAnswer && (usage?.output_tokens ?? 0) > planned.output_tokens_max;
  });
}
