/** The tools a request offers, and which of them it asks for, in this wire's words. */
import { isObject, parseJson } from "../../../schema/json.ts";
import type { CacheMark, CanonicalRequest, Loss, ToolDefinition } from "../canonical.ts";
import { RawJson, setMember } from "../json-text.ts";
import { lossFor } from "../losses.ts";

const TARGET = "anthropic-messages";

export function cacheMark(cache: CacheMark | null): object {
  return cache === null ? {} : { cache_control: { type: "ephemeral", ...(cache.ttl === null ? {} : { ttl: cache.ttl }) } };
}

/** `tools` and `tool_choice`, as far as there is something to say. `toolName` spells names in the wire's alphabet. */
export function renderTools(request: CanonicalRequest, toolName: (name: string) => string, losses: Loss[]): object {
  const native = request.protocol === TARGET ? Object.entries(request.rest).filter(([field]) => field.startsWith("tools.")) : [];
  const tools = [...request.tools.map((tool) => renderTool(tool, toolName, losses)), ...native.map(([, tool]) => tool)];
  if (tools.length > 0) {
    const choice = renderChoice(request, toolName);
    return { tools, ...(choice === null ? {} : { tool_choice: choice }) };
  }
  // A history with calls is refused without definitions of the tools called: they are named, and forbidden.
  const called = new Set(request.turns.flatMap((turn) => turn.blocks.flatMap((block) => (block.type === "tool-call" ? [block.name] : []))));
  if (called.size === 0) return {};
  const named = [...called].map((name) => ({ name: toolName(name), input_schema: { type: "object" } }));
  return { tools: named, tool_choice: { type: "none" } };
}

function renderTool(tool: ToolDefinition, toolName: (name: string) => string, losses: Loss[]): object {
  const name = toolName(tool.name);
  if (name !== tool.name) losses.push(lossFor("tools.name", TARGET, { note: `→${name}` }));
  return {
    name,
    ...(tool.description === null ? {} : { description: tool.description }),
    input_schema: new RawJson(rooted(tool.schemaText)),
    ...(tool.strict === true ? { strict: true } : {}),
    ...cacheMark(tool.cache),
  };
}

/** The schema with the root type that this wire demands and others let go without saying. */
function rooted(schemaText: string): string {
  const parsed = parseJson(schemaText);
  if (!parsed.ok || !isObject(parsed.value) || parsed.value["type"] !== undefined) return schemaText;
  return setMember(schemaText, ["type"], '"object"') ?? schemaText;
}

/** A choice object is also the only place for "one call at a time", so it is made when that alone was asked for. */
function renderChoice(request: CanonicalRequest, toolName: (name: string) => string): object | null {
  const { toolChoice } = request;
  const serial = request.parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  if (toolChoice === null) return request.parallelToolCalls === false ? { type: "auto", ...serial } : null;
  switch (toolChoice.mode) {
    case "auto":
      return { type: "auto", ...serial };
    case "none":
      return { type: "none" };
    case "required":
      return { type: "any", ...serial };
    case "tool":
      return { type: "tool", name: toolName(toolChoice.name), ...serial };
  }
}
