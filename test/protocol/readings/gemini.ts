/** Gemini generateContent, read by eye. */
import { emptyReading, type Json, parseAll, type PlainReader, type Reading } from "./reading.ts";

/** Arguments that come in pieces, each with the place it belongs to. */
function setAt(root: Json, path: string, value: Json): void {
  const steps = path
    .slice(1)
    .split(/\.|(?=\[)/)
    .filter((step) => step !== "")
    .map((step) => (step.startsWith("[") ? Number(step.slice(1, -1)) : step));
  let place = root;
  for (const [index, step] of steps.slice(0, -1).entries()) place = place[step] ??= typeof steps[index + 1] === "number" ? [] : {};
  const last = steps.at(-1) ?? "";
  place[last] = typeof value === "string" && typeof place[last] === "string" ? place[last] + value : value;
}

function readPart(reading: Reading, choice: number, part: Json, open: { args: Json | null }): void {
  if (part.text !== undefined) {
    if (part.thought) reading.reasoning += part.text;
    else reading.texts[choice] = (reading.texts[choice] ?? "") + part.text;
  }
  const call = part.functionCall;
  if (!call) return;
  if (call.name) {
    open.args = call.args ?? {};
    reading.calls.push({ id: call.id ?? "", name: call.name, args: JSON.stringify(open.args) });
  }
  for (const piece of call.partialArgs ?? [])
    setAt(open.args, piece.jsonPath, piece.stringValue ?? piece.numberValue ?? piece.boolValue ?? null);
  const target = reading.calls.at(-1);
  if (target) target.args = JSON.stringify(open.args);
}

function read(documents: readonly Json[]): Reading {
  const reading = emptyReading();
  const open = { args: null };
  const blocked = documents.find((document) => document.promptFeedback?.blockReason && !document.candidates?.length);
  if (blocked) reading.finish = blocked.promptFeedback.blockReason;
  for (const document of documents) {
    if (document.error) reading.error = true;
    for (const [position, candidate] of (document.candidates ?? []).entries()) {
      const choice = candidate.index ?? position;
      reading.texts[choice] ??= "";
      for (const part of candidate.content?.parts ?? []) readPart(reading, choice, part, open);
      if (choice === 0) reading.finish = candidate.finishReason ?? reading.finish;
    }
    const usage = document.usageMetadata;
    if (usage?.promptTokenCount !== undefined) reading.promptTokens = usage.promptTokenCount + (usage.toolUsePromptTokenCount ?? 0);
    if (usage?.candidatesTokenCount !== undefined || usage?.thoughtsTokenCount !== undefined || usage?.totalTokenCount !== undefined)
      reading.outputTokens = (usage.candidatesTokenCount ?? 0) + (usage.thoughtsTokenCount ?? 0);
  }
  return reading;
}

export const readGemini: PlainReader = {
  stream(bytes) {
    const text = bytes.toString();
    const reading = read(parseAll(text));
    // An error in the middle stands there as bare JSON.
    reading.error ||= /^\s*"error"\s*:/m.test(text);
    return reading;
  },
  whole(text) {
    const body: Json = JSON.parse(text.replace(/^\uFEFF/, ""));
    const documents = Array.isArray(body) ? body : [body];
    const reading = { ...read(documents), terminated: true };
    reading.error ||= documents.every((document) => !document.candidates && !document.promptFeedback);
    return reading;
  },
};
