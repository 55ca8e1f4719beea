/**
 * What kind each held-out text of the in-the-wild jailbreaks is, read by hand: the set is what people shared as jailbreaks, and some of it
 * attacks nothing (a style, a character, an essay), and some hides a question and lays down no rules. Texts are known by their number
 * (`shareOf`, data-sets.ts), not by their words. Made after the training and with its results in view, so what
 * it says of the templates is friendly; nothing is trained or chosen by it.
 */
import { shareOf } from "./data-sets.ts";

/** `template`: a persona, a mode or a frame that takes the model's rules away. `disguise`: a question split, encoded or reworded past them. */
export type WildKind = "template" | "disguise" | "no-attack";

const NO_ATTACK: ReadonlySet<string> = new Set([
  "0.884662",
  "0.180105",
  "0.002310",
  "0.882362",
  "0.547160",
  "0.198537",
  "0.392753",
  "0.729022",
  "0.266473",
  "0.696302",
]);
const DISGUISE: ReadonlySet<string> = new Set(["0.097876", "0.199596", "0.734790", "0.781132"]);

export function wildKind(text: string): WildKind {
  const id = shareOf(text).toFixed(6);
  if (NO_ATTACK.has(id)) return "no-attack";
  return DISGUISE.has(id) ? "disguise" : "template";
}
