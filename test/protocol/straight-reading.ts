/**
 * The plain reading of a body: JSON.parse and loops, sharing nothing with the code under test. It knows no dialect beyond what
 * the recordings need, and is what a careful person would read out of the body by eye.
 */
import type { ProtocolId } from "../../schema/protocol.ts";

export interface Reading {
  /** By choice, joined: what the user would see. */
  texts: string[];
  reasoning: string;
  calls: { id: string; name: string; args: string }[];
  /** The provider's own word; null when none came. */
  finish: string | null;
  /** Prompt tokens with all cache classes, and output tokens, as the wire counts them. */
  promptTokens: number | null;
  outputTokens: number | null;
  /** An error stands in the body. */
  error: boolean;
  /** The wire's terminator came. */
  terminated: boolean;
}

// Recorded JSON of any shape; only this file and only tests read it so.
// oxlint-disable-next-line typescript/no-explicit-any -- a reading by eye has no schema
type Json = any;

function payloads(text: string): { event: string | null; data: string }[] {
  return text
    .split(/\r?\n\r?\n/)
    .map((block) => {
      const lines = block.split(/\r?\n/);
      const event =
        lines
          .find((line) => line.startsWith("event:"))
          ?.slice(6)
          .trim() ?? null;
      const data = lines.filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trimStart());
      return { event, data: data.join("\n") };
    })
    .filter(({ data }) => data !== "");
}

function emptyReading(): Reading {
  return { texts: [], reasoning: "", calls: [], finish: null, promptTokens: null, outputTokens: null, error: false, terminated: false };
}

function contentText(content: Json): string {
  if (typeof content === "string") return content;
  return Array.isArray(content)
    ? content
        .filter((part: Json) => part.type === "text")
        .map((part: Json) => part.text)
        .join("")
    : "";
}

function thinkingText(content: Json): string {
  if (!Array.isArray(content)) return "";
  return content
    .filter((part: Json) => part.type === "thinking")
    .flatMap((part: Json) => part.thinking)
    .map((part: Json) => part.text)
    .join("");
}

function readChatDelta(reading: Reading, choice: number, delta: Json, keys: Map<string, number>, whole: boolean): void {
  reading.texts[choice] = (reading.texts[choice] ?? "") + contentText(delta.content) + (delta.refusal ?? "");
  const details = (delta.reasoning_details ?? []).map((detail: Json) => detail.text ?? detail.summary ?? "").join("");
  reading.reasoning += details || delta.reasoning_content || delta.reasoning || thinkingText(delta.content);
  const calls =
    delta.tool_calls ?? (delta.function_call?.name || delta.function_call?.arguments ? [{ index: 0, function: delta.function_call }] : []);
  for (const [position, call] of calls.entries()) {
    const key = whole ? `${choice}.${position}` : `${choice}.${call.index ?? call.id ?? [...keys.keys()].at(-1)?.slice(2) ?? 0}`;
    const custom = call.custom && !call.function?.name;
    const body = custom ? call.custom : call.function;
    if (!keys.has(key)) {
      keys.set(key, reading.calls.length);
      reading.calls.push({ id: call.id ?? "", name: body.name ?? "", args: "" });
    }
    const target = reading.calls[keys.get(key) ?? 0];
    if (target) target.args += custom ? JSON.stringify({ input: call.custom.input }) : (body.arguments ?? "");
  }
}

function readChatUsage(reading: Reading, usage: Json, provider: string): void {
  if (!usage) return;
  reading.promptTokens = usage.prompt_tokens;
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
  const apart = provider === "xai" && usage.total_tokens === usage.prompt_tokens + usage.completion_tokens + reasoning;
  reading.outputTokens = usage.completion_tokens + (apart ? reasoning : 0);
}

function readChat(documents: readonly Json[], whole: boolean, provider: string): Reading {
  const reading = emptyReading();
  const keys = new Map<string, number>();
  for (const document of documents) {
    if (document.error) reading.error = true;
    for (const [position, choice] of (document.choices ?? []).entries()) {
      readChatDelta(reading, choice.index ?? position, (whole ? choice.message : choice.delta) ?? {}, keys, whole);
      if ((choice.index ?? position) === 0) reading.finish ??= choice.finish_reason || null;
      if (choice.finish_reason === "error") reading.error = true;
    }
    readChatUsage(reading, document.usage ?? document.x_groq?.usage ?? document.choices?.[0]?.usage, provider);
  }
  return reading;
}

function readAnthropicUsage(reading: Reading, counts: Record<string, number>, usage: Json): void {
  for (const [key, value] of Object.entries(usage ?? {})) if (typeof value === "number") counts[key] = value;
  // An answer of several passes shows some of them only here; the larger figure is what was really used.
  const passes = (usage?.iterations ?? []).filter((pass: Json) => ["message", "compaction", "advisor_message"].includes(pass.type));
  const used = (key: string): number =>
    Math.max(
      counts[key] ?? 0,
      passes.reduce((sum: number, pass: Json) => sum + (pass[key] ?? 0), 0),
    );
  reading.promptTokens = used("input_tokens") + used("cache_read_input_tokens") + used("cache_creation_input_tokens");
  reading.outputTokens = counts["output_tokens"] === undefined ? null : used("output_tokens");
}

function readAnthropicBlock(reading: Reading, block: Json): void {
  if (block.type === "text") reading.texts[0] = (reading.texts[0] ?? "") + block.text;
  if (block.type === "thinking") reading.reasoning += block.thinking;
  if (block.type === "tool_use") reading.calls.push({ id: block.id, name: block.name, args: JSON.stringify(block.input) });
}

function readAnthropicStream(documents: readonly Json[]): Reading {
  const reading = emptyReading();
  const counts: Record<string, number> = {};
  for (const document of documents) {
    // Some files hold two answers one after the other; a stream's answer ends at its own end.
    if (reading.terminated) break;
    if (document.type === "error") reading.error = true;
    if (document.type === "message_start") readAnthropicUsage(reading, counts, document.message.usage);
    if (document.type === "message_stop") reading.terminated = true;
    if (document.type === "content_block_start") {
      readAnthropicBlock(reading, document.content_block);
      const call = reading.calls.at(-1);
      if (document.content_block.type === "tool_use" && call) call.args = call.args === "{}" ? "" : call.args;
    }
    if (document.type === "content_block_delta") {
      const { delta } = document;
      const open = documents.find((each) => each.type === "content_block_start" && each.index === document.index)?.content_block.type;
      if (delta.type === "text_delta" && open === "text") reading.texts[0] = (reading.texts[0] ?? "") + delta.text;
      if (delta.type === "thinking_delta") reading.reasoning += delta.thinking;
      const call = reading.calls.at(-1);
      if (delta.type === "input_json_delta" && open === "tool_use" && call) call.args += delta.partial_json;
    }
    if (document.type === "message_delta") {
      reading.finish = document.delta.stop_reason ?? reading.finish;
      readAnthropicUsage(reading, counts, document.usage);
    }
  }
  return reading;
}

function parseAll(text: string): Json[] {
  return payloads(text).flatMap(({ data }) => {
    try {
      return [JSON.parse(data)];
    } catch {
      return [];
    }
  });
}

export const READINGS: Record<
  ProtocolId,
  { stream(text: string, provider: string): Reading; whole(text: string, provider: string): Reading }
> = {
  "openai-chat": {
    stream(text, provider) {
      const reading = readChat(parseAll(text), false, provider);
      reading.terminated = payloads(text).some(({ data }) => data === "[DONE]");
      reading.error ||= payloads(text).some(({ event }) => event === "error") || /^error:/m.test(text);
      return reading;
    },
    whole: (text, provider) => ({ ...readChat([JSON.parse(text)], true, provider), terminated: true }),
  },
  "anthropic-messages": {
    stream: (text) => readAnthropicStream(parseAll(text)),
    whole(text) {
      const reading = { ...emptyReading(), terminated: true };
      const document: Json = JSON.parse(text);
      if (document.type === "error") return { ...reading, error: true };
      for (const block of document.content) readAnthropicBlock(reading, block);
      reading.finish = document.stop_reason;
      readAnthropicUsage(reading, {}, document.usage);
      return reading;
    },
  },
};
