/** What one case of the conformance table is, and how its outcome is told. */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { ClientId } from "./sdk/index.ts";

/**
 * `request`: what the caller says reaches the provider, or the losses say what does not. `relay`: nothing throws, one protocol on both sides passes byte for byte, and the end is the right one. `sdk`: the client's official SDK
 * takes every byte and reads what was said. `trip`: there and back again, all is there. `fold`: the stream put together is the whole
 * body. `splits`: however the bytes come, the client gets the same. `cuts`: a body that breaks off ends in an error. `error`: a
 * refusal has the right status, code, shape and time to come back.
 */
export const CHECKS = ["request", "relay", "sdk", "trip", "fold", "splits", "cuts", "error"] as const;
export type Check = (typeof CHECKS)[number];

export interface CaseResult {
  upstream: ProtocolId;
  client: ClientId;
  body: string;
  /** Set for a case of a provider of the registry: with its quirks, beside the table of wires. */
  provider: string | null;
  check: Check;
  outcome: "passed" | "listed" | "failed";
  /** Why a listed case is no plain pass. */
  reasons: string[];
  /** What is wrong with a failed one. */
  fault: string | null;
  /** How many cuts or splits it tried. */
  places: number;
}

/** How much is tried where trying everything takes long. */
export interface Effort {
  /** Bodies shorter than this are cut at every byte. */
  everyByteBelow: number;
  /** Places of longer bodies, beside event edges. */
  seededCuts: number;
  /** Bytes that the cuts of one body at event edges may run through; edges are left out evenly above it. */
  edgeBytes: number;
  /** Two-piece splits, beside single bytes, the recorded chunks and all splits at once. */
  splits: number;
}

/** What `npm run conformance` does. */
export const FULL_EFFORT: Effort = { everyByteBelow: 8 * 1024, seededCuts: 200, edgeBytes: Infinity, splits: 24 };
/** A slice that fits into the tests of every day. */
export const SLICE_EFFORT: Effort = { everyByteBelow: 0, seededCuts: 6, edgeBytes: 40_000, splits: 2 };

/** What a check found: reasons that keep it from being a plain pass, and how much it tried. */
export interface Finding {
  reasons?: readonly string[];
  places?: number;
}

/** A fault that a check states in its own words. */
export class Fault extends Error {}

export function demand(holds: boolean, fault: string): void {
  if (!holds) throw new Fault(fault);
}

/** The first difference of two values of one shape, as a path and both sides; null when they are the same. */
export function differenceOf(wanted: unknown, got: unknown, path = ""): string | null {
  if (JSON.stringify(wanted) === JSON.stringify(got)) return null;
  const isLeaf = typeof wanted !== "object" || typeof got !== "object" || wanted === null || got === null;
  if (isLeaf) return `${path}: ${show(wanted)} became ${show(got)}`;
  for (const key of new Set([...Object.keys(wanted), ...Object.keys(got)])) {
    const difference = differenceOf(Reflect.get(wanted, key), Reflect.get(got, key), `${path}.${key}`);
    if (difference !== null) return difference;
  }
  return `${path}: the order of members`;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 160 ? `${text.slice(0, 160)}…` : text;
}

export function demandSame(wanted: unknown, got: unknown, what: string): void {
  const difference = differenceOf(wanted, got);
  demand(difference === null, `${what}${difference ?? ""}`);
}
