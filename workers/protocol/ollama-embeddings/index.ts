/**
 * Ollama's `/api/embed`. By itself it cuts a text that is too long; it is asked for an error instead, since half an input is no embedding
 * of it. A prompt whose count was cached is not counted again, and then nobody says how many tokens it had.
 */
import type { Outcome } from "../../../schema/error.ts";
import { ollamaEmbeddingsSchema } from "../../../schema/wire/embeddings.ts";
import type { CanonicalEvent, CanonicalRequest, Loss } from "../canonical.ts";
import { embeddingRequest, foldEmbeddings, parseEmbeddings, textsOf, UNSTREAMED } from "../embeddings.ts";
import { elementSlices, RawJson, setMember, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { EncoderContext, Protocol, RenderedRequest, RenderTarget } from "../protocol.ts";
import { readRequestBody, restOf } from "../request-body.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { renderError } from "../ollama-chat/errors.ts";

const ID = "ollama-embeddings";
const READ_FIELDS: ReadonlySet<string> = new Set(["model", "input", "dimensions", "stream"]);

function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, ollamaEmbeddingsSchema, (body) =>
    embeddingRequest({
      protocol: ID,
      model: body.model,
      inputs: [body.input].flat().map((text) => ({ parts: [text] })),
      control: { dimensions: body.dimensions ?? null, encoding: "float", taskType: null },
      user: null,
      rest: restOf(body, READ_FIELDS),
    }),
  );
}

function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const { dimensions = null, taskType = null } = request.embedding ?? {};
  if (taskType !== null) losses.push(lossFor("task_type", ID));
  if (request.user !== null) losses.push(lossFor("user", ID));
  const input = textsOf(request, ID, losses);
  const body = { model: target.model, input, truncate: false, ...(dimensions === null ? {} : { dimensions }) };
  losses.push(...restLosses(request, ID));
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

function parseResponse(bodyText: string): CanonicalEvent[] {
  return parseEmbeddings(bodyText, ({ model, embeddings, prompt_eval_count: inputTokens }) => {
    if (!Array.isArray(embeddings)) return null;
    const vectors = elementSlices(bodyText, ["embeddings"]);
    return { id: null, model: typeof model === "string" ? model : null, vectors, inputTokens };
  });
}

function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const { model, vectors, inputTokens, costMicroRub } = foldEmbeddings(events, { ...context, embeddingEncoding: "float" });
  return stringifyWithRaw({
    model,
    embeddings: vectors.map((vector) => new RawJson(vector)),
    ...(inputTokens === null ? {} : { prompt_eval_count: inputTokens }),
    ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
  });
}

function spliceRequest(bodyText: string, _request: CanonicalRequest, target: RenderTarget): string {
  return setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
}

function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}

export const ollamaEmbeddings: Protocol = {
  ...UNSTREAMED,
  id: ID,
  parseRequest,
  renderRequest,
  parseResponse,
  renderResponse,
  renderError,
  parseError: parseUpstreamError,
  spliceRequest,
  spliceUsageBody,
};
