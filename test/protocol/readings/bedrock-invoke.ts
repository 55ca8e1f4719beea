/** Anthropic Messages inside Bedrock's InvokeModel, read by eye: the frames taken off, the rest is the other format's reading. */
import { plainFrames } from "../frames.ts";
import { readAnthropicMessages } from "./anthropic-messages.ts";
import { emptyReading, type Json, type PlainReader } from "./reading.ts";

export const readBedrockInvoke: PlainReader = {
  stream(bytes, provider) {
    const frames = plainFrames(bytes);
    const events = frames.map(({ payload }) => Buffer.from(JSON.parse(payload).bytes ?? "", "base64").toString());
    // Models of other makers answer in formats of their own, which this one is not.
    const own = events.filter((event) => event.startsWith('{"type":'));
    const reading = readAnthropicMessages.stream(Buffer.from(own.map((event) => `data: ${event}\n\n`).join("")), provider);
    return { ...reading, error: reading.error || frames.some(({ isException }) => isException) };
  },
  whole(text, provider) {
    const answer: Json = JSON.parse(text);
    return Array.isArray(answer.content) ? readAnthropicMessages.whole(text, provider) : { ...emptyReading(), error: true };
  },
};
