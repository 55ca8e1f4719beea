/**
 * How big a prompt is, without a tokenizer: the input of the cost estimate that sizes a hold. Pure counting; what a byte or an
 * image is worth in tokens is decided where estimates are made.
 */
import type { PromptMeasure } from "../../schema/estimate.ts";
import type { Block, CanonicalRequest, MediaSource } from "./canonical.ts";

/** Fields that stay unread in `rest` and yet reach the model as text. */
const PROMPT_FIELDS: ReadonlySet<string> = new Set(["functions", "prediction", "context", "suffix", "template"]);

/** UTF-8 length without encoding: every code unit above ASCII counts as three bytes, which is exact or above for all text. */
function textBytes(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) {
    if (text.charCodeAt(index) > 127) bytes += 2;
  }
  return bytes;
}

function addFile(measure: PromptMeasure, source: MediaSource): void {
  if (source.kind === "base64") measure.file_bytes += Math.floor((source.data.length * 3) / 4);
  else measure.files_unsized += 1;
}

function addBlock(measure: PromptMeasure, block: Block): void {
  measure.blocks += 1;
  switch (block.type) {
    case "text":
    case "refusal":
      measure.text_bytes += textBytes(block.text);
      break;
    case "image":
      measure.images += 1;
      break;
    case "file":
    case "audio":
      addFile(measure, block.source);
      break;
    case "reasoning":
      measure.text_bytes += textBytes(block.text) + (block.data?.length ?? 0);
      break;
    case "tool-call":
      measure.text_bytes += textBytes(block.name) + textBytes(block.argumentsText);
      break;
    case "tool-result":
      for (const inner of block.content) addBlock(measure, inner);
      break;
    case "opaque":
      measure.text_bytes += textBytes(block.json);
      break;
  }
}

/** Measures everything of a request that becomes prompt tokens: turns, tool definitions, response schema, and what rode along unread. */
export function measurePrompt(request: CanonicalRequest): PromptMeasure {
  const measure: PromptMeasure = { text_bytes: 0, blocks: 0, images: 0, file_bytes: 0, files_unsized: 0 };
  for (const turn of request.turns) {
    measure.blocks += 1;
    if (turn.name !== null) measure.text_bytes += textBytes(turn.name);
    for (const block of turn.blocks) addBlock(measure, block);
  }
  for (const tool of request.tools) {
    measure.blocks += 1;
    measure.text_bytes += textBytes(tool.name) + textBytes(tool.description ?? "") + textBytes(tool.schemaText);
  }
  if (request.responseFormat?.kind === "json-schema") measure.text_bytes += textBytes(request.responseFormat.schemaText);
  for (const [field, value] of Object.entries(request.rest)) {
    if (PROMPT_FIELDS.has(field) || field.startsWith("tools.")) measure.text_bytes += textBytes(JSON.stringify(value) ?? "");
  }
  return measure;
}
