/** Requests of the Responses format, parsed and rendered, for its tests. */
import type { CanonicalRequest } from "../../workers/protocol/canonical.ts";
import { PROTOCOLS } from "../../workers/protocol/index.ts";
import { openaiResponses } from "../../workers/protocol/openai-responses/index.ts";
import type { Quirks, RenderedRequest } from "../../workers/protocol/protocol.ts";

export function parse(body: unknown): CanonicalRequest {
  const parsed = openaiResponses.parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

/** What a provider of this format is sent for a request of another (or this) one. */
export function render(request: CanonicalRequest, quirks: Quirks = {}): RenderedRequest & { json: Record<string, unknown> } {
  const rendered = openaiResponses.renderRequest(request, { model: "upstream-model", quirks, maxOutputTokens: 900 });
  return { ...rendered, json: JSON.parse(rendered.body) };
}

export function from(protocol: "openai-chat" | "anthropic-messages", body: unknown): CanonicalRequest {
  const parsed = PROTOCOLS[protocol].parseRequest(typeof body === "string" ? body : JSON.stringify(body));
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

export function losses(rendered: RenderedRequest): string[] {
  return rendered.losses.map((loss) => `${loss.class} ${loss.path}`);
}

export function to(protocol: "openai-chat" | "anthropic-messages", body: unknown): { json: Record<string, unknown>; losses: string[] } {
  const rendered = PROTOCOLS[protocol].renderRequest(parse(body), { model: "m", quirks: {}, maxOutputTokens: 900 });
  return { json: JSON.parse(rendered.body), losses: losses(rendered) };
}
