/** Canonical events of a whole answer → one Chat completion body (the fold of the stream). */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { EncoderContext } from "../protocol.ts";
import { isNoInput } from "../tool-arguments.ts";
import { finishWord } from "./encoder.ts";
import { renderUsage } from "./usage.ts";

interface ToolCallFold {
  id: string;
  type: "function";
  function: { name: string; arguments: string };
}

interface ChoiceFold {
  content: string;
  refusal: string | null;
  reasoning: string;
  calls: ToolCallFold[];
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
}

/** Where the text of an open block goes. */
type Sink = (text: string) => void;

interface Fold {
  start: { id: string | null; model: string | null; createdSeconds: number | null };
  choices: Map<number, ChoiceFold>;
  sinks: Map<number, Sink>;
  usage: Usage;
  usageSeen: boolean;
}

function choiceOf(fold: Fold, index: number): ChoiceFold {
  const known = fold.choices.get(index);
  if (known !== undefined) return known;
  const choice: ChoiceFold = { content: "", refusal: null, reasoning: "", calls: [], finish: null };
  fold.choices.set(index, choice);
  return choice;
}

function foldEvent(fold: Fold, event: CanonicalEvent): void {
  switch (event.type) {
    case "start":
      fold.start = event;
      break;
    case "text-start": {
      const choice = choiceOf(fold, event.choice);
      fold.sinks.set(
        event.block,
        event.refusal ? (text) => (choice.refusal = (choice.refusal ?? "") + text) : (text) => (choice.content += text),
      );
      break;
    }
    case "reasoning-start": {
      const choice = choiceOf(fold, event.choice);
      fold.sinks.set(event.block, (text) => (choice.reasoning += text));
      break;
    }
    case "tool-input-start": {
      const call: ToolCallFold = { id: event.id, type: "function", function: { name: event.name, arguments: "" } };
      choiceOf(fold, event.choice).calls.push(call);
      fold.sinks.set(event.block, (text) => (call.function.arguments += text));
      break;
    }
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      fold.sinks.get(event.block)?.(event.text);
      break;
    case "finish":
      choiceOf(fold, event.choice).finish ??= event;
      break;
    case "usage":
      fold.usage = mergeUsage(fold.usage, event.usage);
      fold.usageSeen ||= event.final;
      break;
    default:
  }
}

function renderChoice(index: number, choice: ChoiceFold): unknown {
  for (const call of choice.calls) if (isNoInput(call.function.arguments)) call.function.arguments = "{}";
  const silent = choice.content === "" && (choice.calls.length > 0 || choice.refusal !== null);
  const message = {
    role: "assistant",
    content: silent ? null : choice.content,
    refusal: choice.refusal,
    ...(choice.reasoning === "" ? {} : { reasoning_content: choice.reasoning }),
    ...(choice.calls.length === 0 ? {} : { tool_calls: choice.calls }),
  };
  const finishReason = choice.finish === null ? "stop" : finishWord(choice.finish, choice.refusal !== null);
  return { index, message, logprobs: null, finish_reason: finishReason };
}

/** The body. Usage nobody reported is left out, never zero; an answer without any choice still has one, empty. */
export function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const fold: Fold = {
    start: { id: null, model: null, createdSeconds: null },
    choices: new Map(),
    sinks: new Map(),
    usage: UNKNOWN_USAGE,
    usageSeen: false,
  };
  for (const event of events) foldEvent(fold, event);
  if (fold.choices.size === 0) choiceOf(fold, 0);
  const usage = fold.usageSeen ? renderUsage(fold.usage, context.costMicroRub(fold.usage)) : null;
  return JSON.stringify({
    id: fold.start.id ?? context.id,
    object: "chat.completion",
    created: fold.start.createdSeconds ?? context.createdSeconds,
    model: fold.start.model ?? context.model,
    choices: [...fold.choices].toSorted(([first], [second]) => first - second).map(([index, choice]) => renderChoice(index, choice)),
    ...(usage === null ? {} : { usage }),
  });
}
