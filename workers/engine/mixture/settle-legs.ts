/** How an ensemble leaves the ledger: what each of its calls used, priced at its own prices, and one sum rounded up once. Pure. */
import type { LegProgress, LegRecord } from "../../../schema/ensemble.ts";
import type { ChargeFacts } from "../../../schema/ledger.ts";
import { LIMITS } from "../../../schema/limits.ts";
import type { PriceSnapshot } from "../../../schema/price.ts";
import type { OpenRequest } from "../../../schema/request.ts";
import { sumUsage, type Usage, type UsageSource } from "../../../schema/usage.ts";
import { providerCostMicroRub } from "../../cost/cost.ts";
import { type CostOfLegs, costOfLegs } from "../../cost/legs.ts";
import type { UsageDecision } from "../../cost/unknown-usage.ts";
import { decideLeg, type LegFacts } from "./legs.ts";

export interface SettledLegs {
  /** Null: nothing is owed for any of them. */
  charge: ChargeFacts | null;
  /** What a request that was charged nothing is released with. */
  reason: string;
  legs: LegRecord[];
}

/** `snapshotOf`: the prices of the plan's attempt with that index. */
export function settleLegs(legs: readonly LegProgress[], facts: LegFacts, snapshotOf: (attempt: number) => PriceSnapshot): SettledLegs {
  if (legs.length === 0) return { charge: null, reason: "no_answer", legs: [] };
  const decided = legs.map((leg) => ({ leg, decision: decideLeg(leg, facts), snapshot: snapshotOf(leg.attempt) }));
  const cost = costOfLegs(decided.map(({ decision, snapshot }) => ({ snapshot, usage: usageOf(decision) })));
  const records = decided.map(({ leg, decision, snapshot }, index) => recordOf({ leg, decision, snapshot, cost, index }, facts));
  const owed = decided.flatMap(({ decision }) => (decision.kind === "settle" ? [decision] : []));
  const released = decided.flatMap(({ decision }) => (decision.kind === "release" ? [decision.reason] : []));
  const first = decided[0];
  if (owed.length === 0 || first === undefined) return { charge: null, reason: released.at(-1) ?? "no_answer", legs: records };
  const flags = [...owed.flatMap(({ flagged }) => flagged ?? []), ...(cost.flagged ?? "").split(",")].filter((flag) => flag !== "");
  return {
    charge: {
      usage: sumUsage(owed.map(({ usage }) => usage)),
      usage_source: weakest(owed.map(({ source }) => source)),
      cost_micro_rub: cost.costMicroRub.toString(),
      provider_cost_pico_usd: cost.providerCostPicoUsd.toString(),
      provider_cost_micro_rub: providerCostMicroRub(cost.providerCostPicoUsd, first.snapshot).toString(),
      flagged: flags.length === 0 ? null : [...new Set(flags)].join(","),
    },
    reason: "",
    legs: records,
  };
}

function usageOf(decision: UsageDecision): Usage | null {
  return decision.kind === "settle" ? decision.usage : null;
}

/** One estimate makes the whole an estimate. */
function weakest(sources: readonly UsageSource[]): UsageSource {
  if (sources.includes("estimated")) return "estimated";
  return sources.includes("cut") ? "cut" : "provider";
}

interface Decided {
  leg: LegProgress;
  decision: UsageDecision;
  snapshot: PriceSnapshot;
  cost: CostOfLegs;
  index: number;
}

function recordOf({ leg, decision, snapshot, cost, index }: Decided, { plan }: Pick<OpenRequest, "plan">): LegRecord {
  const attempt = plan.attempts[leg.attempt];
  const share = cost.legs[index];
  if (attempt === undefined || share === undefined) throw new Error("a call of an ensemble is none of its plan's");
  return {
    node: leg.node,
    model: attempt.slug ?? plan.model,
    provider: attempt.provider,
    protocol: attempt.protocol,
    // Of a life before this one: nobody waits for it any more.
    state: leg.state === "running" ? "lost" : leg.state,
    error_code: leg.error_code,
    finish_reason: leg.finish_reason === null ? null : leg.finish_reason.slice(0, LIMITS.upstreamWordCharacters),
    usage: usageOf(decision),
    usage_source: decision.kind === "settle" ? decision.source : null,
    price_key: snapshot.price_key,
    prices: share.prices,
    request_pico_usd: share.requestPicoUsd.toString(),
    provider_cost_pico_usd: share.providerCostPicoUsd.toString(),
    cost_micro_rub: share.costMicroRub.toString(),
  };
}
