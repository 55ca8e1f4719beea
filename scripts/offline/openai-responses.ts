/** OpenAI Responses as a provider writes it. Shapes after real recordings; every word is our own. */
import { asRecord, piecesOf, type Answer, type Ask, type Tool, type ToolUse } from "./answer.ts";
import { openaiChat } from "./openai-chat.ts";
import { type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const CREATED_SECONDS = 1_763_700_000;
/** What reasoning of this provider looks like when it is sealed; anything else is not its own. */
const SEAL = "gAAAAAoffline";

type Json = Record<string, unknown>;

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "invalid_request_error", message };
}

function read(body: Json): ReadAsk {
  const given = body["input"];
  const items = typeof given === "string" ? [{ role: "user", content: given }] : Array.isArray(given) ? given.map(asRecord) : [];
  if (items.length === 0) return refuse("Missing required parameter: 'input'.");
  const fault = faultOf(items);
  if (fault !== null) return refuse(fault);
  const last = items.at(-1) ?? {};
  const trailing = items.slice(items.findLastIndex((item) => item["type"] !== "function_call_output") + 1);
  const lastIsToolResult = last["type"] === "function_call_output";
  const control = asRecord(body["reasoning"]);
  const model = String(body["model"] ?? "");
  const cap = body["max_output_tokens"];
  const ask: Ask = {
    model,
    stream: body["stream"] === true,
    lastText: lastIsToolResult ? trailing.map((item) => textOf(item["output"])).join(" | ") : textOf(last["content"]),
    lastIsToolResult,
    promptText: `${String(body["instructions"] ?? "")}\n${items.map(promptOf).join("\n")}${JSON.stringify(body["tools"] ?? "")}`,
    images: items.flatMap((item) => [...imagesOf(item["content"]), ...imagesOf(item["output"])]),
    tools: toolsOf(body["tools"]),
    toolChoice: choiceOf(body["tool_choice"]),
    parallel: body["parallel_tool_calls"] !== false,
    maxTokens: typeof cap === "number" ? cap : null,
    stop: [],
    thinking: (control["effort"] !== undefined && control["effort"] !== "none") || /reason/.test(model),
    json: ["json_object", "json_schema"].includes(String(asRecord(asRecord(body["text"])["format"])["type"])),
    cacheTtl: null,
  };
  return { ok: true, ask };
}

/** What the real API refuses of a history; null when it is in order. */
function faultOf(items: readonly Json[]): string | null {
  const calls = new Set(items.filter((item) => item["type"] === "function_call").map((item) => item["call_id"]));
  for (const [index, item] of items.entries()) {
    const { type, id, call_id, encrypted_content: sealed } = item;
    if (type === "function_call_output" && !calls.has(call_id))
      return `No tool call found for function call output with call_id ${String(call_id)}.`;
    if (typeof id === "string" && !/^(msg|rs|fc|ig)_[0-9a-f]+$/.test(id)) return `Item with id '${id}' not found.`;
    if (type !== "reasoning") continue;
    if (typeof sealed === "string" && !sealed.startsWith(SEAL)) return "The encrypted content could not be verified.";
    if (sealed === undefined && id === undefined) return `Missing required parameter: 'input[${index}].id'.`;
    const next = items[index + 1];
    if (next === undefined || next["role"] === "user" || next["type"] === "function_call_output")
      return "An item of type 'reasoning' was provided without its required following item.";
  }
  return null;
}

function promptOf(item: Json): string {
  return textOf(item["content"]) + textOf(item["output"]) + String(item["arguments"] ?? "");
}

function textOf(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((part) => String(asRecord(part)["text"] ?? "")).join("");
}

function imagesOf(content: unknown): Ask["images"] {
  if (!Array.isArray(content)) return [];
  const addresses = content
    .map(asRecord)
    .filter((part) => part["type"] === "input_image")
    .map((part) => String(part["image_url"] ?? ""));
  return addresses.map((address) => {
    const [, mediaType = "url", data = ""] = /^data:([^;]+);base64,(.*)$/s.exec(address) ?? [];
    return { mediaType, bytes: Buffer.from(data, "base64").length };
  });
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return [];
  const functions = tools.map(asRecord).filter((tool) => tool["type"] === "function");
  return functions.map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["parameters"]) }));
}

function choiceOf(choice: unknown): Ask["toolChoice"] {
  if (choice === "none" || choice === "required" || choice === "auto") return choice;
  const { name } = asRecord(choice);
  return typeof name === "string" ? { name } : "auto";
}

function usageOf(answer: Answer, facts: WireFacts): Json {
  const { usage } = answer;
  if (facts.commands.flags.has("usage_zero")) return { input_tokens: 0, output_tokens: 0, total_tokens: 0 };
  if (facts.commands.flags.has("usage_absurd"))
    return { input_tokens: 10, output_tokens: -5, total_tokens: 5, input_tokens_details: { cached_tokens: 999 } };
  const input = usage.input + usage.cacheRead;
  return {
    input_tokens: input,
    input_tokens_details: { cached_tokens: usage.cacheRead },
    output_tokens: usage.output,
    output_tokens_details: { reasoning_tokens: usage.reasoning },
    total_tokens: input + usage.output,
  };
}

/** Reasoning is shown as a summary to who asks for one, and its sealed state given to who asks for that. */
function showsSummary({ request }: WireFacts): boolean {
  return typeof asRecord(request["reasoning"])["summary"] === "string";
}

function showsState({ request }: WireFacts): boolean {
  return [request["include"] ?? []].flat().includes("reasoning.encrypted_content");
}

function responseOf(answer: Answer, facts: WireFacts, status: string, output: readonly Json[]): Json {
  const isOver = status !== "in_progress";
  return {
    id: `resp_${facts.id}`,
    object: "response",
    created_at: CREATED_SECONDS,
    status,
    background: false,
    error: null,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    instructions: null,
    max_output_tokens: null,
    model: facts.model,
    output,
    parallel_tool_calls: true,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: true,
    temperature: 1,
    text: { format: { type: "text" } },
    tool_choice: "auto",
    tools: [],
    top_p: 1,
    truncation: "disabled",
    usage: isOver && !facts.commands.flags.has("nousage") ? usageOf(answer, facts) : null,
    user: null,
    metadata: {},
  };
}

function reasoningItem(answer: Answer, facts: WireFacts, isDone: boolean): Json {
  return {
    id: `rs_${facts.id}`,
    type: "reasoning",
    summary: showsSummary(facts) && isDone ? [{ type: "summary_text", text: answer.reasoning }] : [],
    // The sealed state of an item that is still being written differs from that of the finished one.
    ...(showsState(facts) ? { encrypted_content: `${SEAL}${isDone ? "Done" : "Open"}${facts.id}` } : {}),
  };
}

function callItem(tool: ToolUse, isDone: boolean): Json {
  return {
    id: `fc_${tool.id}`,
    type: "function_call",
    status: isDone ? "completed" : "in_progress",
    arguments: isDone ? tool.arguments : "",
    call_id: `call_${tool.id}`,
    name: tool.name,
  };
}

function messageItem(answer: Answer, facts: WireFacts, isDone: boolean): Json {
  const part = { type: "output_text", annotations: [], logprobs: [], text: answer.text };
  const status = !isDone ? "in_progress" : answer.finish === "length" ? "incomplete" : "completed";
  return { id: `msg_${facts.id}`, type: "message", status, content: isDone ? [part] : [], role: "assistant" };
}

function itemsOf(answer: Answer, facts: WireFacts): Json[] {
  return [
    ...(answer.reasoning === "" ? [] : [reasoningItem(answer, facts, true)]),
    ...answer.tools.map((tool) => callItem(tool, true)),
    ...(answer.tools.length > 0 ? [] : [messageItem(answer, facts, true)]),
  ];
}

function statusOf(answer: Answer): string {
  return answer.finish === "length" ? "incomplete" : "completed";
}

function unary(answer: Answer, facts: WireFacts): string {
  return JSON.stringify(responseOf(answer, facts, statusOf(answer), itemsOf(answer, facts)), null, 2);
}

type Add = (type: string, members: Json, outputTokens?: number) => void;

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add: Add = (type, members, outputTokens = 0) => {
    const data = { type, sequence_number: list.length, ...members };
    const usage = asRecord(members["response"])["usage"] ?? null;
    list.push({ text: `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`, outputTokens, reportsUsage: usage !== null });
  };
  const opened = responseOf(answer, facts, "in_progress", []);
  add("response.created", { response: opened });
  add("response.in_progress", { response: opened });
  let index = 0;
  if (answer.reasoning !== "") addReasoning(add, answer, facts, index++);
  for (const tool of answer.tools) addCall(add, tool, index++);
  if (answer.tools.length === 0) addMessage(add, answer, facts, index++);
  const finish = (): void => {
    const status = statusOf(answer);
    add(`response.${status}`, { response: responseOf(answer, facts, status, itemsOf(answer, facts)) });
  };
  if (!commands.flags.has("nodone")) finish();
  if (commands.flags.has("finish_twice")) finish();
  return list;
}

function addReasoning(add: Add, answer: Answer, facts: WireFacts, output_index: number): void {
  const place = { item_id: `rs_${facts.id}`, output_index, summary_index: 0 };
  add("response.output_item.added", { output_index, item: reasoningItem(answer, facts, false) });
  if (showsSummary(facts)) {
    const text = answer.reasoning;
    add("response.reasoning_summary_part.added", { ...place, part: { type: "summary_text", text: "" } });
    for (const delta of piecesOf(text, null))
      add("response.reasoning_summary_text.delta", { ...place, delta, obfuscation: "x" }, Math.ceil(delta.length / 4));
    add("response.reasoning_summary_text.done", { ...place, text });
    add("response.reasoning_summary_part.done", { ...place, part: { type: "summary_text", text } });
  }
  add("response.output_item.done", { output_index, item: reasoningItem(answer, facts, true) });
}

function addCall(add: Add, tool: ToolUse, output_index: number): void {
  const place = { item_id: `fc_${tool.id}`, output_index };
  add("response.output_item.added", { output_index, item: callItem(tool, false) }, 2);
  for (const delta of piecesOf(tool.arguments, 3))
    add("response.function_call_arguments.delta", { ...place, delta, obfuscation: "x" }, Math.ceil(delta.length / 4));
  add("response.function_call_arguments.done", { ...place, arguments: tool.arguments });
  add("response.output_item.done", { output_index, item: callItem(tool, true) });
}

function addMessage(add: Add, answer: Answer, facts: WireFacts, output_index: number): void {
  const place = { item_id: `msg_${facts.id}`, output_index, content_index: 0 };
  const { text } = answer;
  const part = { type: "output_text", annotations: [], logprobs: [], text: "" };
  add("response.output_item.added", { output_index, item: messageItem(answer, facts, false) });
  add("response.content_part.added", { ...place, part });
  for (const delta of piecesOf(text, facts.commands.chunks))
    add("response.output_text.delta", { ...place, delta, logprobs: [], obfuscation: "x" }, Math.ceil(delta.length / 4));
  add("response.output_text.done", { ...place, text, logprobs: [] });
  add("response.content_part.done", { ...place, part: { ...part, text } });
  add("response.output_item.done", { output_index, item: messageItem(answer, facts, true) });
}

export const openaiResponses: WireFormat = {
  read,
  unary,
  events,
  error: openaiChat.error,
  streamError: `event: error\ndata: ${JSON.stringify({ type: "error", sequence_number: 3, error: { type: "server_error", code: "server_error", message: "The server had an error processing your request.", param: null } })}\n\n`,
};
