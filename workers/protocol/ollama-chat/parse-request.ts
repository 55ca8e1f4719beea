/** A caller's `/api/chat` body → the canonical request. */
import type { Outcome } from "../../../schema/error.ts";
import { type OllamaChatRequest, ollamaChatRequestSchema, type OllamaMessage } from "../../../schema/wire/ollama.ts";
import type { Block, CanonicalRequest, ToolDefinition, Turn } from "../canonical.ts";
import { createJsonSource, type JsonSource, textAt } from "../json-source.ts";
import { createPendingCalls, type PendingCalls } from "../pending-calls.ts";
import { demand, readRequestBody } from "../request-body.ts";
import { readImages, readShared } from "./read-shared.ts";

/** Reads and checks a body. Errors: `invalid_json`, `invalid_request` with `param` the dotted path of the first wrong field. */
export function parseRequest(bodyText: string): Outcome<CanonicalRequest> {
  return readRequestBody(bodyText, ollamaChatRequestSchema, (body) => readRequest(body, bodyText, createJsonSource(bodyText)));
}

function readRequest(body: OllamaChatRequest, bodyText: string, source: JsonSource): CanonicalRequest {
  const shared = readShared("ollama-chat", body, bodyText, ["messages", "tools"]);
  // Without messages the call loads the model (or, by `keep_alive`, unloads it), which no other wire can ask for.
  if ((body.messages ?? []).length === 0) shared.rest["messages"] = [];
  return { ...shared, turns: readMessages(body, source), tools: readTools(body, source, shared.rest) };
}

interface MessageScope {
  pending: PendingCalls;
  path: string;
  index: number;
  source: JsonSource;
}

function readMessages(body: OllamaChatRequest, source: JsonSource): Turn[] {
  const pending = createPendingCalls();
  return (body.messages ?? []).map((message, index) => readMessage(message, { pending, path: `messages.${index}`, index, source }));
}

function readMessage(message: OllamaMessage, scope: MessageScope): Turn {
  const role = message.role.toLowerCase();
  const text = message.content ?? "";
  const said: Block[] = text === "" ? [] : [{ type: "text", text, cache: null }];
  // A model of this wire sees a message's pictures before its text.
  const content = [...readImages(message.images, `${scope.path}.images`), ...said];
  switch (role) {
    case "system":
    case "developer":
    case "user":
      return { role, name: null, blocks: content };
    case "assistant":
      return { role, name: null, blocks: [...readThinking(message), ...content, ...readCalls(message, scope)] };
    case "tool":
      return { role, name: null, blocks: [readResult(message, content, scope)] };
    default:
      return {
        role: "user",
        name: null,
        blocks: [{ type: "opaque", protocol: "ollama-chat", kind: role, json: textAt(scope.source, ["messages", scope.index]) ?? "{}" }],
      };
  }
}

function readThinking(message: OllamaMessage): Block[] {
  const text = message.thinking ?? "";
  return text === "" ? [] : [{ type: "reasoning", kind: "raw", text, signature: null, data: null }];
}

/** Calls keep the id they have. Older clients have none: then the place in the conversation makes one, the same in every later request. */
function readCalls(message: OllamaMessage, scope: MessageScope): Block[] {
  return (message.tool_calls ?? []).map((call, position) => {
    const id = call.id || `call_${scope.index}_${position}`;
    const given = call.function.arguments;
    const argumentsText =
      typeof given === "string"
        ? given
        : (textAt(scope.source, ["messages", scope.index, "tool_calls", position, "function", "arguments"]) ?? "{}");
    scope.pending.add({ id, name: call.function.name });
    return { type: "tool-call", id, name: call.function.name, argumentsText, cache: null };
  });
}

/** A result answers the call of its id, else the first call of its name that has no result yet, else the first call without one. */
function readResult(message: OllamaMessage, content: Block[], scope: MessageScope): Block {
  const { pending, index } = scope;
  const name = message.tool_name || null;
  const call = message.tool_call_id
    ? pending.takeById(message.tool_call_id)
    : ((name === null ? undefined : pending.takeByName(name)) ?? pending.takeFirst());
  const callId = message.tool_call_id || (call?.id ?? `call_unknown_${index}`);
  return { type: "tool-result", callId, name: name ?? call?.name ?? null, content, isError: null, cache: null };
}

function readTools(body: OllamaChatRequest, source: JsonSource, rest: Record<string, unknown>): ToolDefinition[] {
  const tools: ToolDefinition[] = [];
  for (const [index, tool] of (body.tools ?? []).entries()) {
    if (typeof tool.type === "string" && tool.type !== "" && tool.type !== "function") {
      rest[`tools.${index}`] = tool;
      continue;
    }
    const definition = demand(tool.function, `tools.${index}.function`);
    const parameters = definition.parameters ? textAt(source, ["tools", index, "function", "parameters"]) : null;
    tools.push({
      name: definition.name,
      description: definition.description ?? null,
      schemaText: parameters ?? '{"type":"object","properties":{}}',
      strict: null,
      cache: null,
    });
  }
  return tools;
}
