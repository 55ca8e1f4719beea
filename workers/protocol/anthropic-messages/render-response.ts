/** A whole answer in this wire's shape: the fold of the same events a stream is made of. Tool inputs keep their raw text. */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { stringifyWithRaw } from "../json-text.ts";
import type { EncoderContext } from "../protocol.ts";
import { inputObject } from "../tool-arguments.ts";
import { stopReasonWord } from "./stop-reason.ts";
import { renderUsage } from "./usage.ts";

interface Fold {
  blocks: Map<number, { content: Record<string, unknown>; input: string | null }>;
  id: string | null;
  model: string | null;
  usage: Usage;
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
  refused: boolean;
}

function append(fold: Fold, block: number, member: string, text: string): void {
  const content = fold.blocks.get(block)?.content;
  if (content !== undefined) content[member] = String(content[member] ?? "") + text;
}

function foldEvent(fold: Fold, event: CanonicalEvent): void {
  switch (event.type) {
    case "start":
      fold.id ??= event.id;
      fold.model ??= event.model;
      return;
    case "text-start":
      fold.refused ||= event.refusal && event.choice === 0;
      if (event.choice === 0) fold.blocks.set(event.block, { content: { type: "text", text: "" }, input: null });
      return;
    case "reasoning-start": {
      const content =
        event.kind === "redacted"
          ? { type: "redacted_thinking", data: event.data ?? "" }
          : { type: "thinking", thinking: "", signature: "" };
      if (event.choice === 0) fold.blocks.set(event.block, { content, input: null });
      return;
    }
    case "tool-input-start":
      if (event.choice === 0) fold.blocks.set(event.block, { content: { type: "tool_use", id: event.id, name: event.name }, input: "" });
      return;
    case "text-delta":
      return append(fold, event.block, "text", event.text);
    case "reasoning-delta":
      return append(fold, event.block, "thinking", event.text);
    case "reasoning-signature":
      return append(fold, event.block, "signature", event.signature);
    case "tool-input-delta": {
      const tool = fold.blocks.get(event.block);
      if (tool !== undefined) tool.input = (tool.input ?? "") + event.text;
      return;
    }
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
  const fold: Fold = { blocks: new Map(), id: null, model: null, usage: UNKNOWN_USAGE, finish: null, refused: false };
  for (const event of events) foldEvent(fold, event);
  const content = [...fold.blocks.values()].map(({ content: block, input }) =>
    input === null ? block : { ...block, input: inputObject(input).raw },
  );
  const stopSequence = fold.finish?.stopSequence ?? null;
  return stringifyWithRaw({
    id: fold.id ?? context.id,
    type: "message",
    role: "assistant",
    model: fold.model ?? context.model,
    content: content.filter((block) => !("text" in block && block["text"] === "")),
    stop_reason: fold.refused ? "refusal" : stopReasonWord(fold.finish?.unified ?? "stop", stopSequence),
    stop_sequence: stopSequence,
    usage: renderUsage(fold.usage, context.costMicroRub(fold.usage)),
  });
}
