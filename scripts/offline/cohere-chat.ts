/** Cohere's v2 Chat as the provider writes it. Shapes after real recordings; every word is our own. */
import { asRecord, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const ROLES = ["system", "user", "assistant", "tool"];
/** The hidden preamble that `tokens` counts and `billed_units` does not. */
const PREAMBLE_TOKENS = 495;

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "invalid_request", message };
}

function read(body: Record<string, unknown>): ReadAsk {
  const { messages, p } = body;
  if (!Array.isArray(messages) || messages.length === 0) return refuse("invalid request: must provide messages");
  if (typeof p === "number" && (p < 0.01 || p > 0.99)) return refuse("invalid request: p must be between 0.01 and 0.99 inclusive.");
  const turns = messages.map(asRecord);
  const unknown = turns.find((turn) => !ROLES.includes(String(turn["role"])));
  if (unknown !== undefined) return refuse(`invalid request: unknown role ${String(unknown["role"])}`);
  const last = turns.at(-1) ?? {};
  const trailing = turns.slice(turns.findLastIndex((turn) => turn["role"] !== "tool") + 1);
  const lastIsToolResult = last["role"] === "tool";
  const choice = body["tool_choice"];
  if (choice !== undefined && choice !== "REQUIRED" && choice !== "NONE") return refuse("invalid request: tool_choice is not valid");
  const cap = body["max_tokens"];
  const ask: Ask = {
    model: String(body["model"] ?? ""),
    stream: body["stream"] === true,
    lastText: lastIsToolResult ? trailing.map((turn) => textOf(turn["content"])).join(" | ") : textOf(last["content"]),
    lastIsToolResult,
    promptText:
      turns.map((turn) => textOf(turn["content"]) + JSON.stringify(turn["tool_calls"] ?? "")).join("\n") +
      JSON.stringify(body["tools"] ?? ""),
    images: turns.flatMap((turn) => imagesOf(turn["content"])),
    tools: toolsOf(body["tools"]),
    toolChoice: choice === "REQUIRED" ? "required" : choice === "NONE" ? "none" : "auto",
    parallel: true,
    maxTokens: typeof cap === "number" ? cap : null,
    stop: [body["stop_sequences"] ?? []].flat().map(String),
    thinking: asRecord(body["thinking"])["type"] === "enabled",
    json: asRecord(body["response_format"])["type"] === "json_object",
    cacheTtl: null,
  };
  return { ok: true, ask };
}

function partsOf(content: unknown): Record<string, unknown>[] {
  return typeof content === "string" ? [{ type: "text", text: content }] : Array.isArray(content) ? content.map(asRecord) : [];
}

function textOf(content: unknown): string {
  return partsOf(content)
    .map((part) => String(part["text"] ?? ""))
    .join("");
}

function imagesOf(content: unknown): Ask["images"] {
  return partsOf(content)
    .filter((part) => part["type"] === "image_url")
    .map((part) => /^data:([^;]+);base64,(.*)$/s.exec(String(asRecord(part["image_url"])["url"] ?? "")))
    .map((match) =>
      match === null ? { mediaType: "url", bytes: 0 } : { mediaType: match[1] ?? "", bytes: Buffer.from(match[2] ?? "", "base64").length },
    );
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return [];
  return tools
    .map((tool) => asRecord(asRecord(tool)["function"]))
    .map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["parameters"]) }));
}

const FINISH = {
  stop: "COMPLETE",
  stop_sequence: "STOP_SEQUENCE",
  length: "MAX_TOKENS",
  tools: "TOOL_CALL",
  refusal: "ERROR_TOXIC",
} as const;
const PLAN = "I will use the tools that were offered.";

function usageOf(answer: Answer, facts: WireFacts): Record<string, unknown> {
  const { flags } = facts.commands;
  if (flags.has("nousage")) return {};
  const { usage } = answer;
  const absurd = flags.has("usage_absurd");
  const input = flags.has("usage_zero") ? 0 : usage.input + usage.cacheRead;
  const output = flags.has("usage_zero") ? 0 : absurd ? -5 : usage.output;
  return {
    usage: {
      billed_units: { input_tokens: input, output_tokens: output },
      tokens: { input_tokens: input + PREAMBLE_TOKENS, output_tokens: output + 3, reasoning_tokens: usage.reasoning },
      cached_tokens: 448,
    },
  };
}

function callId(name: string, id: string): string {
  return `${name}_${id.slice(0, 12)}`;
}

function unary(answer: Answer, facts: WireFacts): string {
  const content = [
    ...(answer.reasoning === "" ? [] : [{ type: "thinking", thinking: answer.reasoning }]),
    ...(answer.text === "" ? [] : [{ type: "text", text: answer.text }]),
  ];
  const calls = answer.tools.map((tool) => ({
    id: callId(tool.name, tool.id),
    type: "function",
    function: { name: tool.name, arguments: tool.arguments },
  }));
  return JSON.stringify({
    id: facts.id,
    message: { role: "assistant", ...(calls.length === 0 ? { content } : { tool_plan: PLAN, tool_calls: calls }) },
    finish_reason: FINISH[answer.finish],
    ...usageOf(answer, facts),
  });
}

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const list: WireEvent[] = [];
  const add = (type: string, fields: object, outputTokens = 0): void => {
    const isReport = type === "message-end" && !facts.commands.flags.has("nousage");
    list.push({ text: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, outputTokens, reportsUsage: isReport });
  };
  const empty = { role: "assistant", content: [], tool_plan: "", tool_calls: [], citations: [] };
  add("message-start", { id: facts.id, delta: { message: empty } });
  let index = 0;
  const say = (kind: "thinking" | "text", text: string): void => {
    if (text === "") return;
    add("content-start", { index, delta: { message: { content: { type: kind, [kind]: "" } } } });
    for (const piece of piecesOf(text, facts.commands.chunks)) {
      add("content-delta", { index, delta: { message: { content: { [kind]: piece } } } }, Math.ceil(piece.length / 4));
    }
    add("content-end", { index });
    index += 1;
  };
  say("thinking", answer.reasoning);
  say("text", answer.text);
  if (answer.tools.length > 0) {
    for (const piece of piecesOf(PLAN, null)) add("tool-plan-delta", { delta: { message: { tool_plan: piece } } });
  }
  for (const [position, tool] of answer.tools.entries()) {
    const opening = { id: callId(tool.name, tool.id), type: "function", function: { name: tool.name, arguments: "" } };
    add("tool-call-start", { index: position, delta: { message: { tool_calls: opening } } });
    for (const piece of piecesOf(tool.arguments, null)) {
      const delta = { message: { tool_calls: { function: { arguments: piece } } } };
      add("tool-call-delta", { index: position, delta }, Math.ceil(piece.length / 4));
    }
    add("tool-call-end", { index: position });
  }
  if (facts.commands.flags.has("nodone")) return list;
  add("message-end", { delta: { finish_reason: FINISH[answer.finish], ...usageOf(answer, facts) } });
  list.push({ text: "data: [DONE]\n\n", outputTokens: 0, reportsUsage: false });
  return list;
}

/** The body of an error, shared by everything this provider offers. */
export function cohereError(status: number, message: string, type: string | null): string {
  const text = message === "" ? plainMessage(status) : message;
  return JSON.stringify({ id: `error-${status}`, message: text, ...(type === null ? {} : { error_type: type }) });
}

export const cohereChat: WireFormat = {
  read,
  unary,
  events,
  error: cohereError,
  streamError: `event: message-end\ndata: ${JSON.stringify({ type: "message-end", delta: { finish_reason: "ERROR", error: "The server had an error." } })}\n\n`,
};
