/** The conformance table: outcomes counted by pair of wires, and what to print of them. */
import type { ProtocolId } from "../../schema/protocol.ts";
import { type CaseResult, CHECKS } from "./case.ts";
import { NO_WORD_FOR } from "./no-word-for.ts";
import type { ClientId } from "./sdk/index.ts";

export const CLIENTS = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "ollama-chat",
  "ollama-generate",
] as const satisfies readonly ClientId[];

/** Formats that providers are spoken to in. */
export const UPSTREAMS: readonly ProtocolId[] = [...CLIENTS, "bedrock-invoke", "cohere-chat"];

export interface Counts {
  cases: number;
  passed: number;
  /** Passed with a listed exception. */
  listed: number;
  failed: number;
}

export interface Report {
  total: Counts;
  /** Cuts and splits that were tried. */
  places: number;
  bodies: number;
  requests: number;
  /** Cases of each provider of the registry, counted nowhere else. */
  providers: Record<string, Counts>;
  pairs: Record<string, Counts>;
  checks: Record<string, Counts>;
  /** How many cases each listed reason explains. */
  reasons: Record<string, number>;
  /** Rows of the table of losses that no body needed. */
  unused: string[];
  failures: CaseResult[];
}

function newCounts(): Counts {
  return { cases: 0, passed: 0, listed: 0, failed: 0 };
}

export function newReport(): Report {
  return {
    total: newCounts(),
    places: 0,
    bodies: 0,
    requests: 0,
    providers: {},
    pairs: {},
    checks: {},
    reasons: {},
    unused: [],
    failures: [],
  };
}

function countsFor(report: Report, { provider, client, upstream, check }: CaseResult): Counts[] {
  if (provider !== null) return [(report.providers[provider] ??= newCounts())];
  return [report.total, (report.pairs[`${client} < ${upstream}`] ??= newCounts()), (report.checks[check] ??= newCounts())];
}

/** Adds the outcomes of one body, request or provider. */
export function addResults(report: Report, results: readonly CaseResult[]): void {
  const [first] = results;
  if (first?.check === "request" && first.provider === null) report.requests += 1;
  else if (first?.provider === null) report.bodies += 1;
  for (const result of results) {
    for (const counts of countsFor(report, result)) {
      counts.cases += 1;
      counts[result.outcome] += 1;
    }
    report.places += result.places;
    for (const reason of result.reasons) report.reasons[reason] = (report.reasons[reason] ?? 0) + 1;
    if (result.outcome === "failed") report.failures.push(result);
  }
  report.unused = [...new Set(NO_WORD_FOR.map(({ reason }) => reason))].filter((reason) => report.reasons[reason] === undefined);
}

const number = (count: number): string => count.toLocaleString("en-US");

/** `cases` of a pair, and behind a plus how many of them rest on a listed exception; failures in front of all. */
function cell(counts: Counts | undefined): string {
  if (counts === undefined) return "";
  const { cases, listed, failed } = counts;
  return `${failed > 0 ? `**${failed} failed** of ` : ""}${number(cases)}${listed > 0 ? ` (${number(listed)})` : ""}`;
}

/** One row a client protocol, one column an upstream one, as Markdown. */
export function tableOf(report: Report): string {
  const lines = [
    ["client ↓ · provider →", ...UPSTREAMS],
    ["---", ...UPSTREAMS.map(() => "--:")],
    ...CLIENTS.map((client) => [client, ...UPSTREAMS.map((upstream) => cell(report.pairs[`${client} < ${upstream}`]))]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

/** What was run, by kind of check, and the listed exceptions with their numbers. */
export function summaryOf(report: Report): string {
  const { total, places, bodies, requests, checks, reasons } = report;
  const providers = Object.values(report.providers);
  const failing = Object.entries(report.providers).flatMap(([id, { failed }]) => (failed > 0 ? [id] : []));
  const exceptions = Object.entries(reasons).toSorted(([, one], [, other]) => other - one);
  return [
    `${number(total.cases)} cases of ${number(bodies)} bodies and ${number(requests)} requests: ${number(total.passed)} passed, ${number(total.listed)} passed with a listed exception, ${number(total.failed)} failed; ${number(places)} cuts and splits`,
    ...CHECKS.filter((check) => checks[check] !== undefined).map((check) => `  ${check}: ${cell(checks[check])}`),
    ...(providers.length === 0
      ? []
      : [
          `${providers.length} providers of the registry, with their quirks: ${number(providers.reduce((sum, { cases }) => sum + cases, 0))} cases, ${failing.length === 0 ? "none failed" : `failed: ${failing.join(", ")}`}`,
        ]),
    `listed exceptions (${exceptions.length}):`,
    ...exceptions.map(([reason, count]) => `  ${number(count).padStart(6)}  ${reason}`),
    ...report.unused.map((reason) => `  no body needs: ${reason}`),
  ].join("\n");
}
