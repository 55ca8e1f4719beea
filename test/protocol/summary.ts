/** What an answer says, folded from its events without the code under test: the measure by which two readings of one answer are compared. */
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { CanonicalEvent } from "../../workers/protocol/canonical.ts";

interface ChoiceSummary {
  text: string;
  refusal: string;
  reasoning: string;
  signatures: string[];
  calls: { id: string; name: string; args: string }[];
  /** Kinds of blocks in the order they opened, neighbours of one kind joined. */
  order: string[];
  finish: string | null;
  raw: string | null;
}

export interface AnswerSummary {
  id: string | null;
  choices: Record<number, ChoiceSummary>;
  usage: Usage;
  usageFinal: boolean;
  anomaly: string | null;
  error: string | null;
  ended: boolean;
}

function newChoice(): ChoiceSummary {
  return { text: "", refusal: "", reasoning: "", signatures: [], calls: [], order: [], finish: null, raw: null };
}

/** Notes a block's kind; a neighbour of the same kind joins it, but each call counts. */
function opened(choice: ChoiceSummary, kind: string): void {
  if (kind === "call" || choice.order.at(-1) !== kind) choice.order.push(kind);
}

/** Folds events. Throws on a delta without its block, so a broken sequence cannot pass for an answer. */
export function summarise(events: readonly CanonicalEvent[]): AnswerSummary {
  const summary: AnswerSummary = {
    id: null,
    choices: {},
    usage: UNKNOWN_USAGE,
    usageFinal: false,
    anomaly: null,
    error: null,
    ended: false,
  };
  const sinks = new Map<number, (text: string) => void>();
  const choiceOf = (index: number): ChoiceSummary => (summary.choices[index] ??= newChoice());
  for (const event of events) {
    switch (event.type) {
      case "start":
        summary.id = event.id;
        break;
      case "text-start": {
        const choice = choiceOf(event.choice);
        opened(choice, event.refusal ? "refusal" : "text");
        sinks.set(event.block, event.refusal ? (text) => (choice.refusal += text) : (text) => (choice.text += text));
        break;
      }
      case "reasoning-start": {
        const choice = choiceOf(event.choice);
        opened(choice, "reasoning");
        sinks.set(event.block, (text) => (choice.reasoning += text));
        break;
      }
      case "reasoning-signature":
        for (const choice of Object.values(summary.choices)) choice.signatures.push(event.signature);
        break;
      case "tool-input-start": {
        const choice = choiceOf(event.choice);
        const call = { id: event.id, name: event.name, args: "" };
        choice.calls.push(call);
        opened(choice, "call");
        sinks.set(event.block, (text) => (call.args += text));
        break;
      }
      case "text-delta":
      case "reasoning-delta":
      case "tool-input-delta": {
        const sink = sinks.get(event.block);
        if (sink === undefined) throw new Error(`${event.type} outside a block`);
        sink(event.text);
        break;
      }
      case "finish":
        Object.assign(choiceOf(event.choice), { finish: event.unified, raw: event.raw });
        break;
      case "usage":
        for (const [key, value] of Object.entries(event.usage)) if (value !== null) summary.usage = { ...summary.usage, [key]: value };
        summary.usageFinal ||= event.final;
        summary.anomaly = event.anomaly ?? summary.anomaly;
        break;
      case "error":
        summary.error = event.error.code;
        break;
      case "end":
        summary.ended = true;
        break;
      default:
    }
  }
  return summary;
}
