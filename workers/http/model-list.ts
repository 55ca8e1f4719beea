/** One model in the three shapes that clients list models in, and a page of them. Pure. */
import type { ModelFacts } from "../../schema/model.ts";

/** What a list shows of a model. Null is unknown. */
export interface ListedModel {
  /** The catalogue slug, `provider/model`. */
  id: string;
  contextTokens: number | null;
  maxOutputTokens: number | null;
  facts: ModelFacts | null;
}

/** The shapes of a list: OpenAI's, Anthropic's and Gemini's, each named by the protocol whose clients read it. */
export type ListShape = "openai-chat" | "anthropic-messages" | "gemini";

/** Unix seconds shown for a model whose release date is not known, where the format wants one. */
const CREATED_SECONDS_UNKNOWN = 1_700_000_000;

function releasedSeconds({ facts }: ListedModel): number {
  const released = facts?.released ?? null;
  return released === null ? CREATED_SECONDS_UNKNOWN : Date.parse(`${released}T00:00:00Z`) / 1000;
}

function nameOf(model: ListedModel): string {
  return model.facts?.name ?? model.id;
}

function isEmbedding(model: ListedModel): boolean {
  return model.facts?.output.includes("embedding") === true;
}

/** Beside OpenAI's four members: what other gateways and clients of its list have come to read. */
function openaiModel(model: ListedModel): Record<string, unknown> {
  const { facts } = model;
  return {
    id: model.id,
    object: "model",
    created: releasedSeconds(model),
    owned_by: model.id.slice(0, model.id.indexOf("/")),
    name: nameOf(model),
    context_length: model.contextTokens,
    max_output_tokens: model.maxOutputTokens,
    architecture: { input_modalities: facts?.input ?? null, output_modalities: facts?.output ?? null },
    capabilities: {
      image_input: facts?.input.includes("image") ?? null,
      audio_input: facts?.input.includes("audio") ?? null,
      tools: facts?.tools ?? null,
      reasoning: facts?.reasoning ?? null,
      structured_output: facts?.structured_output ?? null,
      embeddings: facts === null ? null : isEmbedding(model),
    },
  };
}

/** `capabilities` holds a word on every one Anthropic knows or is null; we do not know them all, so ours stand in members of their own. */
function anthropicModel(model: ListedModel): Record<string, unknown> {
  const { capabilities, architecture } = openaiModel(model);
  return {
    type: "model",
    id: model.id,
    display_name: nameOf(model),
    created_at: new Date(releasedSeconds(model) * 1000).toISOString().replace(".000Z", "Z"),
    max_input_tokens: model.contextTokens,
    max_tokens: model.maxOutputTokens,
    capabilities: null,
    lifecycle: "active",
    line: null,
    deprecated_at: null,
    retires_at: null,
    known_capabilities: capabilities,
    architecture,
  };
}

function geminiModel(model: ListedModel): Record<string, unknown> {
  const { capabilities, architecture } = openaiModel(model);
  return {
    name: `models/${model.id}`,
    baseModelId: model.id,
    version: model.facts?.released ?? "unknown",
    displayName: nameOf(model),
    ...(model.contextTokens === null ? {} : { inputTokenLimit: model.contextTokens }),
    ...(model.maxOutputTokens === null ? {} : { outputTokenLimit: model.maxOutputTokens }),
    supportedGenerationMethods: isEmbedding(model) ? ["embedContent"] : ["generateContent", "streamGenerateContent", "countTokens"],
    ...(model.facts?.reasoning === null || model.facts === null ? {} : { thinking: model.facts.reasoning }),
    capabilities,
    architecture,
  };
}

/** One model as clients of this shape read it. */
export function renderModel(model: ListedModel, shape: ListShape): Record<string, unknown> {
  if (shape === "anthropic-messages") return anthropicModel(model);
  return shape === "gemini" ? geminiModel(model) : openaiModel(model);
}

/** Which part of the list is asked for: so many, after or before a model's id. An id that is not in the list starts at its end or begin. */
export interface PageWanted {
  limit: number;
  after: string | null;
  before: string | null;
}

/** The page, and whether there is more in the direction that was asked for. */
export function pageOf(models: readonly ListedModel[], wanted: PageWanted): { page: readonly ListedModel[]; hasMore: boolean } {
  const at = (id: string): number => models.findIndex((model) => model.id === id);
  if (wanted.before !== null) {
    const end = Math.max(0, at(wanted.before));
    const start = Math.max(0, end - wanted.limit);
    return { page: models.slice(start, end), hasMore: start > 0 };
  }
  const start = wanted.after === null ? 0 : at(wanted.after) === -1 ? models.length : at(wanted.after) + 1;
  return { page: models.slice(start, start + wanted.limit), hasMore: start + wanted.limit < models.length };
}

/** A page in its shape's own envelope. */
export function renderList(models: readonly ListedModel[], shape: ListShape, wanted: PageWanted): Record<string, unknown> {
  const { page, hasMore } = pageOf(models, wanted);
  const data = page.map((model) => renderModel(model, shape));
  const last = page.at(-1)?.id ?? null;
  if (shape === "gemini") return { models: data, ...(hasMore && last !== null ? { nextPageToken: last } : {}) };
  if (shape === "anthropic-messages") return { data, has_more: hasMore, first_id: page[0]?.id ?? null, last_id: last };
  return { object: "list", data };
}
