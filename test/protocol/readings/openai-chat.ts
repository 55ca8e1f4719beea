/** OpenAI Chat Completions, read by eye. */
import { emptyReading, type Json, parseAll, payloads, type PlainReader, type Reading } from "./reading.ts";

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

export const readOpenaiChat: PlainReader = {
  stream(bytes, provider) {
    const text = bytes.toString();
    const reading = readChat(parseAll(text), false, provider);
    reading.terminated = payloads(text).some(({ data }) => data === "[DONE]");
    reading.error ||= payloads(text).some(({ event }) => event === "error") || /^error:/m.test(text);
    return reading;
  },
  whole: (text, provider) => ({ ...readChat([JSON.parse(text)], true, provider), terminated: true }),
};
