/** How tests of the Converse format read and render requests. */
import { anthropicMessages } from "../../workers/protocol/anthropic-messages/index.ts";
import { bedrockConverse } from "../../workers/protocol/bedrock-converse/index.ts";
import type { CanonicalRequest, Loss } from "../../workers/protocol/canonical.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import type { Protocol, RenderTarget } from "../../workers/protocol/protocol.ts";
import { bedrock } from "../../workers/provider/bedrock.ts";

export const ADDRESS = { model: "some/model:0", stream: false };
export const CLAUDE: RenderTarget = { model: "anthropic.claude-x-v1:0", quirks: bedrock.quirks, maxOutputTokens: 8_192 };
export const NOVA: RenderTarget = { model: "us.amazon.nova-x-v1:0", quirks: bedrock.quirks, maxOutputTokens: 8_192 };
export const OTHER: RenderTarget = { model: "meta.llama-x", quirks: bedrock.quirks, maxOutputTokens: 8_192 };

export function read(body: object | string, protocol: Protocol = bedrockConverse): CanonicalRequest {
  const parsed = protocol.parseRequest(typeof body === "string" ? body : JSON.stringify(body), ADDRESS);
  if (!parsed.ok) throw new Error(parsed.error.message);
  return parsed.value;
}

export const chat = (body: object): CanonicalRequest =>
  read({ model: "m", messages: [{ role: "user", content: "hi" }], ...body }, openaiChat);
export const messages = (body: object): CanonicalRequest =>
  read({ model: "m", max_tokens: 5_000, messages: [{ role: "user", content: "hi" }], ...body }, anthropicMessages);

export function named(losses: readonly Loss[]): string[] {
  return losses.map((loss) => `${loss.class} ${loss.path}${loss.note === null ? "" : `(${loss.note})`}`);
}

export function render(
  request: CanonicalRequest,
  target: RenderTarget = CLAUDE,
): { body: Record<string, unknown>; text: string; losses: string[] } {
  const { body, losses } = bedrockConverse.renderRequest(request, target);
  return { body: JSON.parse(body), text: body, losses: named(losses) };
}

export const user = { role: "user", content: [{ text: "hi" }] };
