/** The canonical request → an `/api/chat` body, with what it could not carry as it was. */
import type { CanonicalRequest, Loss, ToolDefinition } from "../canonical.ts";
import { RawJson } from "../json-text.ts";
import { lossFor } from "../losses.ts";
import type { RenderedRequest, RenderTarget } from "../protocol.ts";
import { renderMessages } from "./render-messages.ts";
import { renderBody } from "./render-shared.ts";

const TARGET = "ollama-chat";

export function renderRequest(request: CanonicalRequest, target: RenderTarget): RenderedRequest {
  const losses: Loss[] = [];
  const members = { messages: renderMessages(request, losses), ...renderTools(request, losses) };
  const carried = request.protocol === TARGET ? Object.keys(request.rest) : [];
  return renderBody(request, target, { protocol: TARGET, members, losses, carried });
}

/** The wire has no choice of tools: a model that may call none is given none, and nothing can make it call one. */
function renderTools(request: CanonicalRequest, losses: Loss[]): object {
  const native = request.protocol === TARGET ? Object.entries(request.rest).filter(([field]) => field.startsWith("tools.")) : [];
  const tools = [...request.tools.map((tool) => renderTool(tool, losses)), ...native.map(([, tool]) => tool)];
  if (tools.length === 0) return {};
  const mode = request.toolChoice?.mode;
  if (mode === "none") {
    losses.push({ class: "approximation", path: "tool_choice", note: "none→no tools" });
    return {};
  }
  if (mode === "required" || mode === "tool") losses.push(lossFor("tool_choice", TARGET));
  if (request.parallelToolCalls === false) losses.push(lossFor("parallel_tool_calls", TARGET));
  return { tools };
}

function renderTool(tool: ToolDefinition, losses: Loss[]): object {
  if (tool.cache !== null) losses.push(lossFor("cache_control", TARGET));
  if (tool.strict === true) losses.push(lossFor("tools.strict", TARGET));
  const description = tool.description === null ? {} : { description: tool.description };
  return { type: "function", function: { name: tool.name, ...description, parameters: new RawJson(tool.schemaText) } };
}
