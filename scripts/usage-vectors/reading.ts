/**
 * The usage of a recorded or written answer, read from its raw bytes by the rules of research/billing.md §4.3 and by nothing else: it
 * shares no code with workers/, so that a mistake there cannot agree with itself here.
 *
 * Six classes of tokens; null is what nobody reported. Input leaves cache reads and writes out, output includes reasoning. In a stream a
 * later figure replaces an earlier one, class by class, and nothing after the answer's own end counts.
 */
import { plainFrames } from "../../test/protocol/frames.ts";

export interface SixClasses {
  input_tokens: number | null;
  cache_read_tokens: number | null;
  cache_write_5m_tokens: number | null;
  cache_write_1h_tokens: number | null;
  output_tokens: number | null;
  reasoning_tokens: number | null;
}

export const NOTHING_REPORTED: SixClasses = {
  input_tokens: null,
  cache_read_tokens: null,
  cache_write_5m_tokens: null,
  cache_write_1h_tokens: null,
  output_tokens: null,
  reasoning_tokens: null,
};

/** One answer as it came: its wire format, who sent it (only xAI counts in a way of its own), and whether it was streamed. */
export interface Answer {
  protocol: string;
  provider: string;
  stream: boolean;
  bytes: Buffer;
}

/** What stands at a path of names and places; undefined where the path leads nowhere. */
function at(value: unknown, ...path: readonly (string | number)[]): unknown {
  let place: unknown = value;
  for (const step of path) {
    if (typeof place !== "object" || place === null) return undefined;
    place = Object.entries(place).find(([name]) => name === String(step))?.[1];
  }
  return place;
}

/** The count at the first of the paths that holds one. */
function count(value: unknown, ...paths: readonly string[]): number | null {
  for (const path of paths) {
    const found = at(value, ...path.split("."));
    if (typeof found === "number") return found;
  }
  return null;
}

/** OpenAI's two wires: input includes both cache classes, output includes reasoning; a larger total is believed over its parts. */
function openaiClasses(usage: unknown, side: { input: string; output: string }, provider: string): SixClasses {
  const prompt = count(usage, `${side.input}_tokens`);
  const answered = count(usage, `${side.output}_tokens`);
  if (prompt === null && answered === null) return NOTHING_REPORTED;
  const details = `${side.input}_tokens_details`;
  const read = count(
    usage,
    `${details}.cached_tokens`,
    "cached_tokens",
    "prompt_cache_hit_tokens",
    "num_cached_tokens",
    "cache_read_input_tokens",
  );
  const written1h = count(usage, "cache_creation.ephemeral_1h_input_tokens", `${details}.cache_write_1h_tokens`);
  const written = count(usage, `${details}.cache_write_tokens`, `${details}.cache_creation_tokens`, "cache_creation_input_tokens");
  const written5m = count(usage, "cache_creation.ephemeral_5m_input_tokens") ?? (written === null ? null : written - (written1h ?? 0));
  const reasoning = count(usage, `${side.output}_tokens_details.reasoning_tokens`, "reasoning_tokens");
  const total = count(usage, "total_tokens");
  const fresh = prompt === null ? null : prompt - (read ?? 0) - (written5m ?? 0) - (written1h ?? 0);
  let output = answered;
  if (prompt !== null && answered !== null && total !== null && total > prompt + answered) output = total - prompt;
  // xAI's Chat leaves reasoning out of the output; its total, where it is stated, says so.
  if (provider === "xai" && side.output === "completion" && answered !== null && total === null) output = answered + (reasoning ?? 0);
  return {
    // Less than nothing: at xAI the cache was not in the prompt at all; anywhere else the figures are absurd and the cache stands for all.
    input_tokens: fresh !== null && fresh < 0 ? (provider === "xai" ? prompt : 0) : fresh,
    cache_read_tokens: read,
    cache_write_5m_tokens: written5m,
    cache_write_1h_tokens: written1h,
    output_tokens: output,
    reasoning_tokens: reasoning !== null && output !== null ? Math.min(reasoning, output) : reasoning,
  };
}

const CHAT_SIDES = { input: "prompt", output: "completion" };
const RESPONSES_SIDES = { input: "input", output: "output" };

/** The four counts of one pass of Anthropic's, or of a whole answer; `earlier1h`: what the start said of writes for an hour. */
function anthropicPass(usage: unknown, earlier1h: number | null): SixClasses {
  const written = count(usage, "cache_creation_input_tokens");
  const isSplit = typeof at(usage, "cache_creation") === "object" && at(usage, "cache_creation") !== null;
  const known1h = written === null || earlier1h === null ? null : Math.min(earlier1h, written);
  const written1h = isSplit ? count(usage, "cache_creation.ephemeral_1h_input_tokens") : known1h;
  return {
    input_tokens: count(usage, "input_tokens"),
    cache_read_tokens: count(usage, "cache_read_input_tokens"),
    // Without a split the writes are for five minutes, but for those that the start of the answer named.
    cache_write_5m_tokens: isSplit
      ? count(usage, "cache_creation.ephemeral_5m_input_tokens")
      : written === null
        ? null
        : written - (written1h ?? 0),
    cache_write_1h_tokens: written1h,
    output_tokens: count(usage, "output_tokens"),
    reasoning_tokens: count(usage, "output_tokens_details.thinking_tokens"),
  };
}

/** Passes that are owed though the top level may leave them out. */
const OWED = new Set(["message", "compaction", "advisor_message"]);

function anthropicClasses(usage: unknown, earlier1h: number | null): SixClasses {
  const top = anthropicPass(usage, earlier1h);
  const iterations = at(usage, "iterations");
  const owed = Array.isArray(iterations) ? iterations.filter((pass) => OWED.has(String(at(pass, "type")))) : [];
  const passes = owed.map((pass) => anthropicPass(pass, earlier1h));
  const sum = (name: keyof SixClasses): number => passes.reduce((all, pass) => all + (pass[name] ?? 0), 0);
  const larger = (name: keyof SixClasses): number | null => (sum(name) > (top[name] ?? 0) ? sum(name) : top[name]);
  const writesOf = (classes: SixClasses): number => (classes.cache_write_5m_tokens ?? 0) + (classes.cache_write_1h_tokens ?? 0);
  const isMoreWritten = passes.reduce((all, pass) => all + writesOf(pass), 0) > writesOf(top);
  return {
    ...top,
    input_tokens: larger("input_tokens"),
    cache_read_tokens: larger("cache_read_tokens"),
    output_tokens: larger("output_tokens"),
    ...(isMoreWritten ? { cache_write_5m_tokens: sum("cache_write_5m_tokens"), cache_write_1h_tokens: sum("cache_write_1h_tokens") } : {}),
  };
}

/** Gemini: the prompt includes what was cached; tool prompts are input and thoughts are output beside the counts they are not in. */
function geminiClasses(usage: unknown): SixClasses {
  const prompt = count(usage, "promptTokenCount");
  const read = count(usage, "cachedContentTokenCount");
  const tools = count(usage, "toolUsePromptTokenCount") ?? 0;
  const thoughts = count(usage, "thoughtsTokenCount");
  const candidates = count(usage, "candidatesTokenCount");
  const total = count(usage, "totalTokenCount");
  const parts = candidates === null && thoughts === null ? null : (candidates ?? 0) + (thoughts ?? 0);
  const rest = total === null || prompt === null ? null : total - prompt - tools;
  return {
    ...NOTHING_REPORTED,
    input_tokens: prompt === null ? null : prompt - (read ?? 0) + tools,
    cache_read_tokens: read,
    // Counts that are zero are not printed, so the total tells; and a larger total is believed.
    output_tokens: rest === null ? parts : Math.max(rest, parts ?? 0),
    reasoning_tokens: thoughts,
  };
}

/** Bedrock Converse: both cache classes stand beside the input. A total without lifetimes is for five minutes. */
function bedrockClasses(usage: unknown): SixClasses {
  const written = count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount");
  const details = at(usage, "cacheDetails");
  const lives = Array.isArray(details) && details.length > 0 ? details : null;
  const living = (ttl: string): number =>
    (lives ?? [])
      .filter((life) => (at(life, "ttl") === "1h" ? "1h" : "5m") === ttl)
      .reduce((all, life) => all + (count(life, "inputTokens") ?? 0), 0);
  return {
    input_tokens: count(usage, "inputTokens"),
    cache_read_tokens: count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
    cache_write_5m_tokens: lives === null ? written : Math.max(living("5m"), (written ?? 0) - living("1h")),
    cache_write_1h_tokens: lives === null ? null : living("1h"),
    output_tokens: count(usage, "outputTokens"),
    reasoning_tokens: null,
  };
}

/** Cohere: what is billed, and only without that what the model counted. */
function cohereClasses(usage: unknown): SixClasses {
  const output = count(usage, "billed_units.output_tokens", "tokens.output_tokens");
  const thought = count(usage, "tokens.reasoning_tokens");
  return {
    ...NOTHING_REPORTED,
    input_tokens: count(usage, "billed_units.input_tokens", "tokens.input_tokens"),
    output_tokens: output,
    reasoning_tokens: thought === null || output === null ? thought : Math.min(thought, output),
  };
}

interface Wire {
  /** The classes of one document of the answer. `before`: what earlier ones said. */
  classes: (document: unknown, before: SixClasses, provider: string) => SixClasses;
  /** Whether the answer ends with this document. */
  isLast: (document: unknown) => boolean;
}

const hasError = (document: unknown): boolean => (at(document, "error") ?? null) !== null;

const CHAT: Wire = {
  classes: (document, _before, provider) =>
    openaiClasses(at(document, "usage") ?? at(document, "x_groq", "usage") ?? at(document, "choices", 0, "usage"), CHAT_SIDES, provider),
  isLast: hasError,
};

const RESPONSES: Wire = {
  classes: (document, _before, provider) =>
    openaiClasses(at(document, "response", "usage") ?? at(document, "usage"), RESPONSES_SIDES, provider),
  isLast: (document) => /^(response\.(completed|incomplete|failed)|error)$/.test(String(at(document, "type"))),
};

const ANTHROPIC: Wire = {
  classes(document, before) {
    const isStart = at(document, "type") === "message_start";
    const classes = anthropicClasses(isStart ? at(document, "message", "usage") : at(document, "usage"), before.cache_write_1h_tokens);
    // What the start says of the output is a placeholder.
    return isStart ? { ...classes, output_tokens: null } : classes;
  },
  isLast: (document) => ["message_stop", "error"].includes(String(at(document, "type"))),
};

const OLLAMA: Wire = {
  classes: (document) => ({
    ...NOTHING_REPORTED,
    input_tokens: at(document, "done") === true ? count(document, "prompt_eval_count") : null,
    output_tokens: at(document, "done") === true ? count(document, "eval_count") : null,
  }),
  isLast: (document) => at(document, "done") === true || hasError(document),
};

const WIRES: Readonly<Record<string, Wire>> = {
  "openai-chat": CHAT,
  "openai-responses": RESPONSES,
  "anthropic-messages": ANTHROPIC,
  "bedrock-invoke": ANTHROPIC,
  gemini: { classes: (document) => geminiClasses(at(document, "usageMetadata")), isLast: hasError },
  "bedrock-converse": { classes: (document) => bedrockClasses(at(document, "usage")), isLast: () => false },
  "ollama-chat": OLLAMA,
  "ollama-generate": OLLAMA,
  "cohere-chat": {
    classes: (document) => cohereClasses(at(document, "delta", "usage") ?? at(document, "usage")),
    isLast: (document) => at(document, "type") === "message-end",
  },
};

function parsed(text: string): unknown[] {
  try {
    return [JSON.parse(text)];
  } catch {
    return [];
  }
}

/** The JSON texts of a stream, frames taken off, as far as the wire's own `[DONE]`. */
function textsOf({ protocol, bytes }: Answer): string[] {
  if (protocol === "bedrock-converse") return plainFrames(bytes).map(({ payload }) => payload);
  if (protocol === "bedrock-invoke")
    return plainFrames(bytes).flatMap(({ payload }) =>
      parsed(payload).map((frame) => Buffer.from(String(at(frame, "bytes") ?? ""), "base64").toString()),
    );
  const text = bytes.toString().replace(/^\uFEFF/, "");
  if (protocol.startsWith("ollama")) return text.split("\n");
  const events = text.split(/\r\n\r\n|\n\n|\r\r/).map((event) =>
    event
      .split(/\r\n|\n|\r/)
      .filter((line) => line.startsWith("data:"))
      .map((line) => line.slice("data:".length))
      .join("\n"),
  );
  const done = events.findIndex((event) => event.trim() === "[DONE]");
  return done === -1 ? events : events.slice(0, done);
}

function documentsOf(answer: Answer): unknown[] {
  if (answer.stream) return textsOf(answer).flatMap(parsed);
  // Gemini's stream without server-sent events is one array of its chunks.
  return parsed(answer.bytes.toString().replace(/^\uFEFF/, "")).flat();
}

/** Reads an answer's usage. */
export function usageOf(answer: Answer): SixClasses {
  const wire = WIRES[answer.protocol];
  if (wire === undefined) throw new Error(`nobody reads usage of ${answer.protocol}`);
  const documents = documentsOf(answer);
  const last = documents.findIndex(wire.isLast);
  let usage = NOTHING_REPORTED;
  for (const document of last === -1 || !answer.stream ? documents : documents.slice(0, last + 1)) {
    const said = Object.entries(wire.classes(document, usage, answer.provider)).filter(([, tokens]) => tokens !== null);
    usage = { ...usage, ...Object.fromEntries(said) };
  }
  return usage;
}
