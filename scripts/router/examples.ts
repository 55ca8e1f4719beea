/** From the sets to examples: which text teaches which head what. Nothing of a test part is used here. */
import { type Domain, DOMAINS, type Workload, WORKLOADS } from "../../schema/routing.ts";
import { type DataSets, shareOf } from "./data-sets.ts";
import { OWN_PROMPTS, SLOTS } from "./own-prompts.ts";
import { HONEST_ROLE_PROMPTS, OWN_ATTACKS } from "./own-roles.ts";
import { OWN_TERMS } from "./own-terms.ts";
import type { Example } from "./prepare-examples.ts";

/** A text that is no everyday request. */
export const NO_INTENT = "none";
export const BENIGN = "benign";
export const JAILBREAK = "jailbreak";
export const SMALL_DOES = "small model does";
export const SMALL_FAILS = "small model fails";

/** How often the small sets are repeated, so that the large ones do not drown them. */
const REPEATS = { exam: 3, own: 6, terms: 2, arena: 3, jailbreak: 8 };
/** Share of the large sets that say what kind of work they are: they have few kinds, and would drown the others. */
const WORKLOAD_SHARE = 0.08;
const NO_INTENT_SHARE = 0.1;
const VARIANTS = 6;
const OWN_TEST_SHARE = 0.25;

export function labelsOfHeads(data: DataSets): Record<string, readonly string[]> {
  const intents = new Set(data.clinc.train.map(({ intent }) => intent).filter((intent) => intent !== "oos"));
  return {
    intent: [...[...intents].toSorted(), NO_INTENT],
    domain: DOMAINS,
    workload: WORKLOADS,
    risk: [BENIGN, JAILBREAK],
    difficulty: [SMALL_DOES, SMALL_FAILS],
  };
}

/** The line with its words put in: several variants for a line with braces, itself otherwise. */
export function variantsOf(line: string): string[] {
  if (!line.includes("{")) return [line];
  return Array.from({ length: VARIANTS }, (_, variant) =>
    line.replaceAll(/\{(\w+)\}/g, (whole, slot: string) => {
      const words = SLOTS[slot] ?? [whole];
      return words[Math.floor(shareOf(`${line} ${slot} ${variant}`) * words.length)] ?? whole;
    }),
  );
}

export function isOwnTest(line: string): boolean {
  return shareOf(`own ${line}`) < OWN_TEST_SHARE;
}

/** Own lines of the training part, or of the test part, with their words put in. */
export function ownLines(part: "train" | "test"): { text: string; workload: Workload }[] {
  return WORKLOADS.flatMap((workload) =>
    OWN_PROMPTS[workload]
      .filter((line) => isOwnTest(line) === (part === "test"))
      .flatMap((line) => variantsOf(line).map((text) => ({ text, workload }))),
  );
}

export function honestRoles(part: "train" | "test"): string[] {
  return HONEST_ROLE_PROMPTS.filter((line) => isOwnTest(line) === (part === "test")).flatMap(variantsOf);
}

/** The kind of work of an everyday request. */
export function everydayWorkload(intent: string, domain: Domain | null): Workload | null {
  if (intent === "translate") return "translation";
  if (domain === null) return null;
  if (intent === "tell_joke" || intent === "fun_fact") return "conversation";
  return domain === "small_talk" || domain === "meta" ? "conversation" : "assistance";
}

const CODE_CLUSTER =
  /Python|C\+\+|Code|Coding|TypeScript|JavaScript|Kotlin|Rust|Swift|PHP|Laravel|Django|Flask|React|CSS|Tailwind|Regex|SQL|Docker|Kubernetes|Android|Assembly|CUDA|Matplotlib|Pandas|Tkinter|Streamlit|Shiny|Roblox|Web Scraping|Web Development|Browser Extension|Discord Bot|Linked List|Algorithms|Sequence Algorithms|Node\.js|Symfony|Odoo|VBA|HDL|HLSL|Unit|Mocking|Automated Testing|Nix|Awk|WPF|Tidyverse|PyTorch|JAX|Gradio|YOLO|Cron|SVG|Monads|Concurrency|FFmpeg|Deobfuscation|GIS Scripting|API|XSS|Reverse Engineering|Subtitle|Random Number Gen/i;
const MATH_CLUSTER =
  /Algebra|Math|Probability|Irrationality|Calculus Obj|Real Analysis|Triangle|Prime and Perfect|Sample Size|Standard Deviation|Train Time|Dice|Ball Difference|Ticket Pricing|Pattern Completion|Number Substitution/i;
const UNDERSTANDING = /\b(explain|why|what does|what is wrong|debug|fix|error|review|difference|how does|understand|analy[sz]e)\b/i;

/** The kind of work of a prompt of Arena-Hard, by the name of its cluster; null for clusters whose names do not say. */
export function arenaGroup(cluster: string): "code" | "math" | null {
  if (CODE_CLUSTER.test(cluster)) return "code";
  return MATH_CLUSTER.test(cluster) ? "math" : null;
}

function arenaWorkload(text: string, cluster: string): Workload | null {
  const group = arenaGroup(cluster);
  if (group !== "code") return group;
  return UNDERSTANDING.test(text.slice(0, 200)) ? "code-understanding" : "code-generation";
}

/** An exam question without its choices. */
export function withoutChoices(text: string): string {
  return text.replace(/\nA\. [\s\S]*$/, "");
}

export function examWorkload(domain: Domain): Workload {
  return domain === "math" ? "math" : "knowledge";
}

function repeated(times: number, examples: readonly Example[]): Example[] {
  return Array.from({ length: times }, () => examples).flat();
}

function labels(known: Record<string, string | null>): Record<string, string> {
  return Object.fromEntries(Object.entries(known).flatMap(([head, label]) => (label === null ? [] : [[head, label]])));
}

/** `none` for a part of what is no everyday request: enough to know it by, and not so much that it crowds the others out. */
function noIntent(text: string): string | null {
  return shareOf(`none ${text}`) < NO_INTENT_SHARE ? NO_INTENT : null;
}

function saysWorkload(text: string): boolean {
  return shareOf(`work ${text}`) < WORKLOAD_SHARE;
}

const WORKLOAD_DOMAIN: Readonly<Partial<Record<Workload, Domain>>> = {
  "code-generation": "computer science",
  "code-understanding": "computer science",
  math: "math",
};
/** Work that none of CLINC150's everyday requests ask for. */
const NEVER_EVERYDAY: ReadonlySet<Workload> = new Set([
  "code-generation",
  "code-understanding",
  "reasoning",
  "writing",
  "summarization",
  "extraction",
  "analysis",
]);

const TERM_QUESTIONS = [
  "What is {term}?",
  "Which of the following best describes {term}?",
  "Explain how {term} and {next} are related.",
  "The {term} of the {next} is",
  "{term} {next}",
];

/** Questions about the terms of each field, each term with the one after it. */
function termExamples(): Example[] {
  return Object.entries(OWN_TERMS).flatMap(([domain, lines]) =>
    lines.flatMap((line) => {
      const terms = line.split(", ");
      const questions = terms.map((term, index) => {
        const question = TERM_QUESTIONS[Math.floor(shareOf(term) * TERM_QUESTIONS.length)] ?? "{term}";
        return question.replaceAll("{term}", term).replaceAll("{next}", terms[(index + 1) % terms.length] ?? term);
      });
      const examples = questions.map((text, index) => ({
        text,
        labels: labels({
          domain,
          workload: index % 4 === 0 && domain !== "math" ? "knowledge" : null,
          intent: noIntent(text),
          risk: BENIGN,
        }),
      }));
      return [{ text: line, labels: { domain, risk: BENIGN } }, ...examples];
    }),
  );
}

export function trainingExamples(data: DataSets): Example[] {
  const everyday = data.clinc.train.map(({ text, intent, domain }) => ({
    text,
    labels: labels({
      intent: intent === "oos" ? NO_INTENT : intent,
      domain,
      workload: saysWorkload(text) ? everydayWorkload(intent, domain) : null,
      risk: BENIGN,
    }),
  }));
  const banking = data.banking.train.map(({ text }) => ({
    text,
    labels: labels({ workload: saysWorkload(text) ? "assistance" : null, risk: BENIGN }),
  }));
  const exam = data.exam.train.flatMap(({ text, domain, weakOk }) =>
    [text, withoutChoices(text)].map((form) => ({
      text: form,
      labels: labels({
        domain,
        workload: saysWorkload(form) ? examWorkload(domain) : null,
        difficulty: weakOk ? SMALL_DOES : SMALL_FAILS,
        intent: noIntent(form),
        risk: BENIGN,
      }),
    })),
  );
  const arena = data.arena.train.map(({ text, cluster }) => {
    const group = arenaGroup(cluster);
    return {
      text,
      isHardBenign: true,
      labels: labels({
        workload: arenaWorkload(text, cluster),
        domain: group === "code" ? "computer science" : group,
        intent: noIntent(text),
        risk: BENIGN,
      }),
    };
  });
  const own = ownLines("train").map(({ text, workload }) => ({
    text,
    labels: labels({
      workload,
      domain: WORKLOAD_DOMAIN[workload] ?? null,
      intent: NEVER_EVERYDAY.has(workload) ? noIntent(text) : null,
      risk: BENIGN,
    }),
  }));
  const honest = honestRoles("train").map((text) => ({ text, isHardBenign: true, labels: { risk: BENIGN } }));
  const attacks = [...data.jailbreak.train, ...OWN_ATTACKS].map((text) => ({ text, labels: { risk: JAILBREAK } }));
  return [
    ...everyday,
    ...banking,
    ...repeated(REPEATS.exam, exam),
    ...repeated(REPEATS.arena, arena),
    ...repeated(REPEATS.own, own),
    ...repeated(REPEATS.terms, termExamples()),
    ...repeated(REPEATS.arena, honest),
    ...repeated(REPEATS.jailbreak, attacks),
  ];
}
