/** Amazon Bedrock as it writes its two formats: Converse, and InvokeModel with Messages bodies. Shapes after real recordings; every word is our own. */
import { anthropicMessages } from "./anthropic-messages.ts";
import { asRecord, idOf, piecesOf, type Answer, type Ask, type Tool } from "./answer.ts";
import { frameOf } from "./event-frames.ts";
import { type Addressed, plainMessage, type ReadAsk, type WireEvent, type WireFacts, type WireFormat } from "./wire.ts";

const STREAM_TYPE = "application/vnd.amazon.eventstream";

function addressed(url: URL): Addressed {
  const match = /\/model\/([^/]+)\/([\w-]+)$/.exec(url.pathname);
  return { model: decodeURIComponent(match?.[1] ?? ""), stream: match?.[2]?.includes("stream") === true };
}

function refuse(message: string): ReadAsk {
  return { ok: false, status: 400, type: "ValidationException", message };
}

function listOf(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(asRecord) : [];
}

function textOf(blocks: Record<string, unknown>[]): string {
  return blocks.map((block) => String(block["text"] ?? "")).join("");
}

/** What the real one refuses of a conversation; null when nothing. */
function faultOf(messages: Record<string, unknown>[], hasTools: boolean): string | null {
  const called = new Set<unknown>();
  for (const [index, message] of messages.entries()) {
    const content = listOf(message["content"]);
    if (message["role"] === messages[index - 1]?.["role"])
      return "A conversation must alternate between user and assistant roles. Make sure the conversation alternates and try again.";
    for (const [place, block] of content.entries()) {
      if (typeof block["text"] === "string" && block["text"].trim() === "")
        return `The text field in the ContentBlock object at messages.${index}.content.${place} is blank. Add text to the text field, and try again.`;
      const use = asRecord(block["toolUse"])["toolUseId"];
      const result = asRecord(block["toolResult"])["toolUseId"];
      if (!hasTools && (use ?? result) !== undefined)
        return "The toolConfig field must be defined when using toolUse and toolResult content blocks.";
      if (use !== undefined) called.add(use);
      if (result !== undefined && !called.has(result))
        return `The toolResult block at messages.${index}.content.${place} contains a toolUseId that has no matching toolUse in the previous turn.`;
    }
  }
  return null;
}

function read(body: Record<string, unknown>, { model, stream }: Addressed): ReadAsk {
  const messages = listOf(body["messages"]);
  const toolConfig = asRecord(body["toolConfig"]);
  if (messages[0]?.["role"] !== "user") return refuse("A conversation must start with a user message.");
  const fault = faultOf(messages, listOf(toolConfig["tools"]).length > 0);
  if (fault !== null) return refuse(fault);
  const inference = asRecord(body["inferenceConfig"]);
  const { temperature, maxTokens } = inference;
  if (typeof temperature === "number" && (temperature < 0 || temperature > 1))
    return refuse(
      `Value '${temperature}' at 'inferenceConfig.temperature' failed to satisfy constraint: Member must have value less than or equal to 1`,
    );
  const blocks = messages.flatMap((message) => listOf(message["content"]));
  const last = listOf(messages.at(-1)?.["content"]);
  const results = last.filter((block) => block["toolResult"] !== undefined).map((block) => asRecord(block["toolResult"]));
  const extra = asRecord(body["additionalModelRequestFields"]);
  const thinking = [extra["thinking"], extra["reasoning_config"], extra["reasoningConfig"]].map((control) => asRecord(control)["type"]);
  const text = JSON.stringify(body);
  const ask: Ask = {
    model,
    stream,
    lastText: results.length > 0 ? results.map((result) => textOf(listOf(result["content"]))).join(" | ") : textOf(last),
    lastIsToolResult: results.length > 0,
    promptText:
      textOf(listOf(body["system"])) +
      messages.map((message) => JSON.stringify(message["content"]).replaceAll(/"bytes":"[^"]*"/g, "")).join("\n") +
      JSON.stringify(toolConfig["tools"] ?? ""),
    images: blocks.filter((block) => block["image"] !== undefined).map(imageOf),
    tools: toolsOf(toolConfig["tools"]),
    toolChoice: choiceOf(asRecord(toolConfig["toolChoice"]), asRecord(extra["tool_choice"])),
    parallel: asRecord(extra["tool_choice"])["disable_parallel_tool_use"] !== true,
    maxTokens: typeof maxTokens === "number" ? maxTokens : null,
    stop: [inference["stopSequences"] ?? []].flat().map(String),
    thinking: thinking.includes("enabled") || thinking.includes("adaptive"),
    json: asRecord(asRecord(body["outputConfig"])["textFormat"])["type"] === "json_schema",
    cacheTtl: text.includes('"cachePoint"') ? (text.includes('"ttl":"1h"') ? "1h" : "5m") : null,
  };
  return { ok: true, ask };
}

function imageOf(block: Record<string, unknown>): Ask["images"][number] {
  const image = asRecord(block["image"]);
  return { mediaType: `image/${String(image["format"])}`, bytes: Buffer.from(String(asRecord(image["source"])["bytes"]), "base64").length };
}

function toolsOf(tools: unknown): Tool[] {
  return listOf(tools)
    .filter((tool) => tool["toolSpec"] !== undefined)
    .map((tool) => asRecord(tool["toolSpec"]))
    .map((spec) => ({ name: String(spec["name"]), schema: asRecord(asRecord(spec["inputSchema"])["json"]) }));
}

function choiceOf(choice: Record<string, unknown>, own: Record<string, unknown>): Ask["toolChoice"] {
  if (choice["tool"] !== undefined) return { name: String(asRecord(choice["tool"])["name"]) };
  if (own["type"] === "tool") return { name: String(own["name"]) };
  return choice["any"] !== undefined || own["type"] === "any" ? "required" : "auto";
}

const STOP = {
  stop: "end_turn",
  stop_sequence: "stop_sequence",
  length: "max_tokens",
  tools: "tool_use",
  refusal: "guardrail_intervened",
} as const;

function usageOf(answer: Answer, facts: WireFacts): object {
  const { usage } = answer;
  const { flags } = facts.commands;
  if (flags.has("nousage")) return {};
  if (flags.has("usage_zero")) return { usage: { inputTokens: 0, outputTokens: 0, totalTokens: 0 } };
  if (flags.has("usage_absurd")) return { usage: { inputTokens: -3, outputTokens: 1.5, totalTokens: 5 } };
  const written = usage.cacheWrite5m + usage.cacheWrite1h;
  const details = [
    { ttl: "1h", inputTokens: usage.cacheWrite1h },
    { ttl: "5m", inputTokens: usage.cacheWrite5m },
  ].filter(({ inputTokens }) => inputTokens > 0);
  return {
    usage: {
      inputTokens: usage.input,
      outputTokens: usage.output,
      totalTokens: usage.input + usage.cacheRead + written + usage.output,
      cacheReadInputTokens: usage.cacheRead,
      cacheWriteInputTokens: written,
      ...(details.length === 0 ? {} : { cacheDetails: details }),
      serverToolUsage: {},
    },
  };
}

function signatureOf(answer: Answer): string {
  return Buffer.from(idOf(answer.reasoning)).toString("base64");
}

function unary(answer: Answer, facts: WireFacts): string {
  const reasoning = { reasoningContent: { reasoningText: { text: answer.reasoning, signature: signatureOf(answer) } } };
  const content = [
    ...(answer.reasoning === "" ? [] : [reasoning]),
    ...(answer.text === "" ? [] : [{ text: answer.text }]),
    ...answer.tools.map((tool) => ({
      toolUse: { toolUseId: `tooluse_${tool.id}`, name: tool.name, input: JSON.parse(tool.arguments) as unknown },
    })),
  ];
  return JSON.stringify({
    metrics: { latencyMs: 100 },
    output: { message: { content, role: "assistant" } },
    stopReason: STOP[answer.finish],
    ...usageOf(answer, facts),
  });
}

/** Padding hides the length of what is said, as the real one does it. */
function padded(body: object, place: number): string {
  return JSON.stringify({ ...body, p: "abcdefghijklmnopqrstuvwxyzABCDEFGH".slice(0, (place * 7) % 34) });
}

function events(answer: Answer, facts: WireFacts): WireEvent[] {
  const { commands } = facts;
  const list: WireEvent[] = [];
  const add = (type: string, body: object, outputTokens = 0, reportsUsage = false): void => {
    list.push({ text: frameOf(type, padded(body, list.length)), outputTokens, reportsUsage });
  };
  let contentBlockIndex = 0;
  const block = (start: object | null, deltas: { delta: object; said: string }[]): void => {
    if (start !== null) add("contentBlockStart", { contentBlockIndex, start });
    for (const { delta, said } of deltas) add("contentBlockDelta", { contentBlockIndex, delta }, Math.ceil(said.length / 4));
    add("contentBlockStop", { contentBlockIndex });
    contentBlockIndex += 1;
  };
  add("messageStart", { role: "assistant" });
  if (answer.reasoning !== "")
    block(null, [
      ...piecesOf(answer.reasoning, null).map((text) => ({ delta: { reasoningContent: { text } }, said: text })),
      { delta: { reasoningContent: { signature: signatureOf(answer) } }, said: "" },
    ]);
  if (answer.text !== "")
    block(
      null,
      piecesOf(answer.text, commands.chunks).map((text) => ({ delta: { text }, said: text })),
    );
  for (const tool of answer.tools)
    block(
      { toolUse: { toolUseId: `tooluse_${tool.id}`, name: tool.name } },
      ["", ...(tool.arguments === "{}" ? [] : piecesOf(tool.arguments, 3))].map((input) => ({
        delta: { toolUse: { input } },
        said: input,
      })),
    );
  add("messageStop", { stopReason: STOP[answer.finish] });
  if (!commands.flags.has("nodone"))
    add("metadata", { metrics: { latencyMs: 100 }, ...usageOf(answer, facts) }, 0, !commands.flags.has("nousage"));
  return list;
}

const KINDS: Record<number, string> = {
  400: "ValidationException",
  401: "UnrecognizedClientException",
  403: "AccessDeniedException",
  404: "ResourceNotFoundException",
  413: "ValidationException",
  429: "ThrottlingException",
  503: "ServiceUnavailableException",
};

const failures = {
  error: (status: number, message: string): string => JSON.stringify({ message: message === "" ? plainMessage(status) : message }),
  errorHeaders: (status: number): Record<string, string> => ({
    "x-amzn-errortype": `${KINDS[status] ?? "InternalServerException"}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
  }),
  streamError: frameOf("serviceUnavailableException", JSON.stringify({ message: "Bedrock is unable to process your request." })),
};

export const bedrockConverse: WireFormat = { streamType: STREAM_TYPE, addressed, read, unary, events, ...failures };

/** The other format's event without its line, inside a frame. */
function wrapped(event: WireEvent): WireEvent {
  const json = /^data: (.*)$/m.exec(event.text.toString())?.[1] ?? "{}";
  return { ...event, text: frameOf("chunk", JSON.stringify({ bytes: Buffer.from(json).toString("base64"), p: "abcdef" })) };
}

export const bedrockInvoke: WireFormat = {
  streamType: STREAM_TYPE,
  addressed,
  read(body, address) {
    if (body["anthropic_version"] !== "bedrock-2023-05-31") return refuse("anthropic_version: Field required");
    const extra = ["model", "stream"].find((field) => field in body);
    if (extra !== undefined) return refuse(`${extra}: Extra inputs are not permitted`);
    return anthropicMessages.read({ ...body, ...address }, address);
  },
  unary: anthropicMessages.unary,
  // Keep-alives are no part of this format.
  events: (answer, facts) =>
    anthropicMessages
      .events(answer, facts)
      .filter((event) => !event.text.toString().startsWith("event: ping"))
      .map(wrapped),
  ...failures,
};
