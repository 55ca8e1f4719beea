/** Ollama's `/api/chat` and `/api/generate` as a server of version 0.12.10 writes them. Shapes after real recordings; every word is our own. */
import { asRecord, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { plainMessage, type Addressed, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const CREATED_AT = "2025-11-21T02:40:00.123456Z";
const NANOSECONDS_PER_TOKEN = 12_000_000;

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "", message };
}

/** A stream unless the caller says otherwise. */
function addressed(_url: URL, body: Record<string, unknown>): Addressed {
  return { model: String(body["model"] ?? ""), stream: body["stream"] !== false };
}

/** What both endpoints take, around what was said. */
function askOf(body: Record<string, unknown>, said: Pick<Ask, "lastText" | "lastIsToolResult" | "promptText" | "images" | "tools">): Ask {
  const options = asRecord(body["options"]);
  const cap = options["num_predict"];
  const think = body["think"];
  return {
    ...addressed(new URL("http://offline"), body),
    ...said,
    toolChoice: "auto",
    parallel: true,
    maxTokens: typeof cap === "number" && cap > 0 ? cap : null,
    stop: [options["stop"] ?? []].flat().map(String),
    thinking: think === true || (typeof think === "string" && think !== ""),
    json: body["format"] === "json" || typeof body["format"] === "object",
    cacheTtl: null,
  };
}

function readChat(body: Record<string, unknown>): ReadAsk {
  const messages = body["messages"];
  if (!Array.isArray(messages)) return refuse("messages must be an array");
  const turns = messages.map(asRecord);
  if (turns.some((turn) => typeof turn["content"] !== "string"))
    return refuse("json: cannot unmarshal array into Go struct field ChatRequest.messages.content of type string");
  const images = turns.flatMap((turn) => imagesOf(turn["images"]));
  if (images.includes(null)) return refuse("illegal base64 data at input byte 4");
  const last = turns.at(-1) ?? {};
  const trailing = turns.slice(turns.findLastIndex((turn) => turn["role"] !== "tool") + 1);
  const lastIsToolResult = last["role"] === "tool";
  return {
    ok: true,
    ask: askOf(body, {
      lastText: lastIsToolResult ? trailing.map((turn) => String(turn["content"])).join(" | ") : String(last["content"] ?? ""),
      lastIsToolResult,
      promptText:
        turns.map((turn) => String(turn["content"]) + JSON.stringify(turn["tool_calls"] ?? "")).join("\n") +
        JSON.stringify(body["tools"] ?? ""),
      images: images.filter((image) => image !== null),
      tools: toolsOf(body["tools"]),
    }),
  };
}

function readGenerate(body: Record<string, unknown>): ReadAsk {
  const images = imagesOf(body["images"]);
  if (images.includes(null)) return refuse("illegal base64 data at input byte 4");
  const prompt = String(body["prompt"] ?? "");
  return {
    ok: true,
    ask: askOf(body, {
      lastText: prompt,
      lastIsToolResult: false,
      promptText: `${String(body["system"] ?? "")}\n${prompt}`,
      images: images.filter((image) => image !== null),
      tools: [],
    }),
  };
}

/** Pictures as their bytes; null for text that is no base64. */
function imagesOf(images: unknown): (Ask["images"][number] | null)[] {
  if (!Array.isArray(images)) return [];
  return images.map((image) => {
    const text = String(image);
    if (!/^[A-Za-z0-9+/]*=*$/.test(text)) return null;
    return { mediaType: text.startsWith("iVBOR") ? "image/png" : "image/jpeg", bytes: Buffer.from(text, "base64").length };
  });
}

function toolsOf(tools: unknown): Tool[] {
  if (!Array.isArray(tools)) return [];
  return tools
    .map((tool) => asRecord(asRecord(tool)["function"]))
    .map((tool) => ({ name: String(tool["name"]), schema: asRecord(tool["parameters"]) }));
}

function callsOf(answer: Answer): object[] {
  return answer.tools.map((tool, index) => ({
    id: `call_${tool.id.slice(0, 8)}`,
    function: { index, name: tool.name, arguments: JSON.parse(tool.arguments) as unknown },
  }));
}

function countsOf(answer: Answer, { commands }: WireFacts): object {
  const { usage, finish } = answer;
  const reason = { done: true, done_reason: finish === "length" ? "length" : "stop" };
  if (commands.flags.has("nousage")) return reason;
  const input = commands.flags.has("usage_zero") ? 0 : commands.flags.has("usage_absurd") ? -3 : usage.input + usage.cacheRead;
  const output = commands.flags.has("usage_zero") ? 0 : commands.flags.has("usage_absurd") ? 1.5 : usage.output;
  const duration = Math.ceil(usage.output) * NANOSECONDS_PER_TOKEN;
  return {
    ...reason,
    total_duration: duration + 60_000_000,
    load_duration: 30_000_000,
    prompt_eval_count: input,
    prompt_eval_duration: 20_000_000,
    eval_count: output,
    eval_duration: duration,
  };
}

/** Puts what is said where the endpoint has it. */
type Line = (said: { text: string; thinking?: string; tool_calls?: object[] }) => object;

const chatLine: Line = ({ text, ...said }) => ({ message: { role: "assistant", content: text, ...said } });
const generateLine: Line = ({ text, ...said }) => ({ response: text, ...said });

function unary(answer: Answer, facts: WireFacts, line: Line): string {
  const said = {
    text: answer.text,
    ...(answer.reasoning === "" ? {} : { thinking: answer.reasoning }),
    ...(answer.tools.length === 0 ? {} : { tool_calls: callsOf(answer) }),
  };
  return JSON.stringify({ model: facts.model, created_at: CREATED_AT, ...line(said), ...countsOf(answer, facts) });
}

function events(answer: Answer, facts: WireFacts, line: Line): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add = (said: Parameters<Line>[0], rest: object, outputTokens: number): void => {
    const text = `${JSON.stringify({ model: facts.model, created_at: CREATED_AT, ...line(said), ...rest })}\n`;
    list.push({ text, outputTokens, reportsUsage: "eval_count" in rest });
  };
  const open = { done: false };
  for (const piece of piecesOf(answer.reasoning, null)) add({ text: "", thinking: piece }, open, Math.ceil(piece.length / 4));
  for (const piece of piecesOf(answer.text, commands.chunks)) add({ text: piece }, open, Math.ceil(piece.length / 4));
  for (const call of callsOf(answer)) add({ text: "", tool_calls: [call] }, open, Math.ceil(JSON.stringify(call).length / 4));
  if (!commands.flags.has("nodone")) add({ text: "" }, countsOf(answer, facts), 0);
  return list;
}

function error(status: number, message: string): string {
  return JSON.stringify({ error: message === "" ? plainMessage(status) : message });
}

function format(read: WireFormat["read"], line: Line): WireFormat {
  return {
    streamType: "application/x-ndjson",
    addressed,
    open: true,
    read,
    unary: (answer, facts) => unary(answer, facts, line),
    events: (answer, facts) => events(answer, facts, line),
    error,
    streamError: '{"error":"an error was met while the model ran"}\n',
  };
}

export const ollamaChat = format(readChat, chatLine);
export const ollamaGenerate = format(readGenerate, generateLine);
