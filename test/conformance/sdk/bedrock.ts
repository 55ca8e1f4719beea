/** The `@aws-sdk/client-bedrock-runtime` package as a client of its wire: its own parser of binary frames, its own error classes. */
import { Readable } from "node:stream";
import {
  BedrockRuntimeClient,
  BedrockRuntimeServiceException,
  ConverseCommand,
  ConverseStreamCommand,
  type ConverseStreamOutput,
  type TokenUsage,
} from "@aws-sdk/client-bedrock-runtime";
import { emptyChoice, JSON_HEADERS, sameArguments, type Sdk, type SdkChoice, type SdkReading } from "./reading.ts";

interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: Uint8Array | string;
}

let next: Answer = { statusCode: 500, headers: {}, body: "" };

const client = new BedrockRuntimeClient({
  endpoint: "http://conformance.test",
  region: "us-east-1",
  maxAttempts: 1,
  token: { token: "k" },
  authSchemePreference: ["httpBearerAuth"],
  requestHandler: {
    handle: () => Promise.resolve({ response: { ...next, body: Readable.from([Buffer.from(next.body)]) } }),
    updateHttpClientConfig() {},
    httpHandlerConfigs: () => ({}),
  },
});
const request = { modelId: "m", messages: [{ role: "user" as const, content: [{ text: "x" }] }] };

function usageOf(usage: TokenUsage | undefined): Pick<SdkReading, "prompt" | "output"> {
  const { inputTokens, outputTokens, cacheReadInputTokens, cacheWriteInputTokens } = usage ?? {};
  const prompt = inputTokens === undefined ? null : inputTokens + (cacheReadInputTokens ?? 0) + (cacheWriteInputTokens ?? 0);
  return { prompt, output: outputTokens ?? null };
}

/** The package reads large numbers as `bigint`. */
function textOf(input: unknown): string {
  return JSON.stringify(input, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
}

function readEvent(event: ConverseStreamOutput, choice: SdkChoice): void {
  const tool = event.contentBlockStart?.start?.toolUse;
  if (tool !== undefined) choice.calls.push({ id: tool.toolUseId ?? "", name: tool.name ?? "", args: "" });
  const delta = event.contentBlockDelta?.delta;
  choice.text += delta?.text ?? "";
  choice.reasoning += delta?.reasoningContent?.text ?? "";
  const call = choice.calls.at(-1);
  if (delta?.toolUse !== undefined && call !== undefined) call.args += delta.toolUse.input ?? "";
  choice.finish = event.messageStop?.stopReason ?? choice.finish;
}

export const bedrockSdk: Sdk = {
  words: {
    stop: "end_turn",
    "stop-sequence": "stop_sequence",
    length: "max_tokens",
    "context-full": "model_context_window_exceeded",
    "tool-calls": "tool_use",
    "content-filter": "content_filtered",
    malformed: "malformed_model_output",
  },
  async readStream(bytes) {
    next = { statusCode: 200, headers: { "content-type": "application/vnd.amazon.eventstream" }, body: bytes };
    const { stream } = await client.send(new ConverseStreamCommand(request));
    const choice = emptyChoice();
    let usage: TokenUsage | undefined;
    for await (const event of stream ?? []) {
      readEvent(event, choice);
      usage = event.metadata?.usage ?? usage;
    }
    if (choice.finish === null) throw new Error("the stream ended without a stop");
    for (const call of choice.calls) call.args = sameArguments(call.args);
    return { choices: [choice], ...usageOf(usage) };
  },
  async readWhole(body) {
    next = { statusCode: 200, headers: JSON_HEADERS, body };
    const answer = await client.send(new ConverseCommand(request));
    const choice = emptyChoice();
    for (const block of answer.output?.message?.content ?? []) {
      choice.text += block.text ?? "";
      choice.reasoning += block.reasoningContent?.reasoningText?.text ?? "";
      const { toolUse } = block;
      if (toolUse !== undefined)
        choice.calls.push({ id: toolUse.toolUseId ?? "", name: toolUse.name ?? "", args: sameArguments(textOf(toolUse.input)) });
    }
    choice.finish = answer.stopReason ?? null;
    return { choices: [choice], ...usageOf(answer.usage) };
  },
  async readError(statusCode, headers, body) {
    next = { statusCode, headers, body };
    try {
      await client.send(new ConverseCommand(request));
      return null;
    } catch (thrown) {
      if (!(thrown instanceof BedrockRuntimeServiceException)) throw thrown;
      const retryAfter = thrown.$response?.headers["retry-after"] ?? null;
      return { status: thrown.$metadata.httpStatusCode, message: thrown.message, code: thrown.name, retryAfter };
    }
  },
};
