/** The evaluation as plain text. */
import type { Evaluation } from "./evaluate.ts";

function percent(share: number | null): string {
  return share === null ? "–" : `${(100 * share).toFixed(1)} %`;
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map((row) =>
      row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  "),
    )
    .join("\n");
}

function confusionTable({ name, labels, counts }: Evaluation["confusions"][number]): string {
  const cells = table([
    ["", ...labels.map((label) => label.slice(0, 11))],
    ...labels.map((label, row) => [label, ...(counts[row] ?? []).map((count) => (count === 0 ? "·" : String(count)))]),
  ]);
  return `${name}: rows are meant, columns are said\n${cells}`;
}

/** What the figures above do not show. */
const NOT_DONE: readonly string[] = [
  "Not caught: suffixes made by an optimiser, paraphrased or merely harmful questions, split or encoded ones, instructions hidden in documents. The guard looks for attempts to take a model's rules away, in English above all.",
  "The thresholds were chosen on training texts alone (five folds). Which held-out texts of the in-the-wild set are templates was read off by hand (scripts/router/wild-kinds.ts), after the training and with its results in view, so the figure is friendly; that for the whole set stands beside it.",
  "The fourteen fields of MMLU are learnt from some 1,200 exam questions and lists of terms of our own, which is too little to know a field by: by themselves they stay below 85 %, and on other sets further below. They are exams, not traffic.",
];

export function renderReport(evaluation: Evaluation): string {
  const { figures, alarms, confusions, perLabel } = evaluation;
  return [
    table([
      ["accuracy on texts never trained on", "texts", "classifier", "rules only", "commonest label"],
      ...figures.map(({ name, texts, accuracy, rulesOnly, majority }) => [
        name,
        String(texts),
        percent(accuracy),
        percent(rulesOnly),
        percent(majority),
      ]),
    ]),
    table([
      ["risk", "texts", "high", "elevated", "high by rules only"],
      ...alarms.map(({ name, texts, high, elevated, rulesHigh, isAttack }) => [
        `${isAttack ? "found" : "false alarms"}: ${name}`,
        String(texts),
        percent(high),
        percent(elevated),
        percent(rulesHigh),
      ]),
    ]),
    `difficulty, MMLU held out: a question that Mixtral fails at scores above one it answers in ${percent(evaluation.difficultyRank)} of pairs (chance 50 %)`,
    `everyday request or none, CLINC150 test: told apart in ${percent(evaluation.outOfScopeRank)} of pairs (chance 50 %)`,
    table([
      ["label", "head", "texts", "found", "right when said"],
      ...perLabel.map(({ name, label, texts, recall, precision }) => [label, name, String(texts), percent(recall), percent(precision)]),
    ]),
    ...confusions.map(confusionTable),
    table([
      ["CPU a prompt, this machine, Node", "µs"],
      ...evaluation.cpuMicroseconds.map(({ characters, mean }) => [`${characters} characters`, mean.toFixed(0)]),
    ]),
    ...NOT_DONE,
  ].join("\n\n");
}
