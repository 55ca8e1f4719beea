/**
 * `model: "auto"`: from a request to the router's decision, and from the decision to a plan. The candidates come from the configuration and the
 * catalogue; how their addresses do, what the conversation was answered by before and what the key may use is asked of the account's object,
 * in one call. Nothing is held or sent to a provider here, but for the question to a router model where the configuration names one.
 */
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { globMatches } from "../../schema/glob.ts";
import { checkWith } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { modelDocumentSchema } from "../../schema/model.ts";
import { routerWeightsSchema } from "../../schema/router-weights.ts";
import {
  type PromptClass,
  type RankedCandidate,
  type RoutingDecision,
  type RoutingFacts,
  type RoutingPreference,
} from "../../schema/routing.ts";
import { modelFacts } from "../cost/model-facts.ts";
import models from "../cost/models.json" with { type: "json" };
import { addressOf } from "../runtime/ask-address.ts";
import { beginningOf, earlierTokens, expectedPrice, lossCounter, needsOf, promptFactsOf, spokenTurns } from "../engine/routing-facts.ts";
import type { KnownCaller, PlannedRequest } from "../engine/serve-completion.ts";
import type { CanonicalRequest } from "../protocol/canonical.ts";
import { classifyPrompt } from "../routing/classify-prompt.ts";
import { decideRoute, type RouteMatch } from "../routing/decide-route.ts";
import { matchPreference } from "../routing/match-preference.ts";
import { defaultModelOf, namedModels, preferencesOf } from "../routing/preferences.ts";
import type { CandidateFacts, RequestNeeds } from "../routing/rank-candidates.ts";
import { listModels } from "../routing/resolve-model.ts";
import { type RouterModel, unpackModel } from "../routing/router-model.ts";
import { parseRouterAnswer, routerPrompt } from "../routing/router-prompt.ts";
import weights from "../routing/router-weights.json" with { type: "json" };
import { hashText } from "./authenticate.ts";
import type { Documents } from "./documents.ts";
import { type Candidate, candidateOf, type FallbackInput, withFallbacks } from "./fallbacks.ts";

/** The name that asks for the router. */
export const AUTO = "auto";
/** Where our classifier is at least this sure of a preference, no router model is asked. */
const SURE_SCORE = 0.75;

let model: RouterModel | null = null;

function routerModel(): RouterModel {
  if (model !== null) return model;
  const parsed = checkWith(routerWeightsSchema, weights);
  if (!parsed.ok) throw new Error(`the bundled weights of the router are wrong: ${parsed.message} at ${parsed.path ?? "?"}`);
  model = unpackModel(parsed.value);
  return model;
}

/** What the router makes of a request's last prompt. */
export function promptClassOf(request: CanonicalRequest): PromptClass {
  return classifyPrompt(promptFactsOf(request), routerModel());
}

let knownModels: ReturnType<typeof modelDocumentSchema.parse> | null = null;

export interface RouteCall extends FallbackInput {
  documents: Documents;
  caller: KnownCaller;
  /** The provider that the caller wants; null for any. */
  hint: string | null;
  /** Names the conversation, where the caller does (`x-model-affinity`). */
  session: string | null;
  /** Preferences of this call in place of the configuration's. */
  preferences: readonly RoutingPreference[] | null;
}

export interface RoutePorts {
  facts: (question: { key_hash: string; conversation: string; addresses: string[] }) => Promise<RoutingFacts>;
  /** Asks a router model one question; null when it has not answered in time, or not at all. */
  askModel: (name: string, prompt: string) => Promise<string | null>;
}

/** The decision, and its candidates in order: the first is the choice, the others are asked when it fails. */
export interface Routed {
  decision: RoutingDecision;
  candidates: Candidate[];
}

export async function routeRequest(call: RouteCall, ports: RoutePorts): Promise<Outcome<Routed>> {
  const { config } = call.documents;
  const preferences = call.preferences ?? preferencesOf(config);
  const { known, slugOf } = knownCandidates(call, preferences);
  const conversation = hashText(call.session ?? beginningOf(call.request)).slice(0, 32);
  const prompt = promptClassOf(call.request);
  const addresses = [...known.values()].map(({ attempt }) => addressOf(attempt));
  const [facts, match] = await Promise.all([
    ports.facts({ key_hash: call.caller.keyHash, conversation, addresses }),
    matchOf(call, preferences, ports),
  ]);
  const factsOf = candidateFacts(call, { known, facts });
  const slugsOf = (names: readonly string[]): string[] => [...new Set(names.flatMap((name) => slugOf.get(name) ?? []))];
  const preferred = slugsOf(match?.preference.models ?? []);
  const others = slugsOf(poolOf(call)).filter((slug) => !preferred.includes(slug));
  const pin = freshPin(facts, config.routing?.session_ttl_seconds);
  const outcome = decideRoute({
    prompt,
    match,
    preferred: preferred.map(factsOf),
    others: others.map(factsOf),
    defaultModel: slugOf.get(defaultModelOf(config) ?? "") ?? null,
    needs: needsOf(call.request),
    pin,
    pinned: pin !== null && known.has(pin.model) ? factsOf(pin.model) : null,
    conversation,
    isNamed: call.session !== null,
  });
  if (outcome.decision === null) return failed(nobody(outcome.refused));
  const order = [...outcome.decision.candidates].filter(({ excluded }) => excluded === null).slice(0, 1 + LIMITS.fallbacksPerModel);
  return { ok: true, value: { decision: outcome.decision, candidates: order.flatMap(({ model: slug }) => known.get(slug) ?? []) } };
}

/** The plan of a decision. */
export function planOfRoute({
  decision,
  candidates,
}: Routed): Pick<PlannedRequest, "plan" | "snapshot" | "snapshotText" | "credentials" | "prices"> {
  const [first, ...further] = candidates;
  if (first === undefined) throw new Error("a decision names a model that nobody serves");
  const plan = {
    version: 1 as const,
    model: decision.model,
    reason: AUTO,
    attempts: [first.attempt],
    output_tokens_max: Math.min(first.price.snapshot.max_output_tokens, LIMITS.outputTokensUnasked),
    routing_snapshot: decision,
  };
  return withFallbacks({ plan, ...first.price, credentials: [first.credential] }, further);
}

/** What the router may choose from where no preference says: the models the configuration names, else every one that is listed. */
function poolOf({ documents: { config }, catalogue }: RouteCall): string[] {
  const named = namedModels(config);
  return named.length > 0 ? named : listModels(catalogue.table);
}

interface Known {
  /** By the slug it is priced by. */
  known: ReadonlyMap<string, Candidate>;
  /** The slug of each name that the configuration uses. */
  slugOf: ReadonlyMap<string, string>;
}

/** Every model that some preference or the pool names. What leads nowhere now is left out. */
function knownCandidates(call: RouteCall, preferences: readonly RoutingPreference[]): Known {
  const known = new Map<string, Candidate>();
  const slugOf = new Map<string, string>();
  for (const name of new Set([...preferences.flatMap(({ models: names }) => names), ...poolOf(call)])) {
    const candidate = candidateOf(name, call);
    if (candidate === null || (call.hint !== null && candidate.attempt.provider !== call.hint)) continue;
    const slug = candidate.attempt.slug ?? name;
    slugOf.set(name, slug);
    if (!known.has(slug)) known.set(slug, candidate);
    if (known.size >= LIMITS.routingCandidates) break;
  }
  return { known, slugOf };
}

function freshPin({ pin }: RoutingFacts, ttlSeconds: number = LIMITS.routingPinSeconds): RoutingFacts["pin"] {
  return pin !== null && pin.age_ms < Math.min(ttlSeconds, LIMITS.routingPinSecondsMax) * 1_000 ? pin : null;
}

/** Our classifier's word on the preferences, and a router model's where ours is in doubt and one is configured. */
async function matchOf(call: RouteCall, preferences: readonly RoutingPreference[], ports: RoutePorts): Promise<RouteMatch | null> {
  if (preferences.length === 0) return null;
  const own = matchPreference(promptFactsOf(call.request).text, preferences, routerModel());
  const name = call.documents.config.overrides?.llm_routing_model;
  if (name !== undefined && (own === null || own.score < SURE_SCORE)) {
    const answer = await ports.askModel(name, routerPrompt(name, preferences, spokenTurns(call.request)));
    const said =
      answer === null
        ? null
        : parseRouterAnswer(
            answer,
            preferences.map((preference) => preference.name),
          );
    const preference = preferences.find((each) => each.name === said);
    if (preference !== undefined) return { preference, score: null, by: "router-model" };
  }
  return own === null ? null : { ...own, by: "model" };
}

function candidateFacts(
  call: RouteCall,
  { known, facts }: { known: ReadonlyMap<string, Candidate>; facts: RoutingFacts },
): (slug: string) => CandidateFacts {
  knownModels ??= modelDocumentSchema.parse(models);
  const document = knownModels;
  const seen = new Map([...known.keys()].map((slug, index) => [slug, facts.addresses[index]]));
  const needs: RequestNeeds = needsOf(call.request);
  const lossesOf = lossCounter(call.request);
  return (slug) => {
    const candidate = known.get(slug);
    if (candidate === undefined) throw new Error("a candidate was asked about that nobody serves");
    const { snapshot } = candidate.price;
    const about = modelFacts(document, slug);
    const isWarm = facts.pin?.model === slug;
    return {
      model: slug,
      input: about?.input ?? null,
      answersText: about === null ? null : about.output.includes("text"),
      forbidden: facts.allowed_models.every((globs) => globs.some((glob) => globMatches(glob, slug))) ? null : "the key may not use it",
      tools: about?.tools ?? null,
      structuredOutput: about?.structured_output ?? null,
      contextTokens: snapshot.context_tokens,
      expectedPicoUsd: expectedPrice(snapshot, needs, isWarm ? earlierTokens(call.request) : 0),
      outputPicoUsd: BigInt(snapshot.prices.output),
      health: seen.get(slug)?.health ?? "unknown",
      latencyMilliseconds: seen.get(slug)?.latency_ms ?? null,
      losses: lossesOf(candidate.attempt, snapshot.max_output_tokens),
    };
  };
}

function nobody(refused: readonly RankedCandidate[]): ReturnType<typeof gatewayError> {
  const [first] = refused;
  return gatewayError(
    "model_not_found",
    first === undefined
      ? "The router has no model to choose from."
      : `No model here can serve this request; ${first.model} ${first.excluded ?? ""}.`,
    {
      param: "model",
      available: refused.slice(0, LIMITS.routingCandidatesShown).map(({ model: slug }) => slug),
      suggestion: "Name a model, or have one added that can: routing_preferences and model_providers of the configuration.",
    },
  );
}
