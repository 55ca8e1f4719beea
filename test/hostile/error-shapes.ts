/** The errors of each client protocol, in full (contract §4): what a refused caller must find, in its own shape. */
import { z } from "zod";
import { ERROR_STATUS } from "../../schema/error.ts";
import { ownMember } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";

const requestId = z.string().regex(/^req_[0-9a-z]{23}_[0-9a-z]+$/);
const param = z.string().nullable();
const details = z.object({ available: z.array(z.string()).nullable(), suggestion: z.string().nullable() });
const message = z.string().min(1);

const openai = z.strictObject({
  error: z.strictObject({ code: z.string(), message, type: z.string().min(1), param, details }),
  request_id: requestId,
});
const anthropic = z.strictObject({
  type: z.literal("error"),
  error: z.strictObject({ type: z.string().min(1), message, code: z.string(), param, details }),
  request_id: requestId,
});
const google = z.strictObject({
  error: z.strictObject({
    code: z.number().int(),
    message,
    status: z.string().regex(/^[A-Z_]+$/),
    param,
    details: z.array(z.looseObject({ "@type": z.string(), reason: z.string().optional() })).min(1),
  }),
  request_id: requestId,
});
const amazon = z.strictObject({ message, code: z.string(), param, details, request_id: requestId });
const ollama = z.strictObject({ error: message, code: z.string(), param, details, request_id: requestId });

interface Shape {
  schema: z.ZodType<{ request_id: string }>;
  codeOf: (body: unknown) => string;
}

const insideError: Shape["codeOf"] = (body) => z.looseObject({ error: z.looseObject({ code: z.string() }) }).parse(body).error.code;
const atTop: Shape["codeOf"] = (body) => z.looseObject({ code: z.string() }).parse(body).code;

const SHAPES: Partial<Record<ProtocolId, Shape>> = {
  "openai-chat": { schema: openai, codeOf: insideError },
  "openai-responses": { schema: openai, codeOf: insideError },
  "openai-embeddings": { schema: openai, codeOf: insideError },
  "anthropic-messages": { schema: anthropic, codeOf: insideError },
  gemini: { schema: google, codeOf: (body) => google.parse(body).error.details[0]?.reason ?? "" },
  "bedrock-converse": { schema: amazon, codeOf: atTop },
  "ollama-chat": { schema: ollama, codeOf: atTop },
  "ollama-generate": { schema: ollama, codeOf: atTop },
};

export interface Refusal {
  /** What is wrong with the answer itself; null when nothing is. */
  fault: string | null;
  code: string;
}

/** Checks an error's status, headers and body. An upstream's own refusal keeps its own code. */
export function readRefusal(protocol: ProtocolId, answer: { status: number; headers: Headers; text: string }): Refusal {
  const shape = SHAPES[protocol];
  if (shape === undefined) throw new Error(`no caller speaks ${protocol}`);
  let body: unknown;
  try {
    body = JSON.parse(answer.text);
  } catch {
    return { fault: `no JSON: ${answer.text.slice(0, 200)}`, code: "" };
  }
  const checked = shape.schema.safeParse(body);
  if (!checked.success) return { fault: `another shape: ${answer.text.slice(0, 300)}`, code: "" };
  const code = shape.codeOf(body);
  const faults = [
    /^application\/json\b/.test(answer.headers.get("content-type") ?? "") ? null : "not declared as JSON",
    answer.headers.get("x-plyrum-request-id") === checked.data.request_id ? null : "two ids of one request",
    protocol !== "bedrock-converse" || answer.headers.has("x-amzn-errortype") ? null : "no x-amzn-errortype",
    [answer.status, undefined].includes(ownMember(ERROR_STATUS, code)) || code === "upstream_rejected"
      ? null
      : `${code} with ${answer.status}`,
  ];
  return { fault: faults.find((fault) => fault !== null) ?? null, code };
}
