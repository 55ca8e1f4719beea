/** Requests of Gemini's wire for the tests: read from a caller, rendered for a provider, translated from other wires. */
import { isObject, parseJson } from "../../schema/json.ts";
import type { ProtocolId } from "../../schema/protocol.ts";
import type { CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { gemini } from "../../workers/protocol/gemini/index.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { withStateOf } from "../../workers/protocol/opaque-state.ts";

export const address = { model: "openai/gpt-x", stream: false };
export const hi = { role: "user", parts: [{ text: "hi" }] };
export const base = { contents: [hi] };

export function parse(body: unknown, at = address): CanonicalRequest {
  const parsed = gemini.parseRequest(typeof body === "string" ? body : JSON.stringify(body), at);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

export interface Rendered {
  body: Record<string, unknown>;
  text: string;
  losses: Loss[];
}

export function render(request: CanonicalRequest, to: ProtocolId, model: string): Rendered {
  const rendered = PROTOCOLS[to].renderRequest(withStateOf(request, to), { model, quirks: {}, maxOutputTokens: 8192 });
  const read = parseJson(rendered.body);
  if (!read.ok || !isObject(read.value)) throw new Error("the rendered body is no JSON object");
  return { body: read.value, text: rendered.body, losses: rendered.losses };
}

export function translate(from: ProtocolId, body: unknown, model = "gemini-2.5-flash"): Rendered {
  const parsed = PROTOCOLS[from].parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return render(parsed.value, "gemini", model);
}

export const chat = (changes: object, model?: string): Rendered =>
  translate("openai-chat", { model: "m", max_tokens: 4000, messages: [{ role: "user", content: "hi" }], ...changes }, model);
export const messages = (changes: object, model?: string): Rendered =>
  translate("anthropic-messages", { model: "m", max_tokens: 4000, messages: [{ role: "user", content: "hi" }], ...changes }, model);
export const paths = (losses: readonly Loss[], kind: Loss["class"]): string[] =>
  losses.filter((loss) => loss.class === kind).map(({ path }) => path);
