/** OpenAI's embeddings, from both ends: what callers of `/v1/embeddings` speak to us and what most providers of vectors speak. */
import type { Outcome } from "../../../schema/error.ts";
import { isObject } from "../../../schema/json.ts";
import { type OpenaiEmbeddings, openaiEmbeddingsSchema } from "../../../schema/wire/embeddings.ts";
import type { CanonicalEvent, CanonicalRequest, Loss } from "../canonical.ts";
import { type EmbeddingInput, embeddingRequest, foldEmbeddings, inputsOf, parseEmbeddings, UNSTREAMED } from "../embeddings.ts";
import { elementSlices, RawJson, removeMember, setMember, sliceAt, stringifyWithRaw } from "../json-text.ts";
import { distinctLosses, lossFor, restLosses } from "../losses.ts";
import { renderOpenaiError } from "../openai-error.ts";
import type { EncoderContext, Protocol, RenderedRequest, RenderTarget } from "../protocol.ts";
import { leaveOutRefused } from "../refused-fields.ts";
import { readRequestBody, restOf } from "../request-body.ts";
import { taskTypeOf } from "../task-type.ts";
import { parseUpstreamError } from "../upstream-error.ts";

const ID = "openai-embeddings";

/** Top-level fields that have a place in the canonical request; every other one goes to `rest`. */
const READ_FIELDS: ReadonlySet<string> = new Set([
  "model",
  "input",
  "dimensions",
  "encoding_format",
  "user",
  "stream",
  "task_type",
  "input_type",
]);

function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, openaiEmbeddingsSchema, (body) =>
    embeddingRequest({
      protocol: ID,
      model: body.model,
      inputs: readInputs(body.input, bodyText),
      control: { dimensions: body.dimensions ?? null, encoding: body.encoding_format ?? null, taskType: readTaskType(body) },
      user: body.user ?? null,
      rest: restOf(body, READ_FIELDS),
    }),
  );
}

/** Token numbers are kept as the text they came as; only a provider of this same format can read them. */
function readInputs(input: OpenaiEmbeddings["input"], bodyText: string): EmbeddingInput[] {
  if (typeof input === "string") return [{ parts: [input] }];
  if (typeof input[0] === "number") return [{ tokensText: sliceAt(bodyText, ["input"]) ?? JSON.stringify(input) }];
  const sources = elementSlices(bodyText, ["input"]);
  return input.map((each, index) =>
    typeof each === "string" ? { parts: [each] } : { tokensText: sources[index] ?? JSON.stringify(each) },
  );
}

function readTaskType(body: OpenaiEmbeddings): string | null {
  if (body.task_type) return body.task_type.toUpperCase();
  return body.input_type ? taskTypeOf(body.input_type) : null;
}

function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const { dimensions = null, encoding = null, taskType = null } = request.embedding ?? {};
  if (taskType !== null && request.protocol !== ID) losses.push(lossFor("task_type", ID));
  const body: Record<string, unknown> = {
    model: target.model,
    input: inputsOf(request).map((input) => ("parts" in input ? input.parts.join("") : new RawJson(input.tokensText))),
    ...(dimensions === null ? {} : { [target.quirks.dimensionsField ?? "dimensions"]: dimensions }),
    ...(encoding === null ? {} : { encoding_format: encoding }),
    ...(request.user === null ? {} : { user: request.user }),
  };
  if (request.protocol === ID) Object.assign(body, request.rest);
  else losses.push(...restLosses(request, ID));
  leaveOutRefused(body, target.quirks, losses, ID);
  return { body: stringifyWithRaw(body), losses: distinctLosses(losses) };
}

function parseResponse(bodyText: string): CanonicalEvent[] {
  return parseEmbeddings(bodyText, (body) => {
    const { data, model, usage } = body;
    if (!Array.isArray(data)) return null;
    const vectors: (string | null)[] = data.map(() => null);
    for (const [position, source] of elementSlices(bodyText, ["data"]).entries()) {
      const entry: unknown = data[position];
      const index = isObject(entry) && typeof entry["index"] === "number" ? entry["index"] : position;
      vectors[index] = sliceAt(source, ["embedding"]);
    }
    return {
      id: typeof body["id"] === "string" ? body["id"] : null,
      model: typeof model === "string" ? model : null,
      vectors,
      inputTokens: isObject(usage) ? (usage["prompt_tokens"] ?? usage["total_tokens"]) : null,
    };
  });
}

function renderResponse(events: readonly CanonicalEvent[], context: EncoderContext): string {
  const { model, vectors, inputTokens, costMicroRub } = foldEmbeddings(events, context);
  return stringifyWithRaw({
    object: "list",
    data: vectors.map((vector, index) => ({ object: "embedding", index, embedding: new RawJson(vector) })),
    model,
    ...(inputTokens === null
      ? {}
      : {
          usage: {
            prompt_tokens: inputTokens,
            total_tokens: inputTokens,
            ...(costMicroRub === null ? {} : { cost_micro_rub: costMicroRub }),
          },
        }),
  });
}

/** The caller's body with the provider's model name and its word for a vector's length, and without fields this provider refuses. */
function spliceRequest(bodyText: string, request: CanonicalRequest, target: RenderTarget): string {
  let text = setMember(bodyText, ["model"], JSON.stringify(target.model)) ?? bodyText;
  const { dimensionsField = "dimensions", refusedFields = [] } = target.quirks;
  const dimensions = request.embedding?.dimensions ?? null;
  if (dimensionsField !== "dimensions" && dimensions !== null) {
    text = setMember(removeMember(text, ["dimensions"]), [dimensionsField], String(dimensions)) ?? text;
  }
  for (const field of refusedFields) text = removeMember(text, [field]);
  return text;
}

function spliceUsageBody(bodyText: string, costMicroRub: number): string {
  return setMember(bodyText, ["usage", "cost_micro_rub"], String(costMicroRub)) ?? bodyText;
}

export const openaiEmbeddings: Protocol = {
  ...UNSTREAMED,
  id: ID,
  parseRequest,
  renderRequest,
  parseResponse,
  renderResponse,
  renderError: renderOpenaiError,
  parseError: parseUpstreamError,
  spliceRequest,
  spliceUsageBody,
};
