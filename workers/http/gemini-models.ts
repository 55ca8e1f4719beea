/**
 * `POST /v1beta/models/<model>:<action>`, or below `/v1`, which its newer SDKs take by default: Gemini's callers name the model and what they want of it in the address. A model's name may hold
 * slashes (`openai/gpt-5-mini`), percent-encoded or not.
 */
import type { Context, Hono } from "hono";
import { gatewayError } from "../../schema/error.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import { errorAnswer } from "../engine/answers.ts";
import { PROTOCOLS } from "../protocol/index.ts";
import { sliceAt } from "../protocol/json-text.ts";
import type { AppEnv } from "./app-env.ts";
import { complete, countTokens } from "./completions.ts";

/** What can be asked of a model, beside its token count. */
const ACTIONS: Readonly<Record<string, { protocol: ProtocolId; stream: boolean }>> = {
  generateContent: { protocol: "gemini", stream: false },
  streamGenerateContent: { protocol: "gemini", stream: true },
};

const VERSIONS = ["/v1beta", "/v1", "/v1alpha"];

export function registerGeminiModels(app: Hono<AppEnv>): void {
  for (const version of VERSIONS) {
    app.post(`${version}/models/*`, ask);
    // An SDK that takes a name with a slash for a whole resource path leaves "models/" out.
    app.post(`${version}/:call{.+:(?:generateContent|streamGenerateContent|countTokens)}`, ask);
  }
}

function ask(context: Context<AppEnv>): Promise<Response> | Response {
  const { model, action } = readPath(context.req.path);
  if (action === "countTokens") return countFor(context, model);
  const found = Object.hasOwn(ACTIONS, action) ? ACTIONS[action] : undefined;
  if (found === undefined) return unknownAction(context, action);
  const inEvents = context.req.query("alt") === "sse";
  if (found.stream && !inEvents) return asList(complete(context, found.protocol, { model, stream: false }));
  return complete(context, found.protocol, { model, stream: found.stream });
}

/** `…/models/<model>:<action>` or `…/<model>:<action>`; the action follows the last colon. Empty where there is none. */
function readPath(path: string): { model: string; action: string } {
  const match = /^\/v1(?:beta|alpha)?\/(?:models\/)?(.*):([^:/]*)$/.exec(path);
  return { model: decoded(match?.[1] ?? ""), action: match?.[2] ?? "" };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A stream that is not asked for as events is a JSON list of its chunks; here a list of one, the whole answer. */
async function asList(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (!response.ok) return response;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(`[${await response.text()}]`, { status: response.status, headers });
}

/** Our estimate, as `{totalTokens}`. What is counted stands at the top or, with system text and tools, as a whole request inside. */
function countFor(context: Context<AppEnv>, model: string): Promise<Response> {
  return countTokens(context, {
    protocol: "gemini",
    address: { model, stream: false },
    bodyOf: (text) => sliceAt(text, ["generateContentRequest"]) ?? sliceAt(text, ["generate_content_request"]) ?? text,
    answerOf: (totalTokens) => ({ totalTokens }),
  });
}

function unknownAction(context: Context<AppEnv>, action: string): Response {
  const error = gatewayError("not_found", `A model cannot be asked for "${action.slice(0, 100)}" here.`, {
    available: [...Object.keys(ACTIONS), "countTokens"],
    suggestion: "Use /v1beta/models/<model>:generateContent.",
  });
  return errorAnswer(PROTOCOLS.gemini, error, context.get("requestId"));
}
