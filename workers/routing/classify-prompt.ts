/**
 * What a prompt is: the kind of work, its fields, its risk and how hard it is. Layer 0 are rules on its shape and its plain words, layer 1
 * is the linear model of the bundle. Pure, and below a millisecond: it runs before every routed request.
 */
import type { DifficultyLevel, PromptClass, Workload } from "../../schema/routing.ts";
import { domainSchema, workloadSchema } from "../../schema/routing.ts";
import { readablePart } from "./prompt-features.ts";
import { personalData, ruleRisk } from "./risk-rules.ts";
import { type LabelShares, likeliest, type RouterModel, shareOfLabel, sharesOf, sumOfText } from "./router-model.ts";
import { ruleWorkload } from "./workload-rules.ts";

/** What the caller's request looks like, without its protocol. */
export interface PromptFacts {
  /** What is asked now: the text of the last turn that a person wrote. */
  text: string;
  /** Characters of the whole prompt. */
  characters: number;
  turns: number;
  images: number;
  tools: number;
  /** An answer in JSON is asked for. */
  structured: boolean;
  /** The caller asked for thinking. */
  reasoning: boolean;
}

export const NO_INTENT = "none";
const JAILBREAK = "jailbreak";
const SMALL_FAILS = "small model fails";
const DOMAINS_SHOWN = 3;
const DOMAIN_SHARE_MIN = 0.15;
/** Below this an everyday request is not named: it is more likely none at all. */
const INTENT_SHARE_MIN = 0.5;
/** From this on the model overrules a rule on the workload. */
const OVERRULE_SHARE = 0.97;

/** Where the difficulty of each kind of work starts, before anything else is known of the prompt. Our own estimate. */
const WORKLOAD_DIFFICULTY: Readonly<Record<Workload, number>> = {
  "code-generation": 0.5,
  "code-understanding": 0.45,
  math: 0.5,
  reasoning: 0.6,
  knowledge: 0.3,
  writing: 0.3,
  summarization: 0.25,
  extraction: 0.2,
  translation: 0.15,
  analysis: 0.45,
  conversation: 0.05,
  assistance: 0.1,
};
const EASY_BELOW = 0.35;
const HARD_FROM = 0.62;
/** How far the model moves it: the head knows exam questions, so it counts in full only for work like theirs. */
const EXAM_LIKE: ReadonlySet<Workload> = new Set(["knowledge", "math", "reasoning"]);

export function classifyPrompt(facts: PromptFacts, model: RouterModel): PromptClass {
  const sum = sumOfText(model, facts.text);
  const part = readablePart(facts.text);
  const workload = workloadOf(facts, sharesOf(model, "workload", sum));
  return {
    model_version: model.version,
    workload,
    domains: likeliest(sharesOf(model, "domain", sum), DOMAINS_SHOWN)
      .filter(({ confidence }) => confidence >= DOMAIN_SHARE_MIN)
      .map(({ label, confidence }) => ({ label: domainSchema.parse(label), confidence: rounded(confidence) })),
    risk: riskOf({ text: facts.text, part }, shareOfLabel(sharesOf(model, "risk", sum), JAILBREAK), model),
    difficulty: difficultyOf({ ...facts, text: part }, workload.label, shareOfLabel(sharesOf(model, "difficulty", sum), SMALL_FAILS)),
    everyday_intent: everydayIntent(sharesOf(model, "intent", sum)),
  };
}

function rounded(share: number): number {
  return Math.round(share * 1_000) / 1_000;
}

function workloadOf(facts: PromptFacts, shares: LabelShares): PromptClass["workload"] {
  const ruling = ruleWorkload(facts.text);
  const [best] = likeliest(shares, 1);
  if (best === undefined) throw new Error("the workload head has no labels");
  if (ruling !== null && (best.confidence < OVERRULE_SHARE || best.label === ruling.workload)) {
    return { label: ruling.workload, confidence: ruling.confidence, layer: "rules" };
  }
  return { label: workloadSchema.parse(best.label), confidence: rounded(best.confidence), layer: "model" };
}

function riskOf({ text, part }: { text: string; part: string }, share: number, { thresholds }: RouterModel): PromptClass["risk"] {
  const signs = ruleRisk(part);
  const reasons = [...signs.reasons];
  if (share >= thresholds.grey) reasons.push(`reads like an attack on the model's rules (${rounded(share)})`);
  const personal = personalData(text).map((kind) => `holds ${kind}`);
  const isHigh = signs.isHigh || share >= thresholds.jailbreak;
  const isElevated = isHigh || reasons.length > 0 || personal.length > 0;
  return {
    level: isHigh ? "high" : isElevated ? "elevated" : "none",
    score: rounded(Math.max(signs.score, share)),
    reasons: [...reasons, ...personal],
  };
}

/** Words by which people say that it is not simple. */
const HARD_WORDS =
  /\b(prove|rigorous\w*|optimal\w*|in depth|comprehensive\w*|detailed|edge cases|constraints?|trade-?offs?|multi-?step|step by step|production[- ]ready|architecture|concurren\w+|distributed)\b/gi;

function difficultyOf(facts: PromptFacts, workload: Workload, smallFails: number): PromptClass["difficulty"] {
  const reasons: string[] = [`work of the kind ${workload}`];
  let score = WORKLOAD_DIFFICULTY[workload];
  const move = (by: number, why: string): void => {
    score += by;
    reasons.push(why);
  };
  if (EXAM_LIKE.has(workload)) move((smallFails - 0.3) * 0.8, `a small model fails at such questions with ${rounded(smallFails)}`);
  const hardWords = facts.text.match(HARD_WORDS)?.length ?? 0;
  if (hardWords > 0) move(Math.min(0.2, hardWords * 0.07), "its words ask for depth");
  if (facts.characters > 8_000) move(0.15, "long prompt");
  else if (facts.characters > 2_000) move(0.08, "prompt of some length");
  if (facts.tools > 0) move(Math.min(0.2, 0.1 + facts.tools * 0.01), "tools to choose from");
  if (facts.images > 0) move(0.1, "pictures to read");
  if (facts.reasoning) move(0.25, "the caller asks for thinking");
  if (facts.turns > 8) move(0.05, "long conversation");
  const bounded = rounded(Math.min(1, Math.max(0, score)));
  return { level: levelOf(bounded), score: bounded, reasons };
}

function levelOf(score: number): DifficultyLevel {
  if (score < EASY_BELOW) return "easy";
  return score >= HARD_FROM ? "hard" : "medium";
}

function everydayIntent(shares: LabelShares): PromptClass["everyday_intent"] {
  const [best] = likeliest(shares, 1);
  if (best === undefined || best.label === NO_INTENT || best.confidence < INTENT_SHARE_MIN) return null;
  return { label: best.label, confidence: rounded(best.confidence) };
}
