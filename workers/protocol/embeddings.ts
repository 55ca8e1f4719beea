/**
 * What the embedding formats share. An embedding travels like a completion: a request with one user turn an input, an answer of `embedding`
 * events with each vector as its JSON text. It is never streamed, has no output tokens, and its numbers are never printed again.
 *
 * The one exception is a caller who wants another encoding than the provider gives. Base64 holds float32, little-endian (OpenAI's
 * definition), so a list of numbers made base64 has float32 precision; base64 made a list shows those float32 values exactly.
 */
import { isObject, type JsonObject, parseJson } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { mergeUsage, UNKNOWN_USAGE, type Usage } from "../../schema/usage.ts";
import type { CanonicalEvent, CanonicalRequest, EmbeddingControl, Loss, Turn } from "./canonical.ts";
import { lossFor } from "./losses.ts";
import type { EncoderContext, Protocol } from "./protocol.ts";
import { malformedError, upstreamErrorOf } from "./upstream-error.ts";

function neverStreamed(): never {
  throw new Error("an embedding is never streamed");
}

/** The streaming half of a format that has none: nothing calls it, since every such request is refused when it is parsed. */
export const UNSTREAMED = {
  streamContentType: "application/json",
  framing: "sse",
  createEncoder: neverStreamed,
  renderStreamError: neverStreamed,
  createFramer: neverStreamed,
  createDecoder: neverStreamed,
  spliceUsageFrame: neverStreamed,
} as const satisfies Partial<Protocol>;

/** One input: a text in its parts, or, for the one format that takes them, the raw JSON text of its token numbers. */
export type EmbeddingInput = { parts: readonly string[] } | { tokensText: string };

export interface EmbeddingAsk {
  protocol: ProtocolId;
  model: string;
  inputs: readonly EmbeddingInput[];
  control: EmbeddingControl;
  user: string | null;
  rest: Record<string, unknown>;
}

/** The canonical request of an embedding. */
export function embeddingRequest(ask: EmbeddingAsk): CanonicalRequest {
  return {
    protocol: ask.protocol,
    model: ask.model,
    stream: false,
    wantsStreamUsage: false,
    turns: ask.inputs.map((input) => turnOf(input, ask.protocol)),
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    maxOutputTokens: 0,
    temperature: null,
    topP: null,
    topK: null,
    stop: [],
    choices: 1,
    reasoning: null,
    responseFormat: null,
    user: ask.user,
    embedding: ask.control,
    rest: ask.rest,
  };
}

const TOKENS = "tokens";

function turnOf(input: EmbeddingInput, protocol: ProtocolId): Turn {
  if ("tokensText" in input)
    return { role: "user", name: null, blocks: [{ type: "opaque", protocol, kind: TOKENS, json: input.tokensText }] };
  return { role: "user", name: null, blocks: input.parts.map((text) => ({ type: "text", text, cache: null })) };
}

/** The inputs of a request again. */
export function inputsOf(request: CanonicalRequest): EmbeddingInput[] {
  return request.turns.map((turn) => {
    const tokens = turn.blocks.find((block) => block.type === "opaque" && block.kind === TOKENS);
    if (tokens?.type === "opaque") return { tokensText: tokens.json };
    return { parts: turn.blocks.flatMap((block) => (block.type === "text" ? [block.text] : [])) };
  });
}

/** The inputs as texts, for a target that takes nothing else. Tokens of another model's vocabulary are lost content. */
export function textsOf(request: CanonicalRequest, target: ProtocolId, losses: Loss[]): string[] {
  return inputsOf(request).map((input) => {
    if ("parts" in input) return input.parts.join("");
    losses.push(lossFor("input.tokens", target, { path: "input" }));
    return "";
  });
}

/** What an answer says, before it becomes events. */
export interface EmbeddingAnswer {
  id: string | null;
  model: string | null;
  /** In the order of the inputs: the raw JSON text of each vector. */
  vectors: readonly (string | null)[];
  /** Null: the provider did not say. */
  inputTokens: unknown;
}

/** A list of numbers, or base64 in quotes. */
const VECTOR = /^(?:\[[-+.eE\d\s,]*\d\s*\]|"[A-Za-z0-9+/=\\]+")$/;

/** A 2xx body → events. `read` finds the vectors, or answers null for a body that holds none, which then is an error. */
export function parseEmbeddings(bodyText: string, read: (body: JsonObject) => EmbeddingAnswer | null): CanonicalEvent[] {
  const parsed = parseJson(bodyText);
  if (!parsed.ok || !isObject(parsed.value)) return [{ type: "error", error: malformedError("the answer is not JSON") }];
  const answer = read(parsed.value);
  if (answer === null) return [{ type: "error", error: upstreamErrorOf(parsed.value) }];
  const vectors = answer.vectors.filter((vector) => vector !== null && VECTOR.test(vector)).filter((vector) => vector !== null);
  if (vectors.length === 0 || vectors.length < answer.vectors.length) {
    return [{ type: "error", error: malformedError("a vector is missing or holds something else than numbers") }];
  }
  const { inputTokens } = answer;
  const isCounted = typeof inputTokens === "number" && Number.isSafeInteger(inputTokens) && inputTokens >= 0;
  return [
    { type: "start", id: answer.id, model: answer.model, createdSeconds: null },
    ...vectors.map((valuesText, index): CanonicalEvent => ({ type: "embedding", index, valuesText })),
    ...(isCounted ? [{ type: "usage" as const, usage: { input_tokens: inputTokens, output_tokens: 0 }, final: true, anomaly: null }] : []),
    { type: "finish", choice: 0, unified: "stop", raw: "", stopSequence: null, detailsJson: null },
    { type: "end" },
  ];
}

/** A whole answer folded from its events. */
export interface FoldedEmbeddings {
  id: string;
  model: string;
  /** JSON texts of the vectors, in the caller's encoding and the order of its inputs. */
  vectors: string[];
  /** Null: nobody counted. */
  inputTokens: number | null;
  costMicroRub: number | null;
}

export function foldEmbeddings(events: readonly CanonicalEvent[], context: EncoderContext): FoldedEmbeddings {
  let usage: Usage = UNKNOWN_USAGE;
  let start: { id: string | null; model: string | null } = { id: null, model: null };
  const found: { index: number; valuesText: string }[] = [];
  for (const event of events) {
    if (event.type === "start") start = event;
    else if (event.type === "usage") usage = mergeUsage(usage, event.usage);
    else if (event.type === "embedding") found.push(event);
  }
  const inputTokens = usage.input_tokens;
  return {
    id: start.id ?? context.id,
    model: start.model ?? context.model,
    vectors: found
      .toSorted((one, other) => one.index - other.index)
      .map((vector) => inEncoding(vector.valuesText, context.embeddingEncoding ?? "float")),
    inputTokens,
    costMicroRub: inputTokens === null ? null : context.costMicroRub(usage),
  };
}

const BYTES_PER_VALUE = 4;

/** A vector's JSON text in the encoding that is wanted; the very text where it already is. */
export function inEncoding(valuesText: string, encoding: "float" | "base64"): string {
  const isList = valuesText.startsWith("[");
  if (isList === (encoding === "float")) return valuesText;
  const parsed = parseJson(valuesText);
  if (!parsed.ok) throw new Error("a vector was let through that is not JSON");
  if (Array.isArray(parsed.value)) return JSON.stringify(base64Of(parsed.value.map(Number)));
  return JSON.stringify(valuesOf(String(parsed.value)));
}

function base64Of(values: readonly number[]): string {
  const view = new DataView(new ArrayBuffer(values.length * BYTES_PER_VALUE));
  for (const [index, value] of values.entries()) view.setFloat32(index * BYTES_PER_VALUE, value, true);
  let letters = "";
  for (let index = 0; index < view.byteLength; index++) letters += String.fromCharCode(view.getUint8(index));
  return btoa(letters);
}

function valuesOf(base64: string): number[] {
  const letters = atob(base64);
  const view = new DataView(new ArrayBuffer(letters.length));
  for (let index = 0; index < letters.length; index++) view.setUint8(index, letters.charCodeAt(index));
  return Array.from({ length: Math.floor(letters.length / BYTES_PER_VALUE) }, (_, index) => view.getFloat32(index * BYTES_PER_VALUE, true));
}
