/** Ollama's two endpoints, read by eye: a JSON text a line. */
import { emptyReading, type Json, type PlainReader, type Reading } from "./reading.ts";

function readLine(reading: Reading, line: Json, said: Json, text: string | undefined): void {
  if (line.error) reading.error = true;
  if (text) reading.texts[0] = (reading.texts[0] ?? "") + text;
  reading.reasoning += said?.thinking ?? "";
  for (const call of said?.tool_calls ?? [])
    reading.calls.push({ id: call.id ?? "", name: call.function.name, args: JSON.stringify(call.function.arguments ?? {}) });
  if (!line.done) return;
  reading.terminated = true;
  reading.finish = line.done_reason ?? null;
  reading.promptTokens = line.prompt_eval_count ?? null;
  reading.outputTokens = line.eval_count ?? null;
}

function readerOf(read: (reading: Reading, line: Json) => void): PlainReader {
  const readAll = (lines: string[]): Reading => {
    const reading = emptyReading();
    for (const line of lines) if (line.trim() !== "") read(reading, JSON.parse(line));
    return reading;
  };
  return { stream: (bytes) => readAll(bytes.toString().split(/\r?\n/)), whole: (text) => readAll([text]) };
}

export const readOllamaChat = readerOf((reading, line) => readLine(reading, line, line.message, line.message?.content));
export const readOllamaGenerate = readerOf((reading, line) => readLine(reading, line, line, line.response));
