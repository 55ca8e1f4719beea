/**
 * The router's decision: a conversation stays with the model that answered it while its work stays the same; else a preference's models; else
 * the configuration's default; else price and difficulty. Which of them can serve the request, and without losing any of it, goes before all
 * of that (rank-candidates.ts). Pure: the same facts give the same decision.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { DifficultyLevel, Pin, PromptClass, RankedCandidate, RoutingDecision, RoutingPreference } from "../../schema/routing.ts";
import { type CandidateFacts, rankCandidates, type RankPolicy, type RequestNeeds } from "./rank-candidates.ts";

/** The preference that a prompt falls under, and who said so. */
export interface RouteMatch {
  preference: RoutingPreference;
  /** Null where a router model said so. */
  score: number | null;
  by: "model" | "router-model";
}

export interface RouteInput {
  prompt: PromptClass;
  match: RouteMatch | null;
  /** The models of the matched preference, in its order; empty without one. */
  preferred: readonly CandidateFacts[];
  /** Everything else that may be chosen. */
  others: readonly CandidateFacts[];
  /** Slug of the configuration's default model. */
  defaultModel: string | null;
  needs: RequestNeeds;
  pin: Pin | null;
  /** The facts of the pin's model; null where it is served no more. */
  pinned: CandidateFacts | null;
  conversation: string;
  /** The caller named the conversation, so it stays with its model whatever its work. */
  isNamed: boolean;
}

const LEVELS: Readonly<Record<DifficultyLevel, number>> = { easy: 0, medium: 1, hard: 2 };

/** Null when nothing can serve the request; `refused` then says why each cannot. */
export type RouteOutcome = { decision: RoutingDecision } | { decision: null; refused: RankedCandidate[] };

export function decideRoute(input: RouteInput): RouteOutcome {
  const { match, pin, prompt, preferred, others, conversation, needs } = input;
  const stays = pin !== null && input.pinned !== null && keepsItsModel(pin, input);
  const byDifficulty: RankPolicy = { by: "difficulty", level: prompt.difficulty.level };
  const rank = (pool: readonly CandidateFacts[], policy: RankPolicy, favourite: string | null): RankedCandidate[] =>
    rankCandidates(pool, { needs, policy, favourite, conversation });
  const follows = match !== null && preferred.length > 0;
  const favourite = stays ? pin.model : follows ? null : input.defaultModel;
  const pool = withPinned(follows ? preferred : others, stays ? input.pinned : null);
  let ranked = rank(pool, follows ? { by: match.preference.selection_policy?.prefer ?? "none" } : byDifficulty, favourite);
  const fellThrough = match !== null && !(follows && ranked.some(canServe));
  // A preference is no prohibition: where none of its models can take this request, any other may.
  if (follows && fellThrough) ranked = [...rank(others, byDifficulty, input.defaultModel), ...ranked];
  const [chosen] = ranked;
  if (chosen === undefined || !canServe(chosen)) return { decision: null, refused: ranked };
  return { decision: decisionOf(input, { ranked, chosen, stays, fellThrough }) };
}

function canServe({ excluded }: RankedCandidate): boolean {
  return excluded === null;
}

/**
 * It stays while the prompt falls under the preference it fell under before, or under none now, and is no harder than what the model was
 * chosen for: what a provider has cached of the conversation is worth more than a slightly better price.
 */
function keepsItsModel(pin: Pin, { match, prompt, isNamed }: RouteInput): boolean {
  if (isNamed) return true;
  return (match === null || match.preference.name === pin.route) && LEVELS[prompt.difficulty.level] <= LEVELS[pin.level];
}

/** A conversation may stay with a model that is none of those its prompt would be given now. */
function withPinned(pool: readonly CandidateFacts[], pinned: CandidateFacts | null): readonly CandidateFacts[] {
  return pinned === null || pool.some(({ model }) => model === pinned.model) ? pool : [pinned, ...pool];
}

interface Ranking {
  ranked: readonly RankedCandidate[];
  chosen: RankedCandidate;
  stays: boolean;
  fellThrough: boolean;
}

function decisionOf(input: RouteInput, { ranked, chosen, stays, fellThrough }: Ranking): RoutingDecision {
  const { match, pin, prompt, conversation, defaultModel } = input;
  const pinned = stays && pin?.model === chosen.model;
  const basis = pinned ? "pinned" : match !== null && !fellThrough ? "preference" : chosen.model === defaultModel ? "default" : "catalogue";
  return {
    version: 1,
    basis,
    route: match?.preference.name ?? (pinned ? (pin?.route ?? null) : null),
    route_by: match?.by ?? null,
    route_score: match?.score ?? null,
    model: chosen.model,
    reasons: reasonsOf(input, { basis, chosen, stays, fellThrough, ranked }),
    candidates: ranked.slice(0, LIMITS.routingCandidatesShown),
    candidates_left_out: Math.max(0, ranked.length - LIMITS.routingCandidatesShown),
    prompt,
    conversation,
    pinned,
    switched: pin !== null && pin.model !== chosen.model,
  };
}

function reasonsOf(
  { match, pin, prompt }: RouteInput,
  { basis, chosen, stays, fellThrough, ranked }: Ranking & { basis: RoutingDecision["basis"] },
): string[] {
  const reasons: string[] = [];
  if (match !== null) reasons.push(matchReason(match));
  if (fellThrough) reasons.push("none of the preference's models can serve this request");
  if (basis === "pinned") reasons.push("the conversation stays with the model that answered it before");
  else if (pin !== null && stays) reasons.push(`${pin.model} answered this conversation before, but is behind others now`);
  else if (pin !== null) reasons.push(`the conversation was with ${pin.model}, but its work has changed or that model is gone`);
  if (basis === "default") reasons.push("no preference matched: the configuration's default model");
  if (basis === "catalogue") reasons.push(`of the price class that a prompt of this difficulty is worth (${prompt.difficulty.level})`);
  const down = ranked.filter(({ health }) => health === "down").map(({ model }) => model);
  if (down.length > 0) reasons.push(`passed over while down: ${down.slice(0, 5).join(", ")}`);
  return [...reasons, ...chosen.reasons];
}

function matchReason({ preference, score, by }: RouteMatch): string {
  const who = by === "router-model" ? "a router model said so" : `our classifier scored it ${score ?? "?"}`;
  return `falls under the preference "${preference.name}" (${who})`;
}
