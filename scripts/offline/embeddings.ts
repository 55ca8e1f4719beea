/** Embeddings as four providers write them. Shapes after the providers' own references; the vectors are made from the texts. */
import { asRecord, type Answer, type Ask } from "./answer.ts";
import { cohereError } from "./cohere-chat.ts";
import { openaiChat } from "./openai-chat.ts";
import { plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const TEXTS_MAX = { openai: 2_048, cohere: 96, gemini: 100 };
const COHERE_INPUT_TYPES = ["search_document", "search_query", "classification", "clustering", "image"];

function refuse(message: string, type = "invalid_request_error"): ReadAsk {
  return { ok: false, status: 400, type, message };
}

function askFor(model: string, inputs: string[], dimensions: unknown, base64 = false): ReadAsk {
  const ask: Ask = {
    model,
    stream: false,
    lastText: "",
    lastIsToolResult: false,
    promptText: inputs.join("\n"),
    images: [],
    tools: [],
    toolChoice: "none",
    parallel: true,
    maxTokens: null,
    stop: [],
    thinking: false,
    json: false,
    cacheTtl: null,
    embedding: { inputs, dimensions: typeof dimensions === "number" ? dimensions : null, base64 },
  };
  return { ok: true, ask };
}

/** An embedding is never streamed. */
function noEvents(): WireEvent[] {
  return [];
}

const NO_STREAM = { events: noEvents, streamError: "" };

function vectorsOf(answer: Answer): number[][] {
  return answer.embedding?.vectors ?? [];
}

/** The input count as the commands want it told; null: not at all. */
function counted(answer: Answer, { commands }: WireFacts): number | null {
  if (commands.flags.has("nousage")) return null;
  if (commands.flags.has("usage_absurd")) return -7;
  return commands.flags.has("usage_zero") ? 0 : answer.usage.input;
}

function readOpenai(body: Record<string, unknown>): ReadAsk {
  const { input, dimensions } = body;
  const many = Array.isArray(input) && typeof input[0] !== "number" ? input : [input];
  if (many.length === 0 || many.length > TEXTS_MAX.openai) return refuse("'input' must hold 1 to 2048 inputs.");
  const texts = many.map((each) => (typeof each === "string" ? each : Array.isArray(each) ? each.join(" ") : ""));
  if (texts.includes("")) return refuse("'$.input' is invalid.");
  return askFor(String(body["model"]), texts, dimensions ?? body["output_dimension"], body["encoding_format"] === "base64");
}

function base64Of(vector: readonly number[]): string {
  const bytes = Buffer.alloc(vector.length * 4);
  for (const [index, value] of vector.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}

export const openaiEmbeddings: WireFormat = {
  ...NO_STREAM,
  read: readOpenai,
  unary(answer, facts) {
    const tokens = counted(answer, facts);
    const isBase64 = answer.embedding?.base64 === true;
    return JSON.stringify({
      object: "list",
      data: vectorsOf(answer).map((vector, index) => ({ object: "embedding", index, embedding: isBase64 ? base64Of(vector) : vector })),
      model: facts.model,
      ...(tokens === null ? {} : { usage: { prompt_tokens: tokens, total_tokens: tokens } }),
    });
  },
  error: openaiChat.error,
};

export const cohereEmbeddings: WireFormat = {
  ...NO_STREAM,
  read(body) {
    const { texts } = body;
    if (!Array.isArray(texts) || texts.length === 0) return refuse("invalid request: at least one text is required", "invalid_request");
    if (texts.length > TEXTS_MAX.cohere) return refuse("invalid request: at most 96 texts are allowed", "invalid_request");
    if (!COHERE_INPUT_TYPES.includes(String(body["input_type"])))
      return refuse("invalid request: input_type is not valid", "invalid_request");
    return askFor(String(body["model"]), texts.map(String), body["output_dimension"]);
  },
  unary(answer, facts) {
    const tokens = counted(answer, facts);
    return JSON.stringify({
      id: facts.id,
      embeddings: { float: vectorsOf(answer) },
      texts: [],
      meta: { api_version: { version: "2" }, ...(tokens === null ? {} : { billed_units: { input_tokens: tokens } }) },
      response_type: "embeddings_by_type",
    });
  },
  error: cohereError,
};

export const geminiEmbeddings: WireFormat = {
  ...NO_STREAM,
  addressed: (url) => ({ model: decodeURIComponent(/\/models\/([^/:]+):/.exec(url.pathname)?.[1] ?? ""), stream: false }),
  read(body, { model }) {
    const { requests } = body;
    if (!Array.isArray(requests) || requests.length === 0 || requests.length > TEXTS_MAX.gemini)
      return refuse("at most 100 requests can be in one batch", "INVALID_ARGUMENT");
    const each = requests.map(asRecord);
    if (each.some((request) => request["model"] !== `models/${model}`))
      return refuse("all requests must be for the model in the address", "INVALID_ARGUMENT");
    const texts = each.map((request) => {
      const { parts } = asRecord(request["content"]);
      return Array.isArray(parts) ? parts.map((part) => String(asRecord(part)["text"] ?? "")).join("") : "";
    });
    return askFor(model, texts, each[0]?.["outputDimensionality"]);
  },
  unary(answer, facts) {
    const tokens = counted(answer, facts);
    return JSON.stringify({
      embeddings: vectorsOf(answer).map((values) => ({ values })),
      ...(tokens === null ? {} : { usageMetadata: { promptTokenCount: tokens } }),
    });
  },
  error: (status, message, type) =>
    JSON.stringify({
      error: {
        code: status,
        message: message === "" ? plainMessage(status) : message,
        status: type ?? (status === 429 ? "RESOURCE_EXHAUSTED" : "INTERNAL"),
      },
    }),
};

export const ollamaEmbeddings: WireFormat = {
  ...NO_STREAM,
  open: true,
  read: (body) => askFor(String(body["model"]), [body["input"] ?? []].flat().map(String), body["dimensions"]),
  unary(answer, facts) {
    const tokens = counted(answer, facts);
    return JSON.stringify({
      model: facts.model,
      embeddings: vectorsOf(answer),
      total_duration: 14_143_917,
      load_duration: 1_019_500,
      ...(tokens === null ? {} : { prompt_eval_count: tokens }),
    });
  },
  error: (status, message) => JSON.stringify({ error: message === "" ? plainMessage(status) : message }),
};
