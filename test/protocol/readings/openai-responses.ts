/** OpenAI Responses, read by eye. */
import { emptyReading, type Json, parseAll, type PlainReader, type Reading } from "./reading.ts";

/** One reasoning: its parts with a blank line between them. */
function joinParts(parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("\n\n");
}

function textsOf(list: Json): string[] {
  return (list ?? []).map((part: Json) => part.text);
}

function readItem(reading: Reading, item: Json): void {
  if (item.type === "message") for (const part of item.content) reading.texts[0] = (reading.texts[0] ?? "") + (part.text ?? part.refusal);
  if (item.type === "reasoning") {
    reading.reasoning += joinParts(textsOf(item.content)) || joinParts(textsOf(item.summary));
  }
  if (item.type === "function_call") reading.calls.push({ id: item.call_id, name: item.name, args: item.arguments });
  if (item.type === "custom_tool_call")
    reading.calls.push({ id: item.call_id, name: item.name, args: JSON.stringify({ input: item.input }) });
}

function readEnd(reading: Reading, response: Json): void {
  reading.terminated = true;
  reading.finish = response.incomplete_details?.reason ?? response.status ?? null;
  if (!response.usage) return;
  reading.promptTokens = response.usage.input_tokens;
  reading.outputTokens = response.usage.output_tokens;
}

/** What was streamed of each reasoning, in the order in which it began: text by item, kind and part. */
function streamedReasoning(documents: readonly Json[]): string {
  const runs = new Map<string, Map<number, string>>();
  for (const { type, output_index, content_index, summary_index, delta } of documents) {
    if (type !== "response.reasoning_text.delta" && type !== "response.reasoning_summary_text.delta") continue;
    const key = `${output_index} ${type}`;
    const run = runs.get(key) ?? new Map<number, string>();
    const part = summary_index ?? content_index ?? 0;
    run.set(part, (run.get(part) ?? "") + delta);
    runs.set(key, run);
  }
  return [...runs.values()].map((run) => joinParts([...run.values()])).join("");
}

const TEXT_DELTAS = ["response.output_text.delta", "response.refusal.delta"];

function isLast({ type }: Json): boolean {
  return /^response\.(completed|incomplete|failed)$/.test(type) || type === "error";
}

function readStream(all: readonly Json[]): Reading {
  const reading = emptyReading();
  // Some files hold several answers one after the other; a stream's answer ends at its own end.
  const last = all.findIndex(isLast);
  const documents = last === -1 ? all : all.slice(0, last + 1);
  const items = documents.filter(({ type }) => type === "response.output_item.done");
  // By place: an item may be finished after one that began later.
  for (const { item, output_index } of items.toSorted((one, other) => one.output_index - other.output_index)) {
    const before = reading.texts[0] ?? "";
    readItem(reading, item);
    const streamed = documents.filter(({ type, output_index: index }) => TEXT_DELTAS.includes(type) && index === output_index);
    // Shortened recordings: a finished text that does not go on from its deltas comes too late to be shown.
    const text = streamed.map(({ delta }) => delta).join("");
    if (text !== "" && !reading.texts[0]?.slice(before.length).startsWith(text)) reading.texts[0] = before + text;
  }
  reading.reasoning = streamedReasoning(documents) || reading.reasoning;
  const end = documents.at(-1);
  if (last === -1) return reading;
  reading.error = end.type === "error" || end.type === "response.failed";
  if (items.length === 0) for (const item of end.response?.output ?? []) readItem(reading, item);
  if (end.response) readEnd(reading, end.response);
  return reading;
}

export const readOpenaiResponses: PlainReader = {
  stream: (bytes) => readStream(parseAll(bytes.toString())),
  whole(text) {
    const reading = emptyReading();
    const document: Json = JSON.parse(text);
    if (!document.output || document.status === "failed") return { ...reading, error: true };
    for (const item of document.output) readItem(reading, item);
    readEnd(reading, document);
    return reading;
  },
};
