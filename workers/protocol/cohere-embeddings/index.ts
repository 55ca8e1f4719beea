/**
 * Cohere's v2 Embed, for texts. The wire must be told what the vectors are for, and by itself cuts a text that is too long; it is asked for
 * an error instead, since half an input is no embedding of it. Values are asked for as numbers, whatever encoding the caller gets.
 */
import type { Outcome } from "../../../schema/error.ts";
import { isObject } from "../../../schema/json.ts";
import { cohereEmbeddingsSchema } from "../../../schema/wire/embeddings.ts";
import type { CanonicalEvent, CanonicalRequest, Loss } from "../canonical.ts";
import { renderError } from "../cohere-chat/errors.ts";
import { embeddingRequest, foldEmbeddings, parseEmbeddings, textsOf, UNSTREAMED } from "../embeddings.ts";
import { elementSlices, RawJson, setMember, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { EncoderContext, Protocol, RenderedRequest, RenderTarget } from "../protocol.ts";
import { readRequestBody, restOf } from "../request-body.ts";
import { inputTypeOf, taskTypeOf } from "../task-type.ts";
import { parseUpstreamError } from "../upstream-error.ts";

const ID = "cohere-embeddings";
const READ_FIELDS: ReadonlySet<string> = new Set(["model", "texts", "input_type", "embedding_types", "output_dimension", "stream"]);

function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, cohereEmbeddingsSchema, (body) =>
    embeddingRequest({
      protocol: ID,
      model: body.model,
      inputs: body.texts.map((text) => ({ parts: [text] })),
      control: {
        dimensions: body.output_dimension ?? null,
        encoding: body.embedding_types?.[0] ?? null,
        taskType: body.input_type ? taskTypeOf(body.input_type) : null,
      },
      user: null,
      rest: restOf(body, READ_FIELDS),
    }),
  );
}

function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const { dimensions = null, taskType = null } = request.embedding ?? {};
  const { inputType, exact } = inputTypeOf(taskType);
  if (!exact) losses.push({ class: "approximation", path: "input_type", note: `${taskType ?? ""}→${inputType}` });
  if (request.user !== null) losses.push(lossFor("user", ID));
  const body = {
    model: target.model,
    texts: textsOf(request, ID, losses),
    input_type: inputType,
    embedding_types: ["float"],
    truncate: "NONE",
    ...(dimensions === null ? {} : { output_dimension: dimensions }),
  };
  losses.push(...restLosses(request, ID));
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

function parseResponse(bodyText: string): CanonicalEvent[] {
  return parseEmbeddings(bodyText, ({ id, embeddings, meta }) => {
    // Older models answer with the bare list that the first version of this wire had.
    const typed = isObject(embeddings) ? ["float", "base64"].find((type) => Array.isArray(embeddings[type])) : undefined;
    if (typed === undefined && !Array.isArray(embeddings)) return null;
    const vectors = elementSlices(bodyText, typed === undefined ? ["embeddings"] : ["embeddings", typed]);
    const counts = isObject(meta) ? (meta["billed_units"] ?? meta["tokens"]) : null;
    return {
      id: typeof id === "string" ? id : null,
      model: null,
      vectors,
      inputTokens: isObject(counts) ? counts["input_tokens"] : null,
    };
  });
}

function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const { id, vectors, inputTokens, costMicroRub } = foldEmbeddings(events, context);
  return stringifyWithRaw({
    id,
    embeddings: { [context.embeddingEncoding ?? "float"]: vectors.map((vector) => new RawJson(vector)) },
    response_type: "embeddings_by_type",
    meta: {
      api_version: { version: "2" },
      ...(inputTokens === null
        ? {}
        : { billed_units: { input_tokens: inputTokens, ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }) } }),
    },
  });
}

function spliceRequest(bodyText: string, _request: CanonicalRequest, target: RenderTarget): string {
  return setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
}

function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["meta", "billed_units", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}

export const cohereEmbeddings: Protocol = {
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
