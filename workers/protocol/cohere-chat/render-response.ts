/** A whole v2 Chat answer: the fold of the same events a stream is made of. */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import type { EncoderContext } from "../protocol.ts";
import { isNoInput } from "../tool-arguments.ts";
import { finishWord } from "./finish-reason.ts";
import { renderUsage } from "./usage.ts";

interface Fold {
  id: string | null;
  content: Record<string, string>[];
  calls: { id: string; type: "function"; function: { name: string; arguments: string } }[];
  /** Where the text of an open block goes. */
  sinks: Map<number, (text: string) => void>;
  usage: Usage;
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
}

function openContent(fold: Fold, block: number, kind: "text" | "thinking"): void {
  const content: Record<string, string> = { type: kind, [kind]: "" };
  fold.content.push(content);
  fold.sinks.set(block, (text) => (content[kind] = (content[kind] ?? "") + text));
}

function foldEvent(fold: Fold, event: CanonicalEvent): void {
  switch (event.type) {
    case "start":
      fold.id ??= event.id;
      return;
    case "text-start":
      if (event.choice === 0) openContent(fold, event.block, "text");
      return;
    case "reasoning-start":
      if (event.choice === 0 && event.kind !== "redacted") openContent(fold, event.block, "thinking");
      return;
    case "tool-input-start": {
      if (event.choice !== 0) return;
      const call = { id: event.id, type: "function" as const, function: { name: event.name, arguments: "" } };
      fold.calls.push(call);
      fold.sinks.set(event.block, (text) => (call.function.arguments += text));
      return;
    }
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta":
      fold.sinks.get(event.block)?.(event.text);
      return;
    case "usage":
      fold.usage = mergeUsage(fold.usage, event.usage);
      return;
    case "finish":
      if (event.choice === 0) fold.finish ??= event;
      return;
    default:
  }
}

export function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const fold: Fold = { id: null, content: [], calls: [], sinks: new Map(), usage: UNKNOWN_USAGE, finish: null };
  for (const event of events) foldEvent(fold, event);
  for (const call of fold.calls) if (isNoInput(call.function.arguments)) call.function.arguments = "{}";
  const usage = renderUsage(fold.usage, context.costMicroRub(fold.usage));
  return JSON.stringify({
    id: fold.id ?? context.id,
    message: {
      role: "assistant",
      ...(fold.content.length === 0 && fold.calls.length > 0 ? {} : { content: fold.content }),
      ...(fold.calls.length === 0 ? {} : { tool_calls: fold.calls }),
    },
    finish_reason: finishWord(fold.finish?.unified ?? "stop"),
    ...(usage === null ? {} : { usage }),
  });
}
