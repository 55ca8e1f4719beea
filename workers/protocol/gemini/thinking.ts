/**
 * How much a model may think: from another wire's effort or budget to `thinkingConfig`. Generation 2.5 takes a budget in tokens, later ones
 * a level; earlier ones do not think. Efforts become what Google's own OpenAI layer makes of them.
 */
import { ownMember } from "../../../schema/json.ts";
import type { CanonicalRequest, Loss } from "../canonical.ts";
import { lossFor } from "../losses.ts";

const TARGET = "gemini";

/** ai.google.dev/gemini-api/docs/openai, table of reasoning efforts; what it lacks, by the nearest. */
const BUDGET_TOKENS: Readonly<Record<string, number>> = {
  minimal: 1_024,
  low: 1_024,
  medium: 8_192,
  high: 24_576,
  xhigh: 24_576,
  max: 24_576,
};
const BUDGET_TOKENS_DEFAULT = 8_192;
/** Thinking budgets → level: up to the bound, this word; above all bounds, `high`. */
const LEVEL_BY_BUDGET: readonly (readonly [number, string])[] = [
  [2_048, "low"],
  [8_192, "medium"],
];

type Generation = "none" | "budget" | "level";

function generationOf(model: string): Generation {
  if (/gemini-2\.5|gemini-2-5|robotics-er/.test(model)) return "budget";
  return /gemini-(?:[3-9]|\d\d)|gemini-(?:pro|flash|flash-lite)-latest/.test(model) ? "level" : "none";
}

/** Whether a model demands signatures on the calls of its history. */
export function wantsSignatures(model: string): boolean {
  return generationOf(model) === "level";
}

/** The `thinkingConfig` member, or null to leave it out. What was done differently is added to `losses`. */
export function thinkingOf(request: CanonicalRequest, model: string, losses: Loss[]): object | null {
  const { reasoning, rest } = request;
  const shown = rest["generationConfig.thinkingConfig.includeThoughts"];
  const shows = typeof shown === "boolean" ? { includeThoughts: shown } : {};
  if (reasoning === null) return "includeThoughts" in shows ? shows : null;
  const { effort, budgetTokens, mode } = reasoning;
  if (request.protocol === TARGET) {
    if (effort !== null) return { ...shows, thinkingLevel: effort };
    return { ...shows, thinkingBudget: mode === "disabled" ? 0 : (budgetTokens ?? -1) };
  }
  const path = effort === null ? "reasoning" : request.protocol === "openai-chat" ? "reasoning_effort" : "effort";
  const generation = generationOf(model);
  const isOff = mode === "disabled" || effort === "none";
  if (generation === "none") {
    if (!isOff) losses.push({ class: "hint", path, note: null });
    return null;
  }
  const given = effort ?? budgetTokens ?? mode ?? "enabled";
  const approximated = (value: string | number, isSame: boolean): void => {
    if (!isSame) losses.push(lossFor("reasoning", TARGET, { path, note: `${given}→${value}` }));
  };
  if (isOff) return offOf(model, generation, approximated);
  if (generation === "budget") {
    const wanted = budgetTokens ?? (mode === "adaptive" ? -1 : (ownMember(BUDGET_TOKENS, effort ?? "") ?? BUDGET_TOKENS_DEFAULT));
    const budget = Math.min(wanted, /pro/.test(model) ? 32_768 : 24_576);
    approximated(`${budget} tokens`, budget === budgetTokens || budget === -1);
    return { includeThoughts: true, thinkingBudget: budget };
  }
  if (effort === null && budgetTokens === null) return { includeThoughts: true };
  const level = levelOf(effort ?? LEVEL_BY_BUDGET.find(([bound]) => (budgetTokens ?? 0) <= bound)?.[1] ?? "high", model);
  approximated(level, level === effort);
  return { includeThoughts: true, thinkingLevel: level };
}

/** The least there is: none at all where the model allows that. */
function offOf(model: string, generation: Generation, approximated: (value: string | number, isSame: boolean) => void): object {
  const isPro = /pro/.test(model);
  if (generation === "budget") {
    const least = isPro ? 128 : 0;
    approximated(`${least} tokens`, least === 0);
    return { thinkingBudget: least };
  }
  const level = isPro ? "low" : "minimal";
  approximated(level, false);
  return { thinkingLevel: level };
}

/** `minimal` is for the flash models; the first pro model of generation 3 knows `low` and `high` alone. */
function levelOf(effort: string, model: string): string {
  const isPro = /pro/.test(model);
  if (effort === "low" || effort === "high") return effort;
  if (effort === "minimal") return isPro ? "low" : "minimal";
  return effort === "medium" && !/gemini-3-pro/.test(model) ? "medium" : "high";
}
