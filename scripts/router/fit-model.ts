/** The whole training: both parts, packed, then temperatures and thresholds by trials that use training data alone. */
import type { RouterWeights } from "../../schema/router-weights.ts";
import { sharesOf, shareOfLabel, sumOfText, unpackModel } from "../../workers/routing/router-model.ts";
import type { DataSets } from "./data-sets.ts";
import { JAILBREAK, labelsOfHeads, trainingExamples } from "./examples.ts";
import { packWeights } from "./pack-weights.ts";
import { type Example, importanceOf, prepareExamples } from "./prepare-examples.ts";
import { scoreInto, trainDirect, trainHead } from "./train-direct.ts";
import { trainNarrow } from "./train-narrow.ts";

const BUCKETS = 12_288;
const NARROW = { dimensions: 64, epochs: 9, rate: 0.05, dropout: 0.4, scale: 4, seed: 1 };
const DIRECT = { epochs: 10, rate: 2, seed: 1 };
const VERSION = "1";
/** One text in so many is kept out of a trial training. */
const FOLDS = 5;

/** Trains, packs and calibrates. `report` is told what goes on. */
export function fitModel(data: DataSets, report: (line: string) => void): RouterWeights {
  const examples = trainingExamples(data);
  const labels = labelsOfHeads(data);
  report(`${examples.length} examples`);
  const weights = trainWhole(examples, labels, report);
  const risk = trialScores(examples, labels);
  const jailbreak = thresholdOf(risk.filter(({ isHardBenign }) => isHardBenign).map(({ score }) => score));
  weights.thresholds = { jailbreak, grey: jailbreak / 2 };
  report(
    `threshold ${jailbreak.toFixed(3)}: finds ${shareAbove(
      risk.filter(({ isAttack }) => isAttack).map(({ score }) => score),
      jailbreak,
    )} of unseen training attacks`,
  );
  calibrate(weights, examples, labels, report);
  return weights;
}

function trainWhole(
  examples: readonly Example[],
  labels: Record<string, readonly string[]>,
  report: (line: string) => void,
): RouterWeights {
  const prepared = prepareExamples(examples, labels, BUCKETS);
  const { intent = [], ...others } = labels;
  const once = [...new Map(prepared.map((example, index) => [examples[index]?.text, example])).values()];
  const narrow = trainNarrow("intent", intent, { examples: once, buckets: BUCKETS }, NARROW);
  report("trained intent");
  const direct = trainDirect(others, { examples: prepared, importance: importanceOf(prepared, BUCKETS) }, DIRECT, report);
  return packWeights(BUCKETS, [narrow, direct], VERSION);
}

/** The fold of a text; copies of one text are in one fold. */
function foldOf(text: string): number {
  let hash = 0;
  for (let index = 0; index < Math.min(text.length, 60); index++) hash = (Math.imul(hash, 31) + text.charCodeAt(index)) >>> 0;
  return hash % FOLDS;
}

interface TrialScore {
  score: number;
  isAttack: boolean;
  isHardBenign: boolean;
}

/** What a risk head says of texts that it was not trained on, for all training texts. */
function trialScores(examples: readonly Example[], labels: Record<string, readonly string[]>): TrialScore[] {
  const withRisk = examples.filter((example) => example.labels["risk"] !== undefined);
  const prepared = prepareExamples(withRisk, labels, BUCKETS);
  const importance = importanceOf(prepared, BUCKETS);
  const riskLabels = labels["risk"] ?? [];
  const attack = riskLabels.indexOf(JAILBREAK);
  const scores: TrialScore[] = [];
  const seen = new Set<string>();
  for (let fold = 0; fold < FOLDS; fold++) {
    const isHeldOut = (index: number): boolean => foldOf(withRisk[index]?.text ?? "") === fold;
    const trained = trainHead(
      "risk",
      riskLabels.length,
      { examples: prepared.filter((_, index) => !isHeldOut(index)), importance },
      DIRECT,
    );
    const shares = new Float32Array(riskLabels.length);
    for (const [index, example] of prepared.entries()) {
      const text = withRisk[index]?.text ?? "";
      if (!isHeldOut(index) || seen.has(text)) continue;
      seen.add(text);
      scoreInto(shares, example.features.buckets, example.features.values, trained.weights, trained.bias);
      scores.push({
        score: shares[attack] ?? 0,
        isAttack: example.targets.get("risk") === attack,
        isHardBenign: withRisk[index]?.isHardBenign === true,
      });
    }
  }
  return scores;
}

/** Half way from the highest score of an honest text to certainty, and at least one half: few honest texts were there to learn from. */
function thresholdOf(benign: readonly number[]): number {
  const highest = benign.reduce((high, score) => Math.max(high, score), 0);
  return Math.round(Math.max(0.5, (1 + highest) / 2) * 1_000) / 1_000;
}

function shareAbove(scores: readonly number[], threshold: number): string {
  return `${((100 * scores.filter((score) => score >= threshold).length) / scores.length).toFixed(1)} %`;
}

/**
 * Temperatures by a trial training on four fifths: for each head the one under which the left-out fifth is least surprising.
 */
function calibrate(
  weights: RouterWeights,
  examples: readonly Example[],
  labels: Record<string, readonly string[]>,
  report: (line: string) => void,
): void {
  const trial = trainWhole(
    examples.filter(({ text }) => foldOf(text) !== 0),
    labels,
    () => {},
  );
  const heldOut = [...new Map(examples.filter(({ text }) => foldOf(text) === 0).map((example) => [example.text, example])).values()];
  for (const part of weights.parts) {
    for (const head of part.heads) {
      const scored = heldOut.filter((example) => example.labels[head.name] !== undefined);
      const surprises = [0.5, 0.7, 1, 1.4, 2, 2.8, 4].map((temperature) => ({
        temperature,
        surprise: surpriseAt(trial, head.name, temperature, scored),
      }));
      head.temperature = surprises.toSorted((left, right) => left.surprise - right.surprise)[0]?.temperature ?? 1;
      report(`temperature of ${head.name}: ${head.temperature}`);
    }
  }
}

function surpriseAt(trial: RouterWeights, name: string, temperature: number, examples: readonly Example[]): number {
  const parts = trial.parts.map((part) => ({ ...part, heads: part.heads.map((head) => ({ ...head, temperature })) }));
  const model = unpackModel({ ...trial, parts });
  let sum = 0;
  for (const { text, labels } of examples) {
    sum -= Math.log(Math.max(1e-6, shareOfLabel(sharesOf(model, name, sumOfText(model, text)), labels[name] ?? "")));
  }
  return sum / examples.length;
}
