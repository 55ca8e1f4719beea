/** OpenAI Chat Completions as a provider writes it. Shapes after real recordings; every word is our own. */
import { asRecord, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const CREATED_SECONDS = 1_763_700_000;
const ROLES = ["system", "developer", "user", "assistant", "tool", "function"];

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "invalid_request_error", message };
}

function read(body: Record<string, unknown>): ReadAsk {
  const messages = body["messages"];
  if (!Array.isArray(messages) || messages.length === 0) return refuse("'messages' must hold at least one message.");
  const turns = messages.map(asRecord);
  const unknown = turns.find((turn) => !ROLES.includes(String(turn["role"])));
  if (unknown !== undefined) return refuse(`Invalid value: '${String(unknown["role"])}' is not a role.`);
  const last = turns.at(-1) ?? {};
  const trailing = turns.slice(turns.findLastIndex((turn) => turn["role"] !== "tool") + 1);
  const lastIsToolResult = last["role"] === "tool";
  const cap = body["max_completion_tokens"] ?? body["max_tokens"];
  const model = String(body["model"] ?? "");
  const ask: Ask = {
    model,
    stream: body["stream"] === true,
    lastText: lastIsToolResult ? trailing.map((turn) => textOf(turn["content"])).join(" | ") : textOf(last["content"]),
    lastIsToolResult,
    promptText:
      turns.map((turn) => textOf(turn["content"]) + JSON.stringify(turn["tool_calls"] ?? "")).join("\n") +
      JSON.stringify(body["tools"] ?? ""),
    images: turns.flatMap((turn) => imagesOf(turn["content"])),
    tools: toolsOf(body["tools"]),
    toolChoice: choiceOf(body["tool_choice"]),
    parallel: body["parallel_tool_calls"] !== false,
    maxTokens: typeof cap === "number" ? cap : null,
    stop: [body["stop"] ?? []].flat().map(String),
    thinking: (body["reasoning_effort"] !== undefined && body["reasoning_effort"] !== "none") || /deepseek-reason|reason/.test(model),
    json: ["json_object", "json_schema"].includes(String(asRecord(body["response_format"])["type"])),
    cacheTtl: null,
  };
  return { ok: true, ask };
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => String(asRecord(part)["text"] ?? "")).join("");
}

function imagesOf(content: unknown): Ask["images"] {
  if (!Array.isArray(content)) return [];
  return content
    .map(asRecord)
    .filter((part) => part["type"] === "image_url")
    .map((part) => imageOf(String(asRecord(part["image_url"])["url"] ?? "")));
}

function imageOf(url: string): Ask["images"][number] {
  const match = /^data:([^;]+);base64,(.*)$/s.exec(url);
  return match === null
    ? { mediaType: "url", bytes: 0 }
    : { mediaType: match[1] ?? "", bytes: Buffer.from(match[2] ?? "", "base64").length };
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return [];
  return tools
    .map((tool) => asRecord(asRecord(tool)["function"]))
    .map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["parameters"]) }));
}

function choiceOf(choice: unknown): Ask["toolChoice"] {
  if (choice === "none" || choice === "required" || choice === "auto") return choice;
  const name = asRecord(asRecord(choice)["function"])["name"];
  return typeof name === "string" ? { name } : "auto";
}

const FINISH = { stop: "stop", stop_sequence: "stop", length: "length", tools: "tool_calls", refusal: "content_filter" } as const;

function usageOf(answer: Answer, facts: WireFacts): Record<string, unknown> {
  const { usage } = answer;
  if (facts.commands.flags.has("usage_zero")) return { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
  if (facts.commands.flags.has("usage_absurd"))
    return { prompt_tokens: 10, completion_tokens: -5, total_tokens: 5, prompt_tokens_details: { cached_tokens: 999 } };
  const prompt = usage.input + usage.cacheRead;
  const output = usage.output * facts.choices;
  return {
    prompt_tokens: prompt,
    completion_tokens: output,
    total_tokens: prompt + output,
    prompt_tokens_details: { cached_tokens: usage.cacheRead, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: usage.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };
}

function unary(answer: Answer, facts: WireFacts): string {
  const message = {
    role: "assistant",
    content: answer.tools.length > 0 ? null : answer.text,
    refusal: null,
    ...(answer.reasoning === "" ? {} : { reasoning_content: answer.reasoning }),
    ...(answer.tools.length === 0
      ? {}
      : {
          tool_calls: answer.tools.map((tool) => ({
            id: `call_${tool.id}`,
            type: "function",
            function: { name: tool.name, arguments: tool.arguments },
          })),
        }),
  };
  const choices = Array.from({ length: facts.choices }, (_, index) => ({
    index,
    message,
    logprobs: null,
    finish_reason: FINISH[answer.finish],
  }));
  const usage = facts.commands.flags.has("nousage") ? {} : { usage: usageOf(answer, facts) };
  return JSON.stringify({
    id: `chatcmpl-${facts.id}`,
    object: "chat.completion",
    created: CREATED_SECONDS,
    model: facts.model,
    choices,
    ...usage,
    service_tier: "default",
    system_fingerprint: null,
  });
}

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add = (choices: unknown[], outputTokens: number, usage: unknown): void => {
    const body = {
      id: `chatcmpl-${facts.id}`,
      object: "chat.completion.chunk",
      created: CREATED_SECONDS,
      model: facts.model,
      service_tier: "default",
      system_fingerprint: null,
      choices,
    };
    const isReport = usage !== undefined && usage !== null;
    list.push({
      text: `data: ${JSON.stringify(usage === undefined ? body : { ...body, usage })}\n\n`,
      outputTokens,
      reportsUsage: isReport,
    });
  };
  const asks = facts.wantsUsage && !commands.flags.has("nousage");
  const placeholder = facts.wantsUsage ? null : undefined;
  for (let index = 0; index < facts.choices; index++) {
    const delta = (change: object, tokens: number): void =>
      add([{ index, delta: change, logprobs: null, finish_reason: null }], tokens, placeholder);
    delta({ role: "assistant", content: answer.tools.length > 0 ? null : "", refusal: null }, 0);
    for (const piece of piecesOf(answer.reasoning, null)) delta({ reasoning_content: piece }, Math.ceil(piece.length / 4));
    for (const piece of piecesOf(answer.text, commands.chunks)) delta({ content: piece }, Math.ceil(piece.length / 4));
    for (const [position, tool] of answer.tools.entries()) {
      delta(
        { tool_calls: [{ index: position, id: `call_${tool.id}`, type: "function", function: { name: tool.name, arguments: "" } }] },
        2,
      );
      for (const piece of piecesOf(tool.arguments, 3))
        delta({ tool_calls: [{ index: position, function: { arguments: piece } }] }, Math.ceil(piece.length / 4));
    }
    const finish = (): void => add([{ index, delta: {}, logprobs: null, finish_reason: FINISH[answer.finish] }], 0, placeholder);
    finish();
    if (commands.flags.has("finish_twice")) finish();
  }
  if (asks) add([], 0, usageOf(answer, facts));
  if (!commands.flags.has("nodone")) list.push({ text: "data: [DONE]\n\n", outputTokens: 0, reportsUsage: false });
  return list;
}

function error(status: number, message: string, type: string | null): string {
  const kind = type ?? (status === 429 ? "requests" : status >= 500 ? "server_error" : "invalid_request_error");
  const code = status === 429 ? "rate_limit_exceeded" : status === 401 ? "invalid_api_key" : status === 404 ? "model_not_found" : null;
  return JSON.stringify({ error: { message: message === "" ? plainMessage(status) : message, type: kind, param: null, code } }, null, 2);
}

export const openaiChat: WireFormat = {
  read,
  unary,
  events,
  error,
  streamError: `data: ${JSON.stringify({ error: { message: "The server had an error processing your request.", type: "server_error", param: null, code: null } })}\n\n`,
};
