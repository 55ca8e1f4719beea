/** What a plain reading says of a recording: what it holds, and whether it broke off when it was recorded. */
import type { Quirks } from "../../workers/protocol/protocol.ts";
import { PROVIDERS } from "../../workers/provider/index.ts";
import { READINGS } from "./readings/index.ts";
import type { Reading } from "./readings/reading.ts";
import type { Recording } from "./recordings.ts";

export function quirksOf(recording: Recording): Quirks {
  return PROVIDERS[recording.provider]?.quirks ?? {};
}

/** The plain reading of a recording, or of the first bytes of one. */
export function readingOf(recording: Recording, length = recording.bytes.length): Reading {
  const reader = READINGS[recording.protocol];
  if (reader === undefined) throw new Error(`nobody reads ${recording.protocol}`);
  return recording.stream
    ? reader.stream(recording.bytes.subarray(0, length), recording.provider)
    : reader.whole(recording.bytes.toString(), recording.provider);
}

export function isCounted(reading: Reading): boolean {
  return reading.promptTokens !== null || reading.outputTokens !== null;
}

/** The recording itself broke off: it has neither an error nor an end. */
export function isBroken(recording: Recording, reading: Reading): boolean {
  if (reading.error || reading.terminated) return false;
  // Without its terminator this wire is whole only when the usage that the gateway asks for has come.
  return reading.finish === null || (recording.protocol === "openai-chat" && !isCounted(reading));
}
