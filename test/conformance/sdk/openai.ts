/** The `openai` package as a client of both its wires. */
import OpenAI from "openai";
import type { ResponseOutputItem } from "openai/resources/responses/responses";
import {
  bodyOf,
  choiceAt,
  createStub,
  emptyChoice,
  JSON_HEADERS,
  sameArguments,
  type Sdk,
  type SdkFailure,
  type SdkReading,
} from "./reading.ts";

const stub = createStub();
const client = new OpenAI({ apiKey: "k", baseURL: "http://conformance.test/v1", fetch: stub.fetch, maxRetries: 0 });
const chatRequest = { model: "m", messages: [{ role: "user" as const, content: "x" }] };
const responsesRequest = { model: "m", input: "x" };

function answerStream(bytes: Uint8Array): void {
  stub.answer(() => new Response(bodyOf(bytes), { headers: { "content-type": "text/event-stream" } }));
}

function answerWhole(body: string): void {
  stub.answer(() => new Response(body, { headers: JSON_HEADERS }));
}

async function failureOf(answer: Promise<unknown>): Promise<SdkFailure | null> {
  try {
    await answer;
    return null;
  } catch (thrown) {
    if (!(thrown instanceof OpenAI.APIError)) throw thrown;
    const { status, message, code, headers } = thrown;
    return { status, message, code: code ?? null, retryAfter: headers?.get("retry-after") ?? null };
  }
}

/** Reasoning has no member in the package's types; its clients read it all the same. */
function reasoningOf(message: object): string {
  const reasoning: unknown = Reflect.get(message, "reasoning_content");
  return typeof reasoning === "string" ? reasoning : "";
}

function readCompletion(completion: OpenAI.ChatCompletion, reading: SdkReading): void {
  for (const { index, message, finish_reason } of completion.choices) {
    const choice = choiceAt(reading.choices, index);
    choice.text = message.content ?? "";
    choice.refusal = message.refusal ?? "";
    choice.finish = finish_reason;
    for (const call of message.tool_calls ?? []) {
      if (call.type !== "function") throw new Error(`a call of the kind ${call.type}`);
      choice.calls.push({ id: call.id, name: call.function.name, args: sameArguments(call.function.arguments) });
    }
  }
  reading.prompt = completion.usage?.prompt_tokens ?? null;
  reading.output = completion.usage?.completion_tokens ?? null;
}

export const openaiChatSdk: Sdk = {
  words: { stop: "stop", length: "length", "tool-calls": "tool_calls", "content-filter": "content_filter", refusal: "stop" },
  async readStream(bytes) {
    answerStream(bytes);
    const stream = client.chat.completions.stream(chatRequest);
    const reading: SdkReading = { choices: [], prompt: null, output: null };
    for await (const chunk of stream) {
      for (const { index, delta } of chunk.choices) choiceAt(reading.choices, index).reasoning += reasoningOf(delta);
    }
    readCompletion(await stream.finalChatCompletion(), reading);
    return reading;
  },
  async readWhole(body) {
    answerWhole(body);
    const completion = await client.chat.completions.create(chatRequest);
    const reading: SdkReading = { choices: [], prompt: null, output: null };
    readCompletion(completion, reading);
    for (const { index, message } of completion.choices) choiceAt(reading.choices, index).reasoning = reasoningOf(message);
    return reading;
  },
  readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    return failureOf(client.chat.completions.create(chatRequest));
  },
};

function readItem(item: ResponseOutputItem, choice: ReturnType<typeof emptyChoice>): void {
  if (item.type === "message") {
    for (const part of item.content) {
      if (part.type === "output_text") choice.text += part.text;
      else choice.refusal += part.refusal;
    }
  } else if (item.type === "function_call") {
    choice.calls.push({ id: item.call_id, name: item.name, args: sameArguments(item.arguments) });
  } else if (item.type === "reasoning") {
    choice.reasoning += [...(item.content ?? []), ...item.summary].map(({ text }) => text).join("");
  }
}

function readResponse(response: OpenAI.Responses.Response): SdkReading {
  const choice = emptyChoice();
  for (const item of response.output) readItem(item, choice);
  const reason = response.incomplete_details?.reason;
  choice.finish = reason === undefined ? (response.status ?? null) : `${response.status}:${reason}`;
  return { choices: [choice], prompt: response.usage?.input_tokens ?? null, output: response.usage?.output_tokens ?? null };
}

export const openaiResponsesSdk: Sdk = {
  words: {
    stop: "completed",
    "tool-calls": "completed",
    refusal: "completed",
    length: "incomplete:max_output_tokens",
    "content-filter": "incomplete:content_filter",
  },
  async readStream(bytes) {
    answerStream(bytes);
    const stream = client.responses.stream(responsesRequest);
    let sequence = -1;
    for await (const event of stream) {
      if (typeof event.sequence_number !== "number" || event.sequence_number <= sequence)
        throw new Error(`sequence ${sequence} is followed by ${event.sequence_number}`);
      sequence = event.sequence_number;
    }
    const response = await stream.finalResponse();
    if (response.status === "in_progress") throw new Error("the stream ended without a terminal event");
    return readResponse(response);
  },
  async readWhole(body) {
    answerWhole(body);
    return readResponse(await client.responses.create(responsesRequest));
  },
  readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    return failureOf(client.responses.create(responsesRequest));
  },
};
