/** The `ollama` package as a client of its two endpoints. */
import { Ollama, type ToolCall } from "ollama";
import {
  bodyOf,
  createStub,
  emptyChoice,
  JSON_HEADERS,
  sameArguments,
  type Sdk,
  type SdkChoice,
  type SdkFailure,
  type SdkReading,
} from "./reading.ts";

const stub = createStub();
const client = new Ollama({ host: "http://conformance.test", fetch: stub.fetch });
const chatRequest = { model: "m", messages: [{ role: "user", content: "x" }] };
const generateRequest = { model: "m", prompt: "x" };

const words = { stop: "stop", "tool-calls": "stop", length: "length", refusal: "refusal", "content-filter": "content_filter" };

interface Line {
  done: boolean;
  done_reason: string;
  prompt_eval_count: number;
  eval_count: number;
}

interface Said {
  text: string;
  thinking: string | undefined;
  calls: ToolCall[] | undefined;
}

function add(choice: SdkChoice, { text, thinking, calls }: Said): void {
  choice.text += text;
  choice.reasoning += thinking ?? "";
  for (const call of calls ?? []) {
    // The package's types have no id yet; the wire does.
    const id: unknown = Reflect.get(call, "id");
    choice.calls.push({
      id: typeof id === "string" ? id : "",
      name: call.function.name,
      args: sameArguments(JSON.stringify(call.function.arguments)),
    });
  }
}

async function readLines<T extends Line>(lines: AsyncIterable<T>, saidIn: (line: T) => Said): Promise<SdkReading> {
  const choice = emptyChoice();
  const reading: SdkReading = { choices: [choice], prompt: null, output: null };
  let isDone = false;
  for await (const line of lines) {
    if (isDone) throw new Error("a line follows the last one");
    add(choice, saidIn(line));
    if (!line.done) continue;
    isDone = true;
    choice.finish = line.done_reason;
    reading.prompt = line.prompt_eval_count ?? null;
    reading.output = line.eval_count ?? null;
  }
  if (!isDone) throw new Error("the stream ended without its last line");
  return reading;
}

async function* one<T>(line: T): AsyncGenerator<T> {
  yield line;
}

async function failureOf(answer: Promise<unknown>): Promise<SdkFailure | null> {
  try {
    await answer;
    return null;
  } catch (thrown) {
    if (!(thrown instanceof Error)) throw thrown;
    const status: unknown = Reflect.get(thrown, "status_code");
    return { status: typeof status === "number" ? status : undefined, message: thrown.message, code: null, retryAfter: null };
  }
}

function answerStream(bytes: Uint8Array): void {
  stub.answer(() => new Response(bodyOf(bytes), { headers: { "content-type": "application/x-ndjson" } }));
}

function answerWhole(body: string): void {
  stub.answer(() => new Response(body, { headers: JSON_HEADERS }));
}

const chatSaid = ({ message }: { message: { content: string; thinking?: string; tool_calls?: ToolCall[] } }): Said => ({
  text: message.content,
  thinking: message.thinking,
  calls: message.tool_calls,
});

/** This endpoint's types have no calls, since it offers no tools; the gateway's translation shows them all the same. */
const generateSaid = (line: { response?: string | undefined; thinking?: string | undefined }): Said => {
  const calls: unknown = Reflect.get(line, "tool_calls");
  return { text: line.response ?? "", thinking: line.thinking, calls: Array.isArray(calls) ? calls : undefined };
};

export const ollamaChatSdk: Sdk = {
  words,
  async readStream(bytes) {
    answerStream(bytes);
    return readLines(await client.chat({ ...chatRequest, stream: true }), chatSaid);
  },
  async readWhole(body) {
    answerWhole(body);
    return readLines(one(await client.chat({ ...chatRequest, stream: false })), chatSaid);
  },
  readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    return failureOf(client.chat({ ...chatRequest, stream: false }));
  },
};

export const ollamaGenerateSdk: Sdk = {
  words,
  async readStream(bytes) {
    answerStream(bytes);
    return readLines(await client.generate({ ...generateRequest, stream: true }), generateSaid);
  },
  async readWhole(body) {
    answerWhole(body);
    return readLines(one(await client.generate({ ...generateRequest, stream: false })), generateSaid);
  },
  readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    return failureOf(client.generate({ ...generateRequest, stream: false }));
  },
};
