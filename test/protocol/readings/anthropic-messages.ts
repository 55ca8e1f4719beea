/** Anthropic Messages, read by eye. */
import { emptyReading, type Json, parseAll, type PlainReader, type Reading } from "./reading.ts";

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

export const readAnthropicMessages: PlainReader = {
  stream: (bytes) => readAnthropicStream(parseAll(bytes.toString())),
  whole(text) {
    const reading = { ...emptyReading(), terminated: true };
    const document: Json = JSON.parse(text);
    if (document.type === "error") return { ...reading, error: true };
    for (const block of document.content) readAnthropicBlock(reading, block);
    reading.finish = document.stop_reason;
    readAnthropicUsage(reading, {}, document.usage);
    return reading;
  },
};
