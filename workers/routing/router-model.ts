/**
 * The linear model behind the router: for each hashed feature a row of 4-bit numbers, whose weighted sum a linear head turns into
 * probabilities. The weights are in the bundle (router-weights.json, made by scripts/train-router.ts), unpacked at their first use.
 */
import type { RouterWeights } from "../../schema/router-weights.ts";
import { promptFeatures } from "./prompt-features.ts";

interface Head {
  labels: readonly string[];
  weights: Int8Array;
  step: number;
  bias: readonly number[];
  temperature: number;
  /** Where the numbers of its part begin in the sum, and how many there are. */
  first: number;
  dimensions: number;
}

export interface RouterModel {
  version: string;
  buckets: number;
  /** Numbers in a row, over all parts. */
  dimensions: number;
  steps: Float32Array;
  rows: Int8Array;
  heads: ReadonlyMap<string, Head>;
  thresholds: RouterWeights["thresholds"];
}

function bytesOf(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = text.charCodeAt(index);
  return bytes;
}

/** Unpacks the weights: some milliseconds, once. Throws when their lengths do not fit each other, which no request can bring about. */
export function unpackModel({ version, buckets, parts, thresholds }: RouterWeights): RouterModel {
  const dimensions = parts.reduce((sum, part) => sum + part.dimensions, 0);
  const rows = new Int8Array(buckets * dimensions);
  const steps = new Float32Array(dimensions);
  const heads = new Map<string, Head>();
  let first = 0;
  for (const part of parts) {
    unpackRows(rows, bytesOf(part.vectors), { buckets, dimensions, first, width: part.dimensions });
    steps.set(part.steps, first);
    for (const { name, labels, weights, weight_step: step, bias, temperature } of part.heads) {
      const bytes = new Int8Array(bytesOf(weights));
      if (bytes.length !== labels.length * part.dimensions) throw new Error(`the router's head ${name} does not fit its labels`);
      heads.set(name, { labels, weights: bytes, step, bias, temperature, first, dimensions: part.dimensions });
    }
    first += part.dimensions;
  }
  return { version, buckets, dimensions, steps, rows, heads, thresholds };
}

interface RowLayout {
  buckets: number;
  dimensions: number;
  first: number;
  width: number;
}

function unpackRows(rows: Int8Array, packed: Uint8Array, { buckets, dimensions, first, width }: RowLayout): void {
  if (packed.length !== Math.ceil((buckets * width) / 2)) throw new Error("the router's vectors do not fit their buckets");
  for (let bucket = 0, index = 0; bucket < buckets; bucket++) {
    const at = bucket * dimensions + first;
    for (let j = 0; j < width; j++, index++) {
      const byte = packed[index >> 1] ?? 0;
      rows[at + j] = (index % 2 === 0 ? byte >> 4 : byte & 15) - 8;
    }
  }
}

/* oxlint-disable typescript/no-non-null-assertion -- every index below is within its array, and a check in this loop doubles its time */
/** The sum of a text's rows: what all heads read. */
export function sumOfText(model: RouterModel, text: string): Float32Array {
  const { buckets, values } = promptFeatures(text, model.buckets);
  const { dimensions, rows, steps } = model;
  const sum = new Float64Array(dimensions);
  // Four rows at once, so that each number of the sum is read and written a quarter as often.
  const whole = buckets.length - (buckets.length % 4);
  for (let index = 0; index < whole; index += 4) {
    const a = buckets[index]! * dimensions;
    const b = buckets[index + 1]! * dimensions;
    const c = buckets[index + 2]! * dimensions;
    const d = buckets[index + 3]! * dimensions;
    const [v, w, x, y] = [values[index]!, values[index + 1]!, values[index + 2]!, values[index + 3]!];
    for (let j = 0; j < dimensions; j++) sum[j]! += v * rows[a + j]! + w * rows[b + j]! + x * rows[c + j]! + y * rows[d + j]!;
  }
  for (let index = whole; index < buckets.length; index++) {
    const at = buckets[index]! * dimensions;
    for (let j = 0; j < dimensions; j++) sum[j]! += values[index]! * rows[at + j]!;
  }
  return Float32Array.from(sum, (value, j) => value * steps[j]!);
}
/* oxlint-enable typescript/no-non-null-assertion */

export interface LabelShares {
  labels: readonly string[];
  /** Probabilities, in the order of the labels. */
  shares: Float32Array;
}

/** What a head makes of the sum. */
export function sharesOf(model: RouterModel, name: string, sum: Float32Array): LabelShares {
  const head = model.heads.get(name);
  if (head === undefined) throw new Error(`the router's model has no head ${name}`);
  const { labels, weights, step, bias, temperature, first, dimensions } = head;
  const shares = new Float32Array(labels.length);
  let highest = -Infinity;
  for (let label = 0; label < labels.length; label++) {
    const at = label * dimensions;
    let score = 0;
    for (let j = 0; j < dimensions; j++) score += (sum[first + j] ?? 0) * (weights[at + j] ?? 0);
    shares[label] = (score * step + (bias[label] ?? 0)) / temperature;
    highest = Math.max(highest, shares[label] ?? 0);
  }
  let total = 0;
  for (let label = 0; label < shares.length; label++) {
    const raised = Math.exp((shares[label] ?? 0) - highest);
    shares[label] = raised;
    total += raised;
  }
  return { labels, shares: shares.map((share) => share / total) };
}

export interface Likely {
  label: string;
  confidence: number;
}

/** The likeliest labels first. */
export function likeliest({ labels, shares }: LabelShares, count: number): Likely[] {
  return labels
    .map((label, index) => ({ label, confidence: shares[index] ?? 0 }))
    .toSorted((left, right) => right.confidence - left.confidence)
    .slice(0, count);
}

/** The share of one label; 0 for a label the head does not have. */
export function shareOfLabel({ labels, shares }: LabelShares, label: string): number {
  return shares[labels.indexOf(label)] ?? 0;
}
