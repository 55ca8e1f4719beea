/**
 * Trains the heads with few labels: logistic regression straight on the features, one number for each feature and label. With few
 * examples this forgets less of what it has not seen than the narrow vectors of train-narrow.ts do.
 */
import { type Prepared, seededRandom, shuffle, type TrainedPart } from "./prepare-examples.ts";

export interface DirectOptions {
  epochs: number;
  rate: number;
  seed: number;
}

export interface DirectInput {
  examples: readonly Prepared[];
  /** Of each bucket. */
  importance: Float32Array;
}

/** A smaller error moves nothing that matters. */
const ERROR_IGNORED = 1e-3;
const BIAS_RATE = 0.1;

/* oxlint-disable typescript/no-non-null-assertion -- every index below is within its array, and a check in these loops doubles their time */
/** Weights of one head, `buckets × labels`, and its bias. Steps are larger for features of more importance. */
export function trainHead(
  name: string,
  labels: number,
  { examples, importance }: DirectInput,
  { epochs, rate: rateAtFirst, seed }: DirectOptions,
): { weights: Float32Array; bias: Float32Array } {
  const random = seededRandom(seed);
  const weights = new Float32Array(importance.length * labels);
  const pace = importance.map((value) => value * value);
  const bias = new Float32Array(labels);
  const errors = new Float32Array(labels);
  const wanted = examples.flatMap(({ features, targets }) => {
    const label = targets.get(name);
    return label === undefined ? [] : [{ features, label }];
  });
  for (let epoch = 0; epoch < epochs; epoch++) {
    shuffle(wanted, random);
    const rate = rateAtFirst * (1 - epoch / epochs);
    for (const { features, label } of wanted) {
      scoreInto(errors, features.buckets, features.values, weights, bias);
      errors[label]! -= 1;
      if (errors.every((error) => Math.abs(error) < ERROR_IGNORED)) continue;
      for (let k = 0; k < features.buckets.length; k++) {
        const at = features.buckets[k]! * labels;
        const value = features.values[k]! * rate * pace[features.buckets[k]!]!;
        for (let c = 0; c < labels; c++) weights[at + c]! -= value * errors[c]!;
      }
      for (let c = 0; c < labels; c++) bias[c]! -= rate * BIAS_RATE * errors[c]!;
    }
  }
  return { weights, bias };
}

/** Probabilities of the labels. */
export function scoreInto(scores: Float32Array, ids: Int32Array, values: Float32Array, weights: Float32Array, bias: Float32Array): void {
  const labels = scores.length;
  scores.set(bias);
  for (let k = 0; k < ids.length; k++) {
    const at = ids[k]! * labels;
    const value = values[k]!;
    for (let c = 0; c < labels; c++) scores[c]! += value * weights[at + c]!;
  }
  let highest = -Infinity;
  for (let c = 0; c < labels; c++) highest = Math.max(highest, scores[c]!);
  let total = 0;
  for (let c = 0; c < labels; c++) {
    scores[c] = Math.exp(scores[c]! - highest);
    total += scores[c]!;
  }
  for (let c = 0; c < labels; c++) scores[c]! /= total;
}
/* oxlint-enable typescript/no-non-null-assertion */

/** All these heads as one part: the columns of their weights beside each other, and heads that pick theirs. */
export function trainDirect(
  labelsOfHead: Readonly<Record<string, readonly string[]>>,
  input: DirectInput,
  options: DirectOptions,
  report: (line: string) => void,
): TrainedPart {
  const names = Object.entries(labelsOfHead);
  const dimensions = names.reduce((sum, [, labels]) => sum + labels.length, 0);
  const buckets = input.importance.length;
  const vectors = new Float32Array(buckets * dimensions);
  const heads: TrainedPart["heads"] = [];
  let first = 0;
  for (const [name, labels] of names) {
    const trained = trainHead(name, labels.length, input, options);
    const picks = new Float32Array(labels.length * dimensions);
    for (let c = 0; c < labels.length; c++) {
      picks[c * dimensions + first + c] = 1;
      for (let bucket = 0; bucket < buckets; bucket++) {
        vectors[bucket * dimensions + first + c] = trained.weights[bucket * labels.length + c] ?? 0;
      }
    }
    heads.push({ name, labels, weights: picks, bias: trained.bias });
    first += labels.length;
    report(`trained ${name}`);
  }
  return { dimensions, vectors, heads };
}
