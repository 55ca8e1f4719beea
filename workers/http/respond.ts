/** Answers of the routes that are not completions: errors in the one shape of contract §4, and bodies read against their schema. */
import type { z } from "zod";
import { failed, gatewayError, type GatewayError, type Outcome } from "../../schema/error.ts";
import { checkWith, parseJson } from "../../schema/json.ts";
import { LIMITS } from "../../schema/limits.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { readBounded } from "../runtime/read-bounded.ts";

/** An error in the OpenAI shape, which everything but a completion's own protocol uses. */
export function errorResponse(error: GatewayError, requestId: string): Response {
  return errorAnswer(PROTOCOLS["openai-chat"], error, requestId);
}

/** What is wrong with a body's declared type; null for JSON, for no type at all, and for what tools send JSON as when they are not told. */
export function typeFault(request: Request): GatewayError | null {
  const type = request.headers.get("content-type");
  if (type === null || /\bjson\b|^text\/plain|x-www-form-urlencoded/i.test(type)) return null;
  return gatewayError("unsupported_media_type", `The body must be JSON, not ${type.slice(0, 100)}.`, {
    suggestion: "Send content-type: application/json.",
  });
}

/** A request body against its schema. Errors: `unsupported_media_type`, `request_too_large`, `invalid_json`, `invalid_request` with the field's path. */
export async function readJsonBody<S extends z.ZodType>(request: Request, schema: S): Promise<Outcome<z.output<S>>> {
  const fault = typeFault(request);
  if (fault !== null) return failed(fault);
  const text = await readBounded(request, LIMITS.adminBodyBytes);
  if (text === null) return failed(gatewayError("request_too_large", `A body may have at most ${LIMITS.adminBodyBytes} bytes here.`));
  const parsed = parseJson(text);
  if (!parsed.ok) return failed(gatewayError("invalid_json", "The body is not valid JSON.", { suggestion: parsed.message }));
  const checked = checkWith(schema, parsed.value);
  return checked.ok ? checked : failed(gatewayError("invalid_request", checked.message, { param: checked.path }));
}
