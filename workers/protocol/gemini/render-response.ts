/** A whole answer in this wire's shape: the fold of the same parts a stream is made of. */
import { mergeUsage, UNKNOWN_USAGE } from "../../../schema/usage.ts";
import type { CanonicalEvent } from "../canonical.ts";
import { RawJson, stringifyWithRaw } from "../json-text.ts";
import type { EncoderContext } from "../protocol.ts";
import { createPartWriter, type WrittenPart } from "./part-writer.ts";
import { finishWord } from "./stop-reason.ts";
import { renderUsage } from "./usage.ts";

interface CandidateFold {
  parts: WrittenPart[];
  finish: string | null;
}

/** Adds a part; running text joins the text of its own block. */
function add(candidate: CandidateFold, written: WrittenPart): void {
  const last = candidate.parts.at(-1);
  const joins = written.text && last?.text === true && last.block === written.block;
  if (!joins || last.part instanceof RawJson || written.part instanceof RawJson) candidate.parts.push(written);
  else last.part = { ...last.part, text: String(last.part["text"]) + String(written.part["text"]) };
}

export function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const write = createPartWriter();
  const candidates = new Map<number, CandidateFold>();
  const candidateAt = (index: number): CandidateFold => {
    const known = candidates.get(index);
    if (known !== undefined) return known;
    const candidate: CandidateFold = { parts: [], finish: null };
    candidates.set(index, candidate);
    return candidate;
  };
  let usage = UNKNOWN_USAGE;
  let id: string | null = null;
  let model: string | null = null;
  for (const event of events) {
    if (event.type === "start") ({ id, model } = { id: id ?? event.id, model: model ?? event.model });
    else if (event.type === "usage") usage = mergeUsage(usage, event.usage);
    else if (event.type === "finish") candidateAt(event.choice).finish ??= finishWord(event.unified);
    else for (const written of write(event)) add(candidateAt(written.choice), { ...written });
  }
  if (candidates.size === 0) candidateAt(0);
  const usageMetadata = renderUsage(usage, context.costMicroRub(usage));
  return stringifyWithRaw({
    candidates: [...candidates]
      .toSorted(([first], [second]) => first - second)
      .map(([index, { parts, finish }]) => ({
        content: { parts: parts.length === 0 ? [{ text: "" }] : parts.map(({ part }) => part), role: "model" },
        finishReason: finish ?? finishWord("stop"),
        index,
      })),
    ...(usageMetadata === null ? {} : { usageMetadata }),
    modelVersion: model ?? context.model,
    responseId: id ?? context.id,
  });
}
