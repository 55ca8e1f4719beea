/** What the offline provider says: deterministic content from the request, the same whatever wire format it is then written in. */
import { createHash } from "node:crypto";
import type { Commands } from "./commands.ts";

export interface Tool {
  name: string;
  schema: Record<string, unknown>;
}

/** A request as both wire formats give it to the script. */
export interface Ask {
  model: string;
  stream: boolean;
  /** Text of the last turn, tool results included. */
  lastText: string;
  lastIsToolResult: boolean;
  /** Everything the model reads, for token counts. */
  promptText: string;
  images: { mediaType: string; bytes: number }[];
  tools: Tool[];
  toolChoice: "auto" | "none" | "required" | { name: string };
  parallel: boolean;
  maxTokens: number | null;
  stop: string[];
  thinking: boolean;
  json: boolean;
  /** Null: nothing is cached. */
  cacheTtl: "5m" | "1h" | null;
  /** Set for an embedding, which asks for vectors and nothing else. */
  embedding?: { inputs: string[]; dimensions: number | null; base64: boolean };
}

export interface ToolUse {
  id: string;
  name: string;
  arguments: string;
}

export interface Usage {
  input: number;
  cacheRead: number;
  cacheWrite5m: number;
  cacheWrite1h: number;
  output: number;
  reasoning: number;
}

export interface Answer {
  reasoning: string;
  text: string;
  tools: ToolUse[];
  finish: "stop" | "stop_sequence" | "length" | "tools" | "refusal";
  stopSequence: string | null;
  usage: Usage;
  /** The vectors of an embedding, one for each input, and whether they are wanted as base64. */
  embedding?: { vectors: number[][]; base64: boolean };
}

const CHARACTERS_PER_TOKEN = 4;

export function tokensOf(text: string): number {
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

/** Prefixes seen before, by digest: what a provider's prompt cache would hold. */
const cachedPrompts = new Set<string>();
const CACHEABLE_TOKENS = 1_024;

/** The whole answer to a request. */
export function answerOf(ask: Ask, commands: Commands): Answer {
  if (ask.embedding !== undefined) return embeddingOf(ask.embedding);
  const reasoning = ask.thinking ? "The request is read first; then the answer is put together from its own words." : "";
  const tools = toolsOf(ask);
  let text = tools.length > 0 ? "" : textOf(ask, commands);
  let finish: Answer["finish"] = tools.length > 0 ? "tools" : commands.flags.has("refusal") ? "refusal" : "stop";
  let stopSequence: string | null = null;
  for (const stop of ask.stop) {
    const at = stop === "" ? -1 : text.indexOf(stop);
    if (at === -1) continue;
    text = text.slice(0, at);
    finish = "stop_sequence";
    stopSequence = stop;
  }
  const allowed =
    ask.maxTokens === null || commands.flags.has("uncapped")
      ? Number.POSITIVE_INFINITY
      : Math.max(0, ask.maxTokens - tokensOf(reasoning)) * CHARACTERS_PER_TOKEN;
  if (text.length > allowed) {
    text = text.slice(0, allowed);
    finish = "length";
    stopSequence = null;
  }
  return { reasoning, text, tools, finish, stopSequence, usage: usageOf(ask, { reasoning, text, tools }) };
}

const DIMENSIONS = 64;

/** The same text always has the same vector, of length one, in float32 as providers compute it. */
function embeddingOf({ inputs, dimensions, base64 }: NonNullable<Ask["embedding"]>): Answer {
  const vectors = inputs.map((input) => {
    const raw = Array.from({ length: dimensions ?? DIMENSIONS }, (_, index) => {
      return createHash("sha256").update(`${index} ${input}`).digest().readInt32LE(0) / 2 ** 31;
    });
    const length = Math.hypot(...raw);
    return raw.map((value) => Math.fround(value / length));
  });
  const input = inputs.reduce((sum, text) => sum + Math.max(1, tokensOf(text)), 0);
  const usage = { input, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: 0 };
  return { reasoning: "", text: "", tools: [], finish: "stop", stopSequence: null, usage, embedding: { vectors, base64 } };
}

function textOf(ask: Ask, commands: Commands): string {
  if (commands.flags.has("empty")) return "";
  if (commands.flags.has("refusal")) return "I would rather not.";
  if (commands.flags.has("echo")) return ask.promptText;
  if (commands.says !== null) return commands.says;
  if (commands.bigline > 0) return "x".repeat(commands.bigline);
  if (commands.flags.has("utf8")) return "Здравствуй, мир! 你好，世界。こんにちは 🌍🚀 — naïve café ";
  const seen = ask.images.map((image) => ` [image ${image.mediaType}, ${image.bytes} bytes]`).join("");
  const said = ask.lastIsToolResult ? `The tools said: ${ask.lastText}` : `You said: ${ask.lastText}`;
  const text = ask.json ? JSON.stringify({ answer: said + seen }) : `${said}${seen}`;
  if (commands.tokens === null) return text;
  const length = commands.tokens * CHARACTERS_PER_TOKEN;
  return text.padEnd(length, " lorem ipsum dolor sit amet").slice(0, length);
}

function toolsOf(ask: Ask): ToolUse[] {
  const { toolChoice } = ask;
  if (ask.tools.length === 0 || ask.lastIsToolResult || toolChoice === "none") return [];
  const wanted = typeof toolChoice === "object" ? ask.tools.filter((tool) => tool.name === toolChoice.name) : ask.tools;
  const many = ask.parallel && (toolChoice === "required" || /parallel|both|all/i.test(ask.lastText));
  return wanted.slice(0, many ? wanted.length : 1).map((tool, index) => ({
    id: idOf(`${ask.promptText}${tool.name}${index}`),
    name: tool.name,
    arguments: JSON.stringify(sampleOf(tool.schema)),
  }));
}

export function idOf(seed: string): string {
  return createHash("sha256").update(seed).digest("hex").slice(0, 24);
}

/** A value that fits a JSON schema; enough of the language for tools people write. */
function sampleOf(schema: Record<string, unknown>): unknown {
  const choices = schema["enum"];
  if (Array.isArray(choices)) return choices[0];
  switch (schema["type"]) {
    case "string":
      return "Paris";
    case "integer":
    case "number":
      return 7;
    case "boolean":
      return true;
    case "array":
      return [sampleOf(asRecord(schema["items"]))];
    default:
      return Object.fromEntries(
        Object.entries(asRecord(schema["properties"])).map(([name, property]) => [name, sampleOf(asRecord(property))]),
      );
  }
}

export function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

function usageOf(ask: Ask, said: { reasoning: string; text: string; tools: ToolUse[] }): Usage {
  const input = tokensOf(ask.promptText) + ask.images.length * 85;
  const reasoning = tokensOf(said.reasoning);
  const output = tokensOf(said.text) + reasoning + said.tools.reduce((sum, tool) => sum + tokensOf(tool.name + tool.arguments), 0);
  const digest = idOf(ask.promptText);
  const cacheable = ask.cacheTtl !== null || input > CACHEABLE_TOKENS;
  const read = cacheable && cachedPrompts.has(digest);
  if (cacheable) cachedPrompts.add(digest);
  const cached = cacheable ? Math.floor(input * 0.9) : 0;
  const written = cacheable && !read && ask.cacheTtl !== null ? cached : 0;
  return {
    input: input - (read ? cached : written),
    cacheRead: read ? cached : 0,
    cacheWrite5m: ask.cacheTtl === "5m" ? written : 0,
    cacheWrite1h: ask.cacheTtl === "1h" ? written : 0,
    output,
    reasoning,
  };
}

/** A text in `pieces` parts; by default a part of about twelve characters each. Never splits a surrogate pair. */
export function piecesOf(text: string, pieces: number | null): string[] {
  // A text of megabytes is cut by its length, unless it has pairs to keep together.
  const characters = /[\ud800-\udfff]/.test(text) ? [...text] : text;
  const size = Math.max(1, pieces === null ? 12 : Math.ceil(characters.length / Math.max(1, pieces)));
  const parts: string[] = [];
  for (let index = 0; index < characters.length; index += size) {
    const part = characters.slice(index, index + size);
    parts.push(typeof part === "string" ? part : part.join(""));
  }
  return parts;
}
