/**
 * The canonical request → an `/api/generate` body. The endpoint takes one prompt: a conversation is written down in it, which is a loss of
 * content, and so are tools. Servers that have `/api/chat` are never asked this by a caller of another format.
 */
import type { Block, CanonicalRequest, Loss, Turn } from "../canonical.ts";
import { renderContent } from "../ollama-chat/render-messages.ts";
import { renderBody } from "../ollama-chat/render-shared.ts";
import { lossFor } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";

const TARGET = "ollama-generate";

function isSystem(turn: Turn): boolean {
  return turn.role === "system" || turn.role === "developer";
}

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const system = renderContent(
    request.turns.filter(isSystem).flatMap((turn) => turn.blocks),
    "\n\n",
    { losses },
  ).content;
  const members = {
    ...renderPrompt(
      request.turns.filter((turn) => !isSystem(turn)),
      losses,
    ),
    ...(system === "" ? {} : { system }),
  };
  if (request.tools.length > 0) losses.push(lossFor("tools", TARGET));
  const carried = request.protocol === TARGET ? Object.keys(request.rest) : [];
  const own = Object.fromEntries(carried.filter((field) => !field.startsWith("options.")).map((field) => [field, request.rest[field]]));
  return renderBody(request, target, { protocol: TARGET, members: { ...members, ...own }, losses, carried });
}

function renderPrompt(turns: readonly Turn[], losses: Loss[]): object {
  const [only] = turns;
  if (turns.length > 1) losses.push(lossFor("messages.history", TARGET, { path: "messages" }));
  const blocks = turns.length === 1 && only?.role === "user" ? only.blocks : turns.flatMap(labelled);
  const { content, images } = renderContent(blocks, "\n\n", { losses });
  return { prompt: content, ...(images === undefined ? {} : { images }) };
}

/** A turn of a conversation with its speaker's name before its text. */
function labelled(turn: Turn): Block[] {
  const speaker = turn.role === "assistant" ? "Assistant" : "User";
  return turn.blocks.map((block) => (block.type === "text" ? { ...block, text: `${speaker}: ${block.text}` } : block));
}
