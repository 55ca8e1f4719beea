/** The further candidates of a plan: whom `model_fallbacks` names for a model, as far as they are on, priced, and offer what is asked. */
import { longestMatch } from "../../schema/glob.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { PlanAttempt } from "../../schema/plan.ts";
import { beginningOf } from "../engine/routing-facts.ts";
import type { PlannedRequest } from "../engine/serve-completion.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { makePlan } from "../routing/make-plan.ts";
import { orderDeployments } from "../routing/order-deployments.ts";
import { resolveModel } from "../routing/resolve-model.ts";
import { hashText } from "./authenticate.ts";
import type { Catalogue } from "./catalogue.ts";
import type { ActiveProvider } from "./environment.ts";

export interface FallbackInput {
  catalogue: Catalogue;
  request: CanonicalRequest;
  /** The priced name, and what the offline provider is told after it. */
  split: (name: string) => { name: string; commands: string };
}

export interface Candidate {
  attempt: PlanAttempt;
  credential: string | null;
  price: NonNullable<ReturnType<Catalogue["snapshot"]>>;
}

/** Whom to ask after `slug`, in order. A name that leads nowhere now (off, unpriced) is left out: a fallback is no promise. */
export function fallbacksOf(slug: string, fallbacks: Readonly<Record<string, readonly string[]>>, input: FallbackInput): Candidate[] {
  const key = longestMatch(Object.keys(fallbacks), slug);
  return (key === null ? [] : (fallbacks[key] ?? [])).flatMap((target) => {
    const candidate = candidateOf(target, input);
    return candidate === null || candidate.attempt.slug === slug ? [] : [candidate];
  });
}

/** The deployments that serve a model, the one for this conversation first. */
export function deploymentsFor(provider: ActiveProvider, request: CanonicalRequest): [ActiveProvider, ...ActiveProvider[]] {
  if (provider.others.length === 0) return [provider];
  const all = [provider, ...provider.others];
  const conversation = beginningOf(request);
  const hashOf = (place: number): number => Number.parseInt(hashText(`${place} ${conversation}`).slice(0, 8), 16);
  const order = orderDeployments(
    all.map(({ weight }) => weight),
    hashOf,
  );
  const [first = provider, ...others] = order.flatMap((place) => all[place] ?? []);
  return [first, ...others];
}

export function candidateOf(target: string, { catalogue, request, split }: FallbackInput): Candidate | null {
  const { name, commands } = split(target);
  const resolved = resolveModel(name, null, catalogue.table);
  if (!resolved.ok) return null;
  const slug = `${resolved.value.provider}/${resolved.value.model}`;
  const serving = catalogue.providerOf(slug);
  const price = catalogue.snapshot(slug);
  if (serving === null || price === null) return null;
  const [provider] = deploymentsFor(serving, request);
  const plan = makePlan({
    resolved: { ...resolved.value, model: resolved.value.model + commands },
    provider: provider.definition,
    baseUrl: provider.baseUrl,
    callerProtocol: request.protocol,
    stream: request.stream,
    outputTokensMax: Math.min(price.snapshot.max_output_tokens, LIMITS.outputTokensUnasked),
  });
  const attempt = plan.ok ? plan.value.attempts[0] : undefined;
  return attempt === undefined ? null : { attempt: { ...attempt, slug }, credential: provider.credential, price };
}

type Chain = Pick<PlannedRequest, "plan" | "snapshot" | "snapshotText" | "credentials" | "prices">;

/** The plan with its further candidates behind it, each with its own price and credential. */
export function withFallbacks(first: Chain, further: readonly Candidate[]): Chain {
  if (further.length === 0) return first;
  const { plan, snapshot, snapshotText, credentials } = first;
  return {
    ...first,
    plan: {
      ...plan,
      attempts: [...plan.attempts, ...further.map((candidate) => candidate.attempt)],
      // Whoever answers, a cap that we put in is one that he takes.
      output_tokens_max: Math.min(plan.output_tokens_max, ...further.map((candidate) => candidate.price.snapshot.max_output_tokens)),
    },
    credentials: [...credentials, ...further.map((candidate) => candidate.credential)],
    prices: [{ snapshot, snapshotText }, ...further.map((candidate) => candidate.price)],
  };
}
