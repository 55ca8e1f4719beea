/** What the shipped classifier is worth: each head on texts it was not trained on, beside what costs nothing (the commonest label, the rules alone). */
import { classifyPrompt, NO_INTENT, type PromptFacts } from "../../workers/routing/classify-prompt.ts";
import { type LabelShares, likeliest, type RouterModel, sharesOf, sumOfText } from "../../workers/routing/router-model.ts";
import { ruleRisk } from "../../workers/routing/risk-rules.ts";
import { ruleWorkload } from "../../workers/routing/workload-rules.ts";
import type { DataSets } from "./data-sets.ts";
import { wildKind, type WildKind } from "./wild-kinds.ts";
import { arenaGroup, everydayWorkload, examWorkload, honestRoles, ownLines, withoutChoices } from "./examples.ts";

export interface LabelledText {
  text: string;
  label: string;
}

export interface Figure {
  /** What was asked of which texts. */
  name: string;
  texts: number;
  /** Shares from 0 to 1. */
  accuracy: number;
  majority: number;
  /** Null where no rule says anything. */
  rulesOnly: number | null;
}

export interface Alarm {
  name: string;
  texts: number;
  /** Share of the texts whose risk is `high`, and which at least `elevated`. */
  high: number;
  elevated: number;
  rulesHigh: number;
  isAttack: boolean;
}

export interface Evaluation {
  figures: Figure[];
  alarms: Alarm[];
  /** Likelihood that a random question a small model fails at scores higher than one it answers. */
  difficultyRank: number;
  /** The same for everyday requests beside texts that are none. */
  outOfScopeRank: number;
  confusions: { name: string; labels: string[]; counts: number[][] }[];
  perLabel: { name: string; label: string; texts: number; recall: number; precision: number | null }[];
  cpuMicroseconds: { characters: number; mean: number }[];
}

export function factsOf(text: string): PromptFacts {
  return { text, characters: text.length, turns: 1, images: 0, tools: 0, structured: false, reasoning: false };
}

function best(shares: LabelShares): string {
  return likeliest(shares, 1)[0]?.label ?? "";
}

function majorityOf(rows: readonly LabelledText[]): number {
  const counts = new Map<string, number>();
  for (const { label } of rows) counts.set(label, (counts.get(label) ?? 0) + 1);
  return Math.max(...counts.values()) / rows.length;
}

function shareWhere<T>(rows: readonly T[], holds: (row: T) => boolean): number {
  return rows.filter(holds).length / rows.length;
}

/** How likely a number of the first list is above one of the second. */
function rankOf(above: readonly number[], below: readonly number[]): number {
  let wins = 0;
  for (const left of above) for (const right of below) wins += left > right ? 1 : left === right ? 0.5 : 0;
  return wins / (above.length * below.length);
}

function labelOfWorkload(label: string): string {
  return label.startsWith("code-") ? "code" : label;
}

type Guess = (text: string) => string;

const ruled: Guess = (text) => ruleWorkload(text)?.workload ?? "";

function figure(name: string, rows: readonly LabelledText[], answer: Guess, rules: Guess | null = null): Figure {
  return {
    name,
    texts: rows.length,
    accuracy: shareWhere(rows, ({ text, label }) => answer(text) === label),
    majority: majorityOf(rows),
    rulesOnly: rules === null ? null : shareWhere(rows, ({ text, label }) => rules(text) === label),
  };
}

export function evaluate(model: RouterModel, data: DataSets): Evaluation {
  const domain: Guess = (text) => best(sharesOf(model, "domain", sumOfText(model, text)));
  const intent: Guess = (text) => best(sharesOf(model, "intent", sumOfText(model, text)));
  const workload: Guess = (text) => classifyPrompt(factsOf(text), model).workload.label;
  const own = ownLines("test").map(({ text, workload: label }) => ({ text, label }));
  const everyday = data.clinc.test.filter((row) => row.domain !== null).map((row) => ({ text: row.text, label: row.intent }));
  const exam = data.exam.test.map((row) => ({ text: row.text, label: row.domain }));
  return {
    figures: [
      figure("everyday intent, 150 labels: CLINC150 test", everyday, intent),
      ...domainFigures(data, exam, domain),
      ...workloadFigures(data, own, workload),
    ],
    alarms: alarmsOf(model, data),
    ...ranksOf(model, data),
    confusions: [confusionOf("workload of the own lines held out", own, workload), confusionOf("domain of MMLU held out", exam, domain)],
    perLabel: [...perLabelOf("workload", own, workload), ...perLabelOf("domain", exam, domain)],
    cpuMicroseconds: [100, 400, 1_000, 4_096].map((characters) => ({ characters, mean: cpuOf(model, data, characters) })),
  };
}

function domainFigures(data: DataSets, exam: readonly LabelledText[], domain: Guess): Figure[] {
  const everyday = data.clinc.test.flatMap((row) => (row.domain === null ? [] : [{ text: row.text, label: row.domain }]));
  const bare = exam.map(({ text, label }) => ({ text: withoutChoices(text), label }));
  const cases = data.domainCases.map((row) => ({ text: row.text, label: row.domain }));
  const bench = data.domainBench.map((row) => ({ text: row.text, label: row.domain }));
  return [
    figure("domain, all 24 fields: CLINC150 test and MMLU held out together", [...everyday, ...exam], domain),
    figure("domain, 10 everyday fields: CLINC150 test", everyday, domain),
    figure("domain, 14 fields: MMLU questions with choices, 30 % held out", exam, domain),
    figure("domain, the same without choices", bare, domain),
    figure("domain, another set: vLLM-SR cases", cases, domain),
    figure("domain, another set: vLLM-SR bench", bench, domain),
  ];
}

function workloadFigures(data: DataSets, own: readonly LabelledText[], workload: Guess): Figure[] {
  const arena = data.arena.test.flatMap(({ text, cluster }) => {
    const label = arenaGroup(cluster);
    return label === null ? [] : [{ text, label }];
  });
  const everyday = data.clinc.test.flatMap(({ text, intent, domain }) =>
    domain === null ? [] : [{ text, label: everydayWorkload(intent, domain) ?? "" }],
  );
  const exam = data.exam.test.map((row) => ({ text: row.text, label: examWorkload(row.domain) }));
  const group =
    (guess: Guess): Guess =>
    (text) =>
      labelOfWorkload(guess(text));
  return [
    figure("workload, 12 kinds: own lines held out", own, workload, ruled),
    figure("workload: code or math, Arena-Hard clusters held out", arena, group(workload), group(ruled)),
    figure("workload: CLINC150 test", everyday, workload, ruled),
    figure("workload: MMLU held out", exam, workload, ruled),
  ];
}

function alarmsOf(model: RouterModel, data: DataSets): Alarm[] {
  const ofKind = (kind: WildKind): string[] => data.jailbreak.test.filter((text) => wildKind(text) === kind);
  const sets: [name: string, texts: readonly string[], isAttack: boolean][] = [
    ["manual jailbreak templates, held out (a persona, a mode, rules lifted)", ofKind("template"), true],
    ["disguised, split or encoded questions, held out", ofKind("disguise"), true],
    ["in-the-wild set held out, whole, with what attacks nothing", data.jailbreak.test, true],
    ["vLLM-SR cases to block (mostly harm or erotica without a jailbreak)", data.blockCases, true],
    ["CLINC150 test", data.clinc.test.map(({ text }) => text), false],
    ["Banking77 test", data.banking.test.map(({ text }) => text), false],
    ["Arena-Hard, clusters held out", data.arena.test.map(({ text }) => text), false],
    ["Arena-Hard, all 500", [...data.arena.train, ...data.arena.test].map(({ text }) => text), false],
    ["MMLU held out", data.exam.test.map(({ text }) => text), false],
    ["XSTest, safe", data.xstest.filter(({ safe }) => safe).map(({ text }) => text), false],
    ["own honest role prompts held out", honestRoles("test"), false],
    [
      "XSTest, unsafe (harm without a jailbreak: not what this looks for)",
      data.xstest.filter(({ safe }) => !safe).map(({ text }) => text),
      true,
    ],
    ["BIPIA injections (paraphrased tasks: not what this looks for)", data.injections, true],
  ];
  return sets.map(([name, texts, isAttack]) => {
    const levels = texts.map((text) => classifyPrompt(factsOf(text), model).risk.level);
    return {
      name,
      texts: texts.length,
      high: shareWhere(levels, (level) => level === "high"),
      elevated: shareWhere(levels, (level) => level !== "none"),
      rulesHigh: shareWhere(texts, (text) => ruleRisk(text).isHigh),
      isAttack,
    };
  });
}

function ranksOf(model: RouterModel, data: DataSets): Pick<Evaluation, "difficultyRank" | "outOfScopeRank"> {
  const hard = (text: string): number => classifyPrompt(factsOf(text), model).difficulty.score;
  const known = (text: string): number => {
    const { labels, shares } = sharesOf(model, "intent", sumOfText(model, text));
    return shares.reduce((high, share, index) => (labels[index] === NO_INTENT ? high : Math.max(high, share)), 0);
  };
  const inScope = data.clinc.test.filter(({ domain }) => domain !== null);
  const outOfScope = data.clinc.test.filter(({ domain }) => domain === null);
  return {
    difficultyRank: rankOf(
      data.exam.test.filter(({ weakOk }) => !weakOk).map(({ text }) => hard(text)),
      data.exam.test.filter(({ weakOk }) => weakOk).map(({ text }) => hard(text)),
    ),
    outOfScopeRank: rankOf(
      inScope.map(({ text }) => known(text)),
      outOfScope.map(({ text }) => known(text)),
    ),
  };
}

function confusionOf(name: string, rows: readonly LabelledText[], answer: Guess): Evaluation["confusions"][number] {
  const labels = [...new Set(rows.map(({ label }) => label))].toSorted();
  const counts = labels.map(() => labels.map(() => 0));
  for (const { text, label } of rows) {
    const row = counts[labels.indexOf(label)];
    const column = labels.indexOf(answer(text));
    if (row !== undefined && column !== -1) row[column] = (row[column] ?? 0) + 1;
  }
  return { name, labels, counts };
}

function perLabelOf(name: string, rows: readonly LabelledText[], answer: Guess): Evaluation["perLabel"] {
  const answered = rows.map(({ text, label }) => ({ label, answer: answer(text) }));
  return [...new Set(rows.map(({ label }) => label))].map((label) => {
    const meant = answered.filter((row) => row.label === label);
    const said = answered.filter((row) => row.answer === label);
    const right = meant.filter((row) => row.answer === label).length;
    return { name, label, texts: meant.length, recall: right / meant.length, precision: said.length === 0 ? null : right / said.length };
  });
}

/** CPU time of one classification, in microseconds: of real texts cut to, or put together to, so many characters. */
function cpuOf(model: RouterModel, data: DataSets, characters: number): number {
  const whole = data.arena.test.map(({ text }) => text).join("\n");
  const texts = Array.from({ length: 200 }, (_, index) => whole.slice(index * 97, index * 97 + characters));
  for (const text of texts) classifyPrompt(factsOf(text), model);
  const before = process.cpuUsage();
  for (const text of texts) classifyPrompt(factsOf(text), model);
  const used = process.cpuUsage(before);
  return (used.user + used.system) / texts.length;
}
