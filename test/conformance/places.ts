/** Where a recorded stream is cut, and from where on what has come of it is the whole answer. */
import type { Framer } from "../../workers/protocol/protocol.ts";
import { isBroken, isCounted, readingOf } from "../protocol/recorded-reading.ts";
import { type Recording, seededPlaces } from "../protocol/recordings.ts";
import type { Reading } from "../protocol/readings/reading.ts";
import type { Effort } from "./case.ts";

export type CutEffort = Pick<Effort, "everyByteBelow" | "seededCuts" | "edgeBytes">;

/** Ends of a stream's events: offsets after each frame, its blank line included. */
export function edgesOf(framer: Framer, bytes: Uint8Array): number[] {
  let offset = 0;
  return [...framer.push(bytes), ...framer.end()].map((frame) => (offset += frame.bytes.length));
}

/** Every byte of a short body; of a longer one each event's edge and three bytes around it, and seeded places. */
export function cutPlaces(bytes: Uint8Array, edges: readonly number[], effort: CutEffort): number[] {
  const { length } = bytes;
  if (length < effort.everyByteBelow) return Array.from({ length: length - 1 }, (_, index) => index + 1);
  const affordable = Math.max(1, Math.floor(effort.edgeBytes / (7 * (length / 2))));
  const step = Math.max(1, edges.length / affordable);
  const places = new Set(seededPlaces(length, effort.seededCuts, length));
  for (let index = 0; index < edges.length; index += step) {
    const edge = edges[Math.floor(index)] ?? 0;
    for (let shift = -3; shift <= 3; shift++) places.add(edge + shift);
  }
  return [...places].filter((place) => place > 0 && place < length).toSorted((one, other) => one - other);
}

/** The first of the numbers from `low` to `high` that a test holds for, when it holds for all after that one; `high` when for none before. */
function firstOf(low: number, high: number, holds: (index: number) => boolean): number {
  let [first, last] = [low, high];
  while (first < last) {
    const middle = (first + last) >> 1;
    if (holds(middle)) last = middle;
    else first = middle + 1;
  }
  return first;
}

/**
 * The first place by which the answer is whole: its terminator has come, or its finish and, where it tells any, its usage. Infinity: it
 * never is. What comes after it in the same event (a line end, a name) adds nothing.
 */
export function wholeFrom(recording: Recording, edges: readonly number[]): number {
  const whole = readingOf(recording);
  if (isBroken(recording, whole)) return Infinity;
  const isWhole = (place: number): boolean => {
    const reading = readPrefix(recording, place);
    if (reading === null) return false;
    const isFinished = reading.finish !== null && reading.finish !== "error";
    return (reading.terminated && !reading.error) || (isFinished && (isCounted(reading) || !isCounted(whole)));
  };
  const event = firstOf(0, edges.length, (index) => isWhole(edges[index] ?? 0));
  const edge = edges[event];
  return edge === undefined ? Infinity : firstOf((edges[event - 1] ?? 0) + 1, edge, isWhole);
}

/** Null: half of its last event cannot be read. */
export function readPrefix(recording: Recording, place: number): Reading | null {
  try {
    return readingOf(recording, place);
  } catch {
    return null;
  }
}
