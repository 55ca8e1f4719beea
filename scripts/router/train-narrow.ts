/**
 * Trains a head with very many labels: one small vector for each hashed feature, and the labels' weights over the sum of vectors. Plain
 * stochastic gradient descent with AdaGrad's step sizes, seeded, so the same data gives the same weights.
 */
import type { PromptFeatures } from "../../workers/routing/prompt-features.ts";
import { type Prepared, seededRandom, shuffle, type TrainedPart } from "./prepare-examples.ts";

export interface NarrowOptions {
  dimensions: number;
  epochs: number;
  rate: number;
  /** Share of features left out at random at each step, which keeps the model from resting on few of them. */
  dropout: number;
  /** Makes vectors of length 1 long enough for a confident answer. */
  scale: number;
  seed: number;
}

const SQUARES_START = 1e-6;
/** A smaller error moves nothing that matters. */
const ERROR_IGNORED = 1e-4;

interface Head {
  weights: Float32Array;
  bias: Float32Array;
  weightSquares: Float32Array;
  biasSquares: Float32Array;
  scores: Float32Array;
}

function newHead(labels: number, dimensions: number, random: () => number): Head {
  return {
    weights: Float32Array.from({ length: labels * dimensions }, () => (random() - 0.5) * 0.2),
    bias: new Float32Array(labels),
    weightSquares: new Float32Array(labels * dimensions).fill(SQUARES_START),
    biasSquares: new Float32Array(labels).fill(SQUARES_START),
    scores: new Float32Array(labels),
  };
}

/** Trains one head with `dimensions` numbers for each feature. */
export function trainNarrow(
  name: string,
  labels: readonly string[],
  { examples, buckets }: { examples: readonly Prepared[]; buckets: number },
  options: NarrowOptions,
): TrainedPart {
  const random = seededRandom(options.seed);
  const head = newHead(labels.length, options.dimensions, random);
  const wanted = examples.flatMap(({ features, targets }) => {
    const label = targets.get(name);
    return label === undefined ? [] : [{ features, label }];
  });
  const step = makeStep(head, buckets, options, random);
  for (let epoch = 0; epoch < options.epochs; epoch++) {
    shuffle(wanted, random);
    const rate = options.rate * (1 - (epoch / options.epochs) * 0.9);
    for (const { features, label } of wanted) step.learn(features, label, rate);
  }
  for (let index = 0; index < step.vectors.length; index++) step.vectors[index] = (step.vectors[index] ?? 0) * options.scale;
  return { dimensions: options.dimensions, vectors: step.vectors, heads: [{ name, labels, weights: head.weights, bias: head.bias }] };
}

/* oxlint-disable typescript/no-non-null-assertion -- every index below is within its array, and a check in these loops doubles their time */
function makeStep(head: Head, buckets: number, { dimensions, dropout, scale }: NarrowOptions, random: () => number) {
  const vectors = Float32Array.from({ length: buckets * dimensions }, () => (random() - 0.5) * 0.2);
  const squares = new Float32Array(buckets * dimensions).fill(SQUARES_START);
  const hidden = new Float32Array(dimensions);
  const gradient = new Float32Array(dimensions);

  const embed = ({ buckets: ids, values }: PromptFeatures, used: Float32Array): void => {
    hidden.fill(0);
    for (let k = 0; k < ids.length; k++) {
      const value = random() < dropout ? 0 : (values[k]! * scale) / (1 - dropout);
      used[k] = value;
      if (value === 0) continue;
      const at = ids[k]! * dimensions;
      for (let j = 0; j < dimensions; j++) hidden[j]! += value * vectors[at + j]!;
    }
  };

  /** Moves the head towards the label, and collects the gradient of the hidden vector. */
  const moveHead = (label: number, rate: number): void => {
    const { weights, bias, scores, weightSquares, biasSquares } = head;
    softmaxInto(scores, weights, bias, hidden);
    for (let c = 0; c < scores.length; c++) {
      const error = scores[c]! - (c === label ? 1 : 0);
      if (Math.abs(error) < ERROR_IGNORED) continue;
      const at = c * dimensions;
      for (let j = 0; j < dimensions; j++) {
        gradient[j]! += error * weights[at + j]!;
        const slope = error * hidden[j]!;
        weightSquares[at + j]! += slope * slope;
        weights[at + j]! -= (rate * slope) / Math.sqrt(weightSquares[at + j]!);
      }
      biasSquares[c]! += error * error;
      bias[c]! -= (rate * error) / Math.sqrt(biasSquares[c]!);
    }
  };

  const learn = (features: PromptFeatures, label: number, rate: number): void => {
    const { buckets: ids } = features;
    const used = new Float32Array(ids.length);
    embed(features, used);
    gradient.fill(0);
    moveHead(label, rate);
    for (let k = 0; k < ids.length; k++) {
      const value = used[k]!;
      if (value === 0) continue;
      const at = ids[k]! * dimensions;
      for (let j = 0; j < dimensions; j++) {
        const slope = gradient[j]! * value;
        squares[at + j]! += slope * slope;
        vectors[at + j]! -= (rate * slope) / Math.sqrt(squares[at + j]!);
      }
    }
  };
  return { vectors, learn };
}

function softmaxInto(scores: Float32Array, weights: Float32Array, bias: Float32Array, hidden: Float32Array): void {
  const dimensions = hidden.length;
  let highest = -Infinity;
  for (let c = 0; c < scores.length; c++) {
    let sum = bias[c]!;
    for (let j = 0; j < dimensions; j++) sum += hidden[j]! * weights[c * dimensions + j]!;
    scores[c] = sum;
    if (sum > highest) highest = sum;
  }
  let total = 0;
  for (let c = 0; c < scores.length; c++) {
    scores[c] = Math.exp(scores[c]! - highest);
    total += scores[c]!;
  }
  for (let c = 0; c < scores.length; c++) scores[c]! /= total;
}
/* oxlint-enable typescript/no-non-null-assertion */
