/**
 * Gemini's `batchEmbedContents`: one request an input, each naming the model. Values are always a list of numbers. A vector shorter than
 * the model's own length is not of length one here, as it is elsewhere; whoever compares by dot product must normalise it.
 */
import type { Outcome } from "../../../schema/error.ts";
import { isObject } from "../../../schema/json.ts";
import { type GeminiEmbeddings, geminiEmbeddingsSchema } from "../../../schema/wire/embeddings.ts";
import type { CanonicalEvent, CanonicalRequest, Loss } from "../canonical.ts";
import { embeddingRequest, foldEmbeddings, inputsOf, parseEmbeddings, textsOf, UNSTREAMED } from "../embeddings.ts";
import { elementSlices, RawJson, setMember, sliceAt, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import type { EncoderContext, Protocol, RenderedRequest, RenderTarget, RequestAddress } from "../protocol.ts";
import { readRequestBody, restOf, WrongField } from "../request-body.ts";
import { parseUpstreamError } from "../upstream-error.ts";
import { renderError } from "../gemini/errors.ts";

const ID = "gemini-embeddings";
const READ_FIELDS: ReadonlySet<string> = new Set(["requests"]);

function parseRequest(bodyText: string, address?: RequestAddress): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, geminiEmbeddingsSchema, (body) => {
    const named = address?.model ?? body.requests[0]?.model ?? null;
    if (named === null) throw new WrongField("requests.0.model", "is required");
    return embeddingRequest({
      protocol: ID,
      model: named.replace(/^models\//, ""),
      inputs: body.requests.map((request) => ({ parts: request.content.parts.map((part) => part.text) })),
      control: { dimensions: oneOf(body, "outputDimensionality"), encoding: "float", taskType: oneOf(body, "taskType") },
      user: null,
      rest: restOf(body, READ_FIELDS),
    });
  });
}

/** A setting that this wire has on each input and every other wire once. */
function oneOf<F extends "taskType" | "outputDimensionality">(
  body: GeminiEmbeddings,
  field: F,
): NonNullable<GeminiEmbeddings["requests"][number][F]> | null {
  const first = body.requests[0]?.[field] ?? null;
  const other = body.requests.findIndex((request) => (request[field] ?? null) !== first);
  if (other !== -1) throw new WrongField(`requests.${other}.${field}`, "must be the same in all requests of a batch");
  return first;
}

function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const { dimensions = null, taskType = null } = request.embedding ?? {};
  if (request.user !== null) losses.push(lossFor("user", ID));
  const texts = textsOf(request, ID, losses);
  const requests = inputsOf(request).map((input, index) => ({
    model: `models/${target.model}`,
    content: { parts: ("parts" in input ? input.parts : [texts[index] ?? ""]).map((text) => ({ text })) },
    ...(taskType === null ? {} : { taskType }),
    ...(dimensions === null ? {} : { outputDimensionality: dimensions }),
  }));
  losses.push(...restLosses(request, ID));
  return { body: stringifyWithRaw({ requests }), losses: distinctLosses(losses) };
}

function parseResponse(bodyText: string): CanonicalEvent[] {
  return parseEmbeddings(bodyText, ({ embeddings, usageMetadata: usage }) => {
    if (!Array.isArray(embeddings)) return null;
    const vectors = elementSlices(bodyText, ["embeddings"]).map((source) => sliceAt(source, ["values"]));
    return { id: null, model: null, vectors, inputTokens: isObject(usage) ? usage["promptTokenCount"] : null };
  });
}

function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const { vectors, inputTokens, costMicroRub } = foldEmbeddings(events, { ...context, embeddingEncoding: "float" });
  return stringifyWithRaw({
    embeddings: vectors.map((vector) => ({ values: new RawJson(vector) })),
    ...(inputTokens === null
      ? {}
      : { usageMetadata: { promptTokenCount: inputTokens, ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }) } }),
  });
}

/** The caller's body with the provider's model name wherever one stands. */
function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  const name = JSON.stringify(`models/${target.model}`);
  return request.turns.reduce((text, _, index) => setMember(text, ["requests", index, "model"], name) ?? text, bodyText);
}

function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usageMetadata", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}

export const geminiEmbeddings: Protocol = {
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
