/** What an answer says, folded from its events without the code under test: the measure by which two readings of one answer are compared. */
import { UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { CanonicalEvent, FinishReason } from "../../workers/protocol/canonical.ts";

/** One block of an answer: what it is and all that was said in it. */
export interface SaidBlock {
  kind: "text" | "refusal" | "reasoning" | "call" | "file";
  /** Text, reasoning, arguments as they came, or a file's base64. */
  text: string;
  /** Of a call. */
  id: string;
  /** Of a call; a file's media type. */
  name: string;
  signatures: string[];
  /** Redacted reasoning. */
  data: string | null;
}

interface ChoiceSummary {
  text: string;
  refusal: string;
  reasoning: string;
  signatures: string[];
  calls: { id: string; name: string; args: string }[];
  /** Kinds of blocks in the order they opened, neighbours of one kind joined. */
  order: string[];
  finish: FinishReason | null;
  raw: string | null;
  stopSequence: string | null;
  /** All of the above once more, block by block. */
  blocks: SaidBlock[];
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
  return {
    text: "",
    refusal: "",
    reasoning: "",
    signatures: [],
    calls: [],
    order: [],
    finish: null,
    raw: null,
    stopSequence: null,
    blocks: [],
  };
}

/** Fills in what the blocks of a choice say together. */
function join(choice: ChoiceSummary): void {
  for (const { kind, text, id, name, signatures } of choice.blocks) {
    if (kind === "call") choice.calls.push({ id, name, args: text });
    else if (kind !== "file") choice[kind] += text;
    if (kind === "reasoning") choice.signatures.push(...signatures);
    // A neighbour of the same kind joins it, but each call counts.
    if (kind !== "file" && (kind === "call" || choice.order.at(-1) !== kind)) choice.order.push(kind);
  }
}

/** The block that an event begins; null for every other event. */
function blockOf(event: CanonicalEvent): SaidBlock | null {
  const block = { text: "", id: "", name: "", signatures: [], data: null };
  switch (event.type) {
    case "text-start":
      return { ...block, kind: event.refusal ? "refusal" : "text" };
    case "reasoning-start":
      return { ...block, kind: "reasoning", data: event.data };
    case "tool-input-start": {
      const { id, name, signature } = event;
      return { ...block, kind: "call", id, name, signatures: typeof signature === "string" ? [signature] : [] };
    }
    case "file": {
      const { source } = event;
      const isInline = source.kind === "base64";
      return { ...block, kind: "file", name: isInline ? source.mediaType : "", text: isInline ? source.data : JSON.stringify(source) };
    }
    default:
      return null;
  }
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
  const blocks = new Map<number, SaidBlock>();
  const choiceOf = (index: number): ChoiceSummary => (summary.choices[index] ??= newChoice());
  for (const event of events) {
    const begun = blockOf(event);
    if (begun !== null && "choice" in event && "block" in event && event.block !== null) {
      choiceOf(event.choice).blocks.push(begun);
      blocks.set(event.block, begun);
      continue;
    }
    switch (event.type) {
      case "start":
        summary.id = event.id;
        break;
      case "reasoning-signature":
        blocks.get(event.block)?.signatures.push(event.signature);
        break;
      case "text-delta":
      case "reasoning-delta":
      case "tool-input-delta": {
        const block = blocks.get(event.block);
        if (block === undefined) throw new Error(`${event.type} outside a block`);
        block.text += event.text;
        break;
      }
      case "finish":
        Object.assign(choiceOf(event.choice), { finish: event.unified, raw: event.raw, stopSequence: event.stopSequence });
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
  for (const choice of Object.values(summary.choices)) join(choice);
  return summary;
}
