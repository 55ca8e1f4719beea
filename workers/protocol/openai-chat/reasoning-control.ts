/** How much to think, in the field a provider declares for it (`reasoningControl`): an effort, a budget, or a switch. */
import type { Loss, ReasoningControl } from "../canonical.ts";
import { lossFor } from "../losses.ts";
import type { Quirks } from "../protocol.ts";

/** Thinking budgets in tokens → effort: up to the bound, this word; above all bounds, `high`. An approximation, named in a header. */
const EFFORT_BY_BUDGET: readonly (readonly [number, string])[] = [
  [2_048, "low"],
  [8_192, "medium"],
];

interface ControlState {
  body: Record<string, unknown>;
  reasoning: ReasoningControl;
  /** The caller speaks Chat too, so a loss is named by Chat's field. */
  native: boolean;
  losses: Loss[];
}

type Control = NonNullable<Quirks["reasoningControl"]>;

const ADD: Readonly<Record<Control, (state: ControlState) => void>> = {
  reasoning_effort: addEffort,
  reasoning: addObject,
  thinking: addSwitch,
  enable_thinking: addFlag,
  none: (state) => {
    if (isOn(state.reasoning)) lose(state, "left out");
  },
};

/** Adds the caller's wish to the body, if there is one; what the field cannot say is an approximation. */
export function addReasoningControl(
  body: Record<string, unknown>,
  reasoning: ReasoningControl | null,
  options: { quirks: Quirks; native: boolean },
  losses: Loss[],
): void {
  if (reasoning === null) return;
  ADD[options.quirks.reasoningControl ?? "reasoning_effort"]({ body, reasoning, native: options.native, losses });
}

function isOn({ effort, mode }: ReasoningControl): boolean {
  return mode !== "disabled" && effort !== "none";
}

function lose(state: ControlState, became: string): void {
  const { effort, budgetTokens } = state.reasoning;
  const given = effort ?? (budgetTokens === null ? "" : String(budgetTokens));
  const path = effort !== null ? (state.native ? "reasoning_effort" : "effort") : state.native ? "reasoning" : "thinking.budget_tokens";
  state.losses.push(lossFor("reasoning", "openai-chat", { path, note: `${given}→${became}` }));
}

function addEffort(state: ControlState): void {
  const { effort, budgetTokens, mode } = state.reasoning;
  if (effort !== null) {
    // The scale ends at `xhigh` here; another protocol's `max` is its nearest.
    state.body["reasoning_effort"] = effort === "max" ? "xhigh" : effort;
    if (effort === "max") lose(state, "xhigh");
    return;
  }
  if (budgetTokens === null || mode === "disabled") return;
  const word = EFFORT_BY_BUDGET.find(([bound]) => budgetTokens <= bound)?.[1] ?? "high";
  state.body["reasoning_effort"] = word;
  lose(state, word);
}

function addObject(state: ControlState): void {
  const { effort, budgetTokens } = state.reasoning;
  if (!isOn(state.reasoning)) state.body["reasoning"] = { effort: "none" };
  else if (effort !== null) {
    state.body["reasoning"] = { effort: effort === "max" ? "xhigh" : effort };
    if (effort === "max") lose(state, "xhigh");
  } else {
    state.body["reasoning"] = budgetTokens === null ? { enabled: true } : { max_tokens: budgetTokens };
  }
}

function addSwitch(state: ControlState): void {
  const on = isOn(state.reasoning);
  state.body["thinking"] = { type: on ? "enabled" : "disabled" };
  if (on) addEffort(state);
}

function addFlag(state: ControlState): void {
  const { effort, budgetTokens } = state.reasoning;
  const on = isOn(state.reasoning);
  state.body["enable_thinking"] = on;
  if (!on) return;
  if (budgetTokens !== null) state.body["thinking_budget"] = budgetTokens;
  else if (effort !== null) lose(state, "enabled");
}
