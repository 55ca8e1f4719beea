/**
 * What translation costs: every wire that a caller may speak against every wire that a provider may speak, through the whole system. One
 * provider a wire is declared in the configuration, all of them at the offline provider, which gives the same answer in each of them.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ProtocolId } from "../../schema/protocol.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";
import { ROOT, startSystem } from "../start/system.ts";
import type { Contender } from "./contenders.ts";
import type { Target } from "./load.ts";
import { phase } from "./measure.ts";

export const CALLERS = [
  "openai-chat",
  "openai-responses",
  "anthropic-messages",
  "gemini",
  "bedrock-converse",
  "ollama-chat",
  "ollama-generate",
] as const satisfies readonly ProtocolId[];
export type Caller = (typeof CALLERS)[number];

export const UPSTREAMS = [...CALLERS, "bedrock-invoke", "cohere-chat"] as const satisfies readonly ProtocolId[];
export type Upstream = (typeof UPSTREAMS)[number];

export const CHUNKS = 200;
const TOKENS = 800;
/** Which `split` makes the offline provider send each event in a packet of its own. */
const COMMANDS = `tokens=${TOKENS},split=1000000`;
/** A model of a maker whose every wire the offline provider speaks. */
const MODEL = "anthropic.tern-1";

export interface PairRow {
  caller: Caller;
  upstream: Upstream;
  unaryCpuMilliseconds: number;
  chunkCpuMicroseconds: number;
}

export interface Pair {
  caller: Caller;
  upstream: Upstream;
}

/** One provider's name for a model, with what it is to do. */
function modelOf(name: string, stream: boolean): string {
  return `${name}@${COMMANDS}${stream ? `,chunks=${CHUNKS}` : ""}`;
}

/** The same question in each caller's words, and where it goes. */
export function askOf(caller: Caller, model: string, stream: boolean): { path: string; body: string } {
  const request: CanonicalRequest = {
    protocol: caller,
    model,
    stream,
    wantsStreamUsage: true,
    turns: [{ role: "user", name: null, blocks: [{ type: "text", text: "q".repeat(700), cache: null }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    maxOutputTokens: 2 * TOKENS,
    temperature: null,
    topP: null,
    topK: null,
    stop: [],
    choices: 1,
    reasoning: null,
    responseFormat: null,
    user: null,
    rest: {},
  };
  const { body } = PROTOCOLS[caller].renderRequest(request, { model, quirks: {}, maxOutputTokens: 2 * TOKENS });
  return { path: pathOf(caller, encodeURIComponent(model), stream), body };
}

function pathOf(caller: Caller, model: string, stream: boolean): string {
  switch (caller) {
    case "openai-chat":
      return "/v1/chat/completions";
    case "openai-responses":
      return "/v1/responses";
    case "anthropic-messages":
      return "/v1/messages";
    case "gemini":
      return `/v1beta/models/${model}:${stream ? "streamGenerateContent?alt=sse" : "generateContent"}`;
    case "bedrock-converse":
      return `/model/${model}/converse${stream ? "-stream" : ""}`;
    case "ollama-chat":
      return "/api/chat";
    case "ollama-generate":
      return "/api/generate";
  }
}

export interface Offline {
  url: string;
  close: () => void;
}

/** The offline provider in a process of its own, so that its work is not counted. */
export function startOfflineProcess(): Promise<Offline> {
  const child: ChildProcess = spawn(process.execPath, [join(ROOT, "scripts/offline/main.ts")], { stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.stdout?.once("data", (line: Buffer) => {
      const url = /http:\S+/.exec(line.toString())?.[0] ?? "";
      resolve({ url, close: () => void child.kill() });
    });
  });
}

const providerOf = (upstream: Upstream): string => `bench-${upstream}`;

/** An address of the offline provider for a wire: as its own provider of the catalogue has it. */
function addressOf(upstream: Upstream, url: string): string {
  const speaker = Object.values(PROVIDERS).find(({ endpoints }) => endpoints.some(({ protocol }) => protocol === upstream));
  return url + (speaker?.offline_path ?? "");
}

/** The whole system with a provider for each wire. */
export async function plyrumOfPairs(offline: Offline): Promise<Contender> {
  const stateDir = mkdtempSync(join(tmpdir(), "plyrum-bench-"));
  const system = await startSystem({ port: 0, stateDir, workerLog: false, environment: { VLLM_BASE_URL: offline.url } });
  const administer = async (path: string, method: string, body: unknown): Promise<void> => {
    const response = await fetch(`${system.url}${path}`, {
      method,
      headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${path} is refused: ${await response.text()}`);
  };
  const price = { input: "1", output: "2", max_output_tokens: 2 * TOKENS };
  const priced = Object.fromEntries(UPSTREAMS.map((upstream) => [`${providerOf(upstream)}/*`, price]));
  await administer("/admin/prices", "PUT", { ...catalogue, models: { ...catalogue.models, ...priced } });
  await administer("/admin/config", "PUT", {
    version: "v1",
    model_providers: UPSTREAMS.map((upstream) => ({
      model: `${providerOf(upstream)}/*`,
      provider_interface: upstream,
      base_url: addressOf(upstream, offline.url),
      access_key: upstream.startsWith("bedrock") ? "AKIABENCH:bench-secret" : "bench-key",
    })),
  });
  await administer("/admin/accounts/demo/credits", "POST", { amount_micro_rub: 1_000_000_000_000, reference: "bench" });
  return {
    name: "plyrum, everything on",
    target: { port: system.port, path: "/", headers: { authorization: `Bearer ${system.demoKey}` } },
    pid: system.workerdPid,
    close: async () => {
      await system.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

/** CPU of one pair. `target` is where the contender listens and what it must be told; `model` is its name for the provider's model. */
async function measureCalls(
  contender: Contender,
  pair: Pair,
  ask: (stream: boolean) => { target: Target; body: string },
  scale: number,
): Promise<PairRow> {
  // The kernel counts in ticks of ten milliseconds: fewer calls than these would show nothing else.
  const times = (count: number): number => Math.max(8, Math.round(count * scale));
  const run = async (stream: boolean, requests: number): Promise<number> => {
    const { target, body } = ask(stream);
    const { samples, cpuMillisecondsEach } = await phase({ ...contender, target }, { body, requests, parallel: stream ? 4 : 8 });
    const short = samples.find((sample) => sample.bytes < TOKENS);
    if (short !== undefined) throw new Error(`${contender.name}, ${pair.caller} → ${pair.upstream}: an answer of ${short.bytes} bytes`);
    return cpuMillisecondsEach;
  };
  const unaryCpuMilliseconds = await run(false, times(120));
  const chunkCpuMicroseconds = ((await run(true, times(24))) * 1000) / CHUNKS;
  return { ...pair, unaryCpuMilliseconds, chunkCpuMicroseconds };
}

export function measurePair(plyrum: Contender, pair: Pair, scale: number): Promise<PairRow> {
  const ask = (stream: boolean): { target: Target; body: string } => {
    const { path, body } = askOf(pair.caller, `${providerOf(pair.upstream)}/${modelOf(MODEL, stream)}`, stream);
    return { target: { ...plyrum.target, path }, body };
  };
  return measureCalls(plyrum, pair, ask, scale);
}

/**
 * The pairs that Portkey speaks to an address of one's own, and what it must be told for each. It translates callers of Chat only: its
 * `/v1/messages` and `/v1/responses` answer 500 for a provider of another wire. Its Cohere is the older API, and its Ollama is Chat.
 */
export const PORTKEY_PAIRS: readonly (Pair & { headers: (url: string) => Record<string, string> })[] = [
  {
    caller: "openai-chat",
    upstream: "openai-chat",
    headers: (url) => ({ "x-portkey-provider": "openai", "x-portkey-custom-host": `${url}/v1` }),
  },
  {
    caller: "openai-chat",
    upstream: "anthropic-messages",
    headers: (url) => ({ "x-portkey-provider": "anthropic", "x-portkey-custom-host": `${url}/v1` }),
  },
  {
    caller: "openai-responses",
    upstream: "openai-responses",
    headers: (url) => ({ "x-portkey-provider": "openai", "x-portkey-custom-host": `${url}/v1` }),
  },
  {
    caller: "anthropic-messages",
    upstream: "anthropic-messages",
    headers: (url) => ({ "x-portkey-provider": "anthropic", "x-portkey-custom-host": `${url}/v1` }),
  },
  {
    caller: "openai-chat",
    upstream: "gemini",
    headers: (url) => ({ "x-portkey-provider": "google", "x-portkey-custom-host": url }),
  },
  {
    caller: "openai-chat",
    upstream: "bedrock-converse",
    headers: (url) => ({
      "x-portkey-provider": "bedrock",
      "x-portkey-custom-host": url,
      "x-portkey-aws-access-key-id": "AKIABENCH",
      "x-portkey-aws-secret-access-key": "bench-secret",
      "x-portkey-aws-region": "us-east-1",
    }),
  },
];

export function measurePortkeyPair(
  portkey: Contender,
  offline: Offline,
  pair: (typeof PORTKEY_PAIRS)[number],
  scale: number,
): Promise<PairRow> {
  const headers = { authorization: "Bearer bench-key", "x-api-key": "bench-key", ...pair.headers(offline.url) };
  const ask = (stream: boolean): { target: Target; body: string } => {
    const { path, body } = askOf(pair.caller, modelOf(MODEL, stream), stream);
    return { target: { port: portkey.target.port, path, headers }, body };
  };
  return measureCalls(portkey, { caller: pair.caller, upstream: pair.upstream }, ask, scale);
}
