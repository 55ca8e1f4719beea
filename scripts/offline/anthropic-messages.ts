/** Anthropic Messages as the provider writes it. Shapes after real recordings; every word is our own. */
import { asRecord, idOf, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "invalid_request_error", message };
}

function read(body: Record<string, unknown>): ReadAsk {
  const messages = body["messages"];
  if (!Array.isArray(messages) || messages.length === 0) return refuse("messages: at least one message is required");
  if (typeof body["max_tokens"] !== "number") return refuse("max_tokens: Field required");
  const { temperature } = body;
  if (typeof temperature === "number" && (temperature < 0 || temperature > 1)) return refuse("temperature: range: 0..1");
  const turns = messages.map(asRecord);
  const bad = turns.find((turn) => turn["role"] !== "user" && turn["role"] !== "assistant");
  if (bad !== undefined) return refuse(`messages: unexpected role '${String(bad["role"])}'`);
  const orphan = orphanResult(turns);
  if (orphan !== null) return refuse(`messages: unexpected \`tool_use_id\` found in \`tool_result\` blocks: ${orphan}`);
  const last = turns.at(-1) ?? {};
  const blocks = blocksOf(last["content"]);
  const results = blocks.filter((block) => block["type"] === "tool_result");
  const choice = asRecord(body["tool_choice"]);
  const ask: Ask = {
    model: String(body["model"] ?? ""),
    stream: body["stream"] === true,
    lastText: results.length > 0 ? results.map((block) => textOf(block["content"])).join(" | ") : textOf(last["content"]),
    lastIsToolResult: results.length > 0,
    promptText:
      textOf(body["system"]) +
      turns.map((turn) => JSON.stringify(turn["content"]).replaceAll(/"data":"[^"]*"/g, "")).join("\n") +
      JSON.stringify(body["tools"] ?? ""),
    images: turns
      .flatMap((turn) => blocksOf(turn["content"]))
      .filter((block) => block["type"] === "image")
      .map(imageOf),
    tools: toolsOf(body["tools"]),
    toolChoice:
      choice["type"] === "tool"
        ? { name: String(choice["name"]) }
        : choice["type"] === "any"
          ? "required"
          : choice["type"] === "none"
            ? "none"
            : "auto",
    parallel: choice["disable_parallel_tool_use"] !== true,
    maxTokens: body["max_tokens"],
    stop: [body["stop_sequences"] ?? []].flat().map(String),
    thinking: ["enabled", "adaptive"].includes(String(asRecord(body["thinking"])["type"])),
    json: asRecord(asRecord(body["output_config"])["format"])["type"] === "json_schema",
    cacheTtl: cacheTtl(JSON.stringify(body)),
  };
  return { ok: true, ask };
}

function cacheTtl(text: string): Ask["cacheTtl"] {
  if (!text.includes('"cache_control"')) return null;
  return text.includes('"ttl":"1h"') ? "1h" : "5m";
}

/** A tool result must answer a call of the turn before. */
function orphanResult(turns: Record<string, unknown>[]): string | null {
  const called = new Set<unknown>();
  for (const turn of turns) {
    for (const block of blocksOf(turn["content"])) {
      if (block["type"] === "tool_use") called.add(block["id"]);
      if (block["type"] === "tool_result" && !called.has(block["tool_use_id"])) return String(block["tool_use_id"]);
    }
  }
  return null;
}

function blocksOf(content: unknown): Record<string, unknown>[] {
  return Array.isArray(content) ? content.map(asRecord) : [];
}

function textOf(content: unknown): string {
  return typeof content === "string"
    ? content
    : blocksOf(content)
        .map((block) => String(block["text"] ?? ""))
        .join("");
}

function imageOf(block: Record<string, unknown>): Ask["images"][number] {
  const source = asRecord(block["source"]);
  return source["type"] === "base64"
    ? { mediaType: String(source["media_type"]), bytes: Buffer.from(String(source["data"]), "base64").length }
    : { mediaType: "url", bytes: 0 };
}

function toolsOf(tools: unknown): Tool[] {
  return blocksOf(tools).map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["input_schema"]) }));
}

const STOP = { stop: "end_turn", stop_sequence: "stop_sequence", length: "max_tokens", tools: "tool_use", refusal: "refusal" } as const;

function inputUsage(answer: Answer): Record<string, unknown> {
  const { usage } = answer;
  return {
    input_tokens: usage.input,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: { ephemeral_5m_input_tokens: usage.cacheWrite5m, ephemeral_1h_input_tokens: usage.cacheWrite1h },
    service_tier: "standard",
  };
}

function finalUsage(answer: Answer, facts: WireFacts): Record<string, unknown> {
  if (facts.commands.flags.has("usage_zero")) return { input_tokens: 0, output_tokens: 0 };
  if (facts.commands.flags.has("usage_absurd")) return { input_tokens: -3, output_tokens: 1.5 };
  return { ...inputUsage(answer), output_tokens: answer.usage.output };
}

function contentOf(answer: Answer): Record<string, unknown>[] {
  return [
    ...(answer.reasoning === "" ? [] : [{ type: "thinking", thinking: answer.reasoning, signature: signatureOf(answer) }]),
    ...(answer.text === "" ? [] : [{ type: "text", text: answer.text }]),
    ...answer.tools.map((tool) => ({
      type: "tool_use",
      id: `toolu_${tool.id}`,
      name: tool.name,
      input: JSON.parse(tool.arguments) as unknown,
    })),
  ];
}

function signatureOf(answer: Answer): string {
  return Buffer.from(idOf(answer.reasoning)).toString("base64");
}

function unary(answer: Answer, facts: WireFacts): string {
  const usage = facts.commands.flags.has("nousage") ? {} : { usage: finalUsage(answer, facts) };
  return JSON.stringify({
    id: `msg_${facts.id}`,
    type: "message",
    role: "assistant",
    model: facts.model,
    content: contentOf(answer),
    stop_reason: STOP[answer.finish],
    stop_sequence: answer.stopSequence,
    ...usage,
  });
}

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add = (type: string, body: object, outputTokens = 0, reportsUsage = false): void => {
    list.push({ text: `event: ${type}\ndata: ${JSON.stringify({ type, ...body })}\n\n`, outputTokens, reportsUsage });
  };
  const quiet = commands.flags.has("nousage");
  add("message_start", {
    message: {
      id: `msg_${facts.id}`,
      type: "message",
      role: "assistant",
      model: facts.model,
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage: quiet ? { input_tokens: 0, output_tokens: 0 } : { ...inputUsage(answer), output_tokens: 1 },
    },
  });
  add("ping", {});
  let index = 0;
  const block = (start: object, deltas: { delta: object; tokens: number }[]): void => {
    add("content_block_start", { index, content_block: start });
    for (const { delta, tokens } of deltas) add("content_block_delta", { index, delta }, tokens);
    add("content_block_stop", { index });
    index += 1;
  };
  if (answer.reasoning !== "") {
    const pieces = piecesOf(answer.reasoning, null).map((thinking) => ({
      delta: { type: "thinking_delta", thinking },
      tokens: Math.ceil(thinking.length / 4),
    }));
    block({ type: "thinking", thinking: "", signature: "" }, [
      ...pieces,
      { delta: { type: "signature_delta", signature: signatureOf(answer) }, tokens: 0 },
    ]);
  }
  if (answer.text !== "")
    block(
      { type: "text", text: "" },
      piecesOf(answer.text, commands.chunks).map((text) => ({ delta: { type: "text_delta", text }, tokens: Math.ceil(text.length / 4) })),
    );
  for (const tool of answer.tools) {
    const pieces = ["", ...(tool.arguments === "{}" ? [] : piecesOf(tool.arguments, 3))];
    block(
      { type: "tool_use", id: `toolu_${tool.id}`, name: tool.name, input: {} },
      pieces.map((partial_json) => ({ delta: { type: "input_json_delta", partial_json }, tokens: Math.ceil(partial_json.length / 4) })),
    );
  }
  const end = { delta: { stop_reason: STOP[answer.finish], stop_sequence: answer.stopSequence } };
  for (let times = commands.flags.has("finish_twice") ? 2 : 1; times > 0; times--)
    add("message_delta", { ...end, ...(quiet ? {} : { usage: finalUsage(answer, facts) }) }, 0, !quiet);
  if (!commands.flags.has("nodone")) add("message_stop", {});
  return list;
}

const TYPES: Record<number, string> = {
  400: "invalid_request_error",
  401: "authentication_error",
  403: "permission_error",
  404: "not_found_error",
  413: "request_too_large",
  429: "rate_limit_error",
  529: "overloaded_error",
};

function error(status: number, message: string, type: string | null): string {
  return JSON.stringify({
    type: "error",
    error: { type: type ?? TYPES[status] ?? "api_error", message: message === "" ? plainMessage(status) : message },
    request_id: "req_offline",
  });
}

export const anthropicMessages: WireFormat = {
  read,
  unary,
  events,
  error,
  streamError: `event: error\ndata: ${JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Overloaded" } })}\n\n`,
};
