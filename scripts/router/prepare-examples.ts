/** Examples as numbers: their features, with the importance of each bucket, and their labels as positions. */
import { promptFeatures, type PromptFeatures } from "../../workers/routing/prompt-features.ts";

export interface Example {
  text: string;
  /** For some heads the right label. */
  labels: Readonly<Record<string, string>>;
  /** Honest, and yet like an attack in its length or its tone: the threshold of risk is chosen by these. */
  isHardBenign?: boolean;
}

export interface Prepared {
  features: PromptFeatures;
  /** By head: the position of the right label. */
  targets: Map<string, number>;
}

/** Vectors of features, and the heads over their weighted sum. */
export interface TrainedPart {
  dimensions: number;
  /** `buckets × dimensions`. */
  vectors: Float32Array;
  heads: { name: string; labels: readonly string[]; weights: Float32Array; bias: Float32Array }[];
}

/** Numbers from 0 to 1, always the same for a seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export function shuffle<T>(list: T[], random: () => number): void {
  for (let index = list.length - 1; index > 0; index--) {
    const other = Math.floor(random() * (index + 1));
    const kept = list[index];
    const moved = list[other];
    if (kept !== undefined && moved !== undefined) [list[index], list[other]] = [moved, kept];
  }
}

/** Rarer is more important: the usual inverse document frequency over distinct texts, so scaled that the usual text keeps its length. */
export function importanceOf(examples: readonly Prepared[], buckets: number): Float32Array {
  const distinct = new Set(examples.map(({ features }) => features));
  const counts = new Float32Array(buckets);
  for (const { buckets: ids } of distinct) for (const bucket of ids) counts[bucket] = (counts[bucket] ?? 0) + 1;
  const plain = counts.map((count) => Math.log((distinct.size + 1) / (count + 1)) + 1);
  let lengths = 0;
  for (const { buckets: ids, values } of distinct) {
    lengths += Math.sqrt(ids.reduce((sum, bucket, k) => sum + ((values[k] ?? 0) * (plain[bucket] ?? 0)) ** 2, 0));
  }
  return plain.map((value) => (value * distinct.size) / lengths);
}

export function prepareExamples(
  examples: readonly Example[],
  labelsOfHead: Readonly<Record<string, readonly string[]>>,
  buckets: number,
): Prepared[] {
  const known = new Map<string, PromptFeatures>();
  return examples.map(({ text, labels }) => {
    const features = known.get(text) ?? promptFeatures(text, buckets);
    known.set(text, features);
    const targets = new Map(
      Object.entries(labels).map(([head, label]) => {
        const position = labelsOfHead[head]?.indexOf(label) ?? -1;
        if (position === -1) throw new Error(`the head ${head} has no label ${label}`);
        return [head, position] as const;
      }),
    );
    return { features, targets };
  });
}
