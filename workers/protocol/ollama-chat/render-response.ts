/** Canonical events of a whole answer → one Ollama body (the fold of the stream). */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent, FinishReason } from "../canonical.ts";
import { stringifyWithRaw } from "../json-text.ts";
import type { EncoderContext } from "../protocol.ts";
import { headOf, renderCall } from "./encoder.ts";
import { doneReason } from "./finish.ts";
import { type LineShape, saidMembers } from "./shape.ts";
import { usageMembers } from "./usage.ts";

interface Fold {
  start: { model: string | null; createdSeconds: number | null };
  text: string;
  thinking: string;
  calls: { id: string; name: string; argumentsText: string }[];
  images: string[];
  /** Where the text of a block of choice 0 goes. */
  sinks: Map<number, (text: string) => void>;
  usage: Usage;
  finish: FinishReason | null;
}

function foldEvent(fold: Fold, event: CanonicalEvent): void {
  switch (event.type) {
    case "start":
      fold.start = event;
      break;
    case "text-start":
      if (event.choice === 0) fold.sinks.set(event.block, (text) => (fold.text += text));
      break;
    case "reasoning-start":
      if (event.choice === 0) fold.sinks.set(event.block, (text) => (fold.thinking += text));
      break;
    case "tool-input-start": {
      if (event.choice !== 0) break;
      const call = { id: event.id, name: event.name, argumentsText: "" };
      fold.calls.push(call);
      fold.sinks.set(event.block, (text) => (call.argumentsText += text));
      break;
    }
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      fold.sinks.get(event.block)?.(event.text);
      break;
    case "file":
      if (event.choice === 0 && event.source.kind === "base64") fold.images.push(event.source.data);
      break;
    case "usage":
      fold.usage = mergeUsage(fold.usage, event.usage);
      break;
    case "finish":
      if (event.choice === 0) fold.finish ??= event.unified;
      break;
    default:
  }
}

export function renderWholeAnswer(events: readonly CanonicalEvent[], context: EncoderContext, shape: LineShape): string {
  const fold: Fold = {
    start: { model: null, createdSeconds: null },
    text: "",
    thinking: "",
    calls: [],
    images: [],
    sinks: new Map(),
    usage: UNKNOWN_USAGE,
    finish: null,
  };
  for (const event of events) foldEvent(fold, event);
  const said = {
    text: fold.text,
    ...(fold.thinking === "" ? {} : { thinking: fold.thinking }),
    calls: fold.calls.map(renderCall),
    images: fold.images,
  };
  return stringifyWithRaw({
    ...headOf(fold.start, context),
    ...saidMembers(said, shape),
    done: true,
    done_reason: doneReason(fold.finish),
    ...usageMembers(fold.usage, context.costMicroRub(fold.usage)),
  });
}
