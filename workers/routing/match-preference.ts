/**
 * Which routing preference a prompt falls under. The preference's words name kinds of work and fields; the prompt has a share in each; what
 * it has in those that are named is the preference's score. A preference whose words name nothing we know is read as if it were a prompt.
 */
import type { RoutingPreference } from "../../schema/routing.ts";
import { namedIn } from "./preference-words.ts";
import { type LabelShares, type RouterModel, sharesOf, sumOfText } from "./router-model.ts";
import { ruleWorkload } from "./workload-rules.ts";

export interface PreferenceMatch {
  preference: RoutingPreference;
  /** From 0 to 1. */
  score: number;
}

/** Below this no preference counts as meant. */
const SCORE_MIN = 0.4;
/** Share of the kind of work in a score where both are named; the rest is the field. */
const WORKLOAD_WEIGHT = 0.6;

interface Profile {
  workload: LabelShares;
  domain: LabelShares;
}

/** The shares of a text over kinds of work and over fields. A rule's word on the work counts by its confidence, the model for the rest. */
function profileOf(text: string, model: RouterModel): Profile {
  const sum = sumOfText(model, text);
  const { labels, shares } = sharesOf(model, "workload", sum);
  const ruled = ruleWorkload(text);
  const workload =
    ruled === null
      ? shares
      : shares.map((share, index) => share * (1 - ruled.confidence) + (labels[index] === ruled.workload ? ruled.confidence : 0));
  return { workload: { labels, shares: workload }, domain: sharesOf(model, "domain", sum) };
}

function shareIn({ labels, shares }: LabelShares, wanted: ReadonlySet<string>): number {
  return shares.reduce((sum, share, index) => (wanted.has(labels[index] ?? "") ? sum + share : sum), 0);
}

function cosine(left: Float32Array, right: Float32Array): number {
  let product = 0;
  let leftSquares = 0;
  let rightSquares = 0;
  for (let index = 0; index < left.length; index++) {
    const [a, b] = [left[index] ?? 0, right[index] ?? 0];
    product += a * b;
    leftSquares += a * a;
    rightSquares += b * b;
  }
  return leftSquares === 0 || rightSquares === 0 ? 0 : product / Math.sqrt(leftSquares * rightSquares);
}

function scoreOf(asked: Profile, preference: RoutingPreference, model: RouterModel): number {
  const text = `${preference.name.replaceAll("_", " ")}: ${preference.description}`;
  const { workloads, domains } = namedIn(text);
  const byWork = shareIn(asked.workload, workloads);
  const byField = shareIn(asked.domain, domains);
  // "Questions about law" means the field, however they are asked.
  const isOfTheField = domains.size > 0 && workloads.size === 1 && workloads.has("knowledge");
  if (isOfTheField) return byField;
  if (workloads.size > 0 && domains.size > 0) return WORKLOAD_WEIGHT * byWork + (1 - WORKLOAD_WEIGHT) * byField;
  if (workloads.size > 0) return byWork;
  if (domains.size > 0) return byField;
  const meant = profileOf(text, model);
  return (
    WORKLOAD_WEIGHT * cosine(asked.workload.shares, meant.workload.shares) +
    (1 - WORKLOAD_WEIGHT) * cosine(asked.domain.shares, meant.domain.shares)
  );
}

/** The preference nearest to the prompt, the first of equals; null when none is near. */
export function matchPreference(text: string, preferences: readonly RoutingPreference[], model: RouterModel): PreferenceMatch | null {
  if (preferences.length === 0) return null;
  const asked = profileOf(text, model);
  let best: PreferenceMatch | null = null;
  for (const preference of preferences) {
    const score = scoreOf(asked, preference, model);
    if (score >= SCORE_MIN && (best === null || score > best.score)) best = { preference, score };
  }
  return best === null ? null : { ...best, score: Math.round(Math.min(1, best.score) * 1_000) / 1_000 };
}
