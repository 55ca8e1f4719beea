/** A whole answer in this wire's shape: the fold of the same events a stream is made of. Tool inputs keep their raw text. */
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { stringifyWithRaw } from "../json-text.ts";
import type { EncoderContext } from "../protocol.ts";
import { inputObject } from "../tool-arguments.ts";
import { stopOf } from "./encoder.ts";
import { imageOf } from "./media-format.ts";
import { blobOfState } from "./redacted.ts";
import { renderUsage } from "./usage.ts";

interface BlockFold {
  text: string;
  signature: string;
  /** The block in the wire's words; null when there is nothing in it. */
  render: (fold: BlockFold) => object | null;
}

interface Fold {
  blocks: Map<number, BlockFold>;
  usage: Usage;
  finish: Extract<CanonicalEvent, { type: "finish" }> | null;
  refused: boolean;
}

function open(fold: Fold, event: { block: number; choice: number }, render: BlockFold["render"]): void {
  if (event.choice === 0) fold.blocks.set(event.block, { text: "", signature: "", render });
}

function renderReasoning({ text, signature }: BlockFold): object | null {
  if (text === "" && signature === "") return null;
  return { reasoningContent: { reasoningText: { text, ...(signature === "" ? {} : { signature }) } } };
}

function foldEvent(fold: Fold, event: CanonicalEvent): void {
  switch (event.type) {
    case "text-start":
      fold.refused ||= event.refusal && event.choice === 0;
      return open(fold, event, ({ text }) => (text === "" ? null : { text }));
    case "reasoning-start": {
      const { data } = event;
      if (data === null) return open(fold, event, renderReasoning);
      return open(fold, event, () => (data === "" ? null : { reasoningContent: { redactedContent: blobOfState(data) } }));
    }
    case "tool-input-start":
      return open(fold, event, ({ text }) => ({ toolUse: { toolUseId: event.id, name: event.name, input: inputObject(text).raw } }));
    case "file": {
      const picture = imageOf(event.source);
      if (picture !== null) open(fold, event, () => ({ image: { format: picture.format, source: { bytes: picture.bytes } } }));
      return;
    }
    case "text-delta":
    case "reasoning-delta":
    case "tool-input-delta": {
      const block = fold.blocks.get(event.block);
      if (block !== undefined) block.text += event.text;
      return;
    }
    case "reasoning-signature": {
      const block = fold.blocks.get(event.block);
      if (block !== undefined) block.signature += event.signature;
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
  const fold: Fold = { blocks: new Map(), usage: UNKNOWN_USAGE, finish: null, refused: false };
  for (const event of events) foldEvent(fold, event);
  const content = [...fold.blocks.values()].map((block) => block.render(block)).filter((block) => block !== null);
  return stringifyWithRaw({
    output: { message: { role: "assistant", content } },
    ...stopOf(fold.finish, fold.refused),
    usage: renderUsage(fold.usage, context.costMicroRub(fold.usage)),
    // How long the provider took is not known here.
    metrics: {},
  });
}
