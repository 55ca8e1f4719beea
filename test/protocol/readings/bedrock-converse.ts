/** Bedrock Converse, read by eye. */
import { plainFrames } from "../frames.ts";
import { emptyReading, type Json, type PlainReader, type Reading } from "./reading.ts";

function addText(reading: Reading, text: string): void {
  reading.texts[0] = (reading.texts[0] ?? "") + text;
}

function readUsage(reading: Reading, usage: Json): void {
  if (!usage) return;
  reading.promptTokens = usage.inputTokens + (usage.cacheReadInputTokens ?? 0) + (usage.cacheWriteInputTokens ?? 0);
  reading.outputTokens = usage.outputTokens;
}

function readDelta(reading: Reading, kind: string, delta: Json): void {
  if (delta.text !== undefined) addText(reading, delta.text);
  if (delta.reasoningContent?.text) reading.reasoning += delta.reasoningContent.text;
  const call = reading.calls.at(-1);
  // What a tool of the provider's own is called with is no call for the client.
  if (delta.toolUse && kind === "toolUse" && call) call.args += delta.toolUse.input;
}

function readStream(bytes: Buffer): Reading {
  const reading = emptyReading();
  const kinds = new Map<number, string>();
  let stopped = false;
  for (const { type, isException, payload } of plainFrames(bytes)) {
    const event: Json = JSON.parse(payload);
    if (isException) reading.error = true;
    if (type === "contentBlockStart" && event.start.toolUse) {
      const { name, toolUseId, type: kind } = event.start.toolUse;
      kinds.set(event.contentBlockIndex, kind === "server_tool_use" ? "server" : "toolUse");
      if (kind !== "server_tool_use") reading.calls.push({ id: toolUseId, name, args: "" });
    }
    if (type === "contentBlockDelta") readDelta(reading, kinds.get(event.contentBlockIndex) ?? "", event.delta);
    if (type === "messageStop") {
      reading.finish = event.stopReason;
      stopped = true;
    }
    if (type === "metadata") {
      readUsage(reading, event.usage);
      reading.terminated = stopped;
    }
  }
  return reading;
}

export const readBedrockConverse: PlainReader = {
  stream: readStream,
  whole(text) {
    const reading = { ...emptyReading(), terminated: true };
    const answer: Json = JSON.parse(text);
    if (!answer.output) return { ...reading, error: true };
    for (const block of answer.output.message.content) {
      if (block.text !== undefined) addText(reading, block.text);
      for (const part of block.citationsContent?.content ?? []) addText(reading, part.text);
      reading.reasoning += block.reasoningContent?.reasoningText?.text ?? "";
      if (block.toolUse)
        reading.calls.push({ id: block.toolUse.toolUseId, name: block.toolUse.name, args: JSON.stringify(block.toolUse.input) });
    }
    reading.finish = answer.stopReason;
    readUsage(reading, answer.usage);
    return reading;
  },
};
