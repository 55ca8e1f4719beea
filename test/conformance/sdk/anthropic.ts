/** The `@anthropic-ai/sdk` package as a client of its wire. */
import Anthropic from "@anthropic-ai/sdk";
import { bodyOf, createStub, emptyChoice, JSON_HEADERS, sameArguments, type Sdk, type SdkReading } from "./reading.ts";

const stub = createStub();
const client = new Anthropic({ apiKey: "k", baseURL: "http://conformance.test", fetch: stub.fetch, maxRetries: 0 });
const request = { model: "m", max_tokens: 9, messages: [{ role: "user" as const, content: "x" }] };

function readMessage(message: Anthropic.Message): SdkReading {
  const choice = emptyChoice();
  for (const block of message.content) {
    if (block.type === "text") choice.text += block.text;
    else if (block.type === "thinking") choice.reasoning += block.thinking;
    else if (block.type === "tool_use")
      choice.calls.push({ id: block.id, name: block.name, args: sameArguments(JSON.stringify(block.input)) });
  }
  choice.finish = message.stop_reason;
  const { usage } = message;
  // A count that no provider reported is null here, though the package's types know only numbers.
  const input: number | null = usage.input_tokens;
  const prompt = input === null ? null : input + (usage.cache_read_input_tokens ?? 0) + (usage.cache_creation_input_tokens ?? 0);
  return { choices: [choice], prompt, output: usage.output_tokens };
}

export const anthropicSdk: Sdk = {
  words: {
    stop: "end_turn",
    "stop-sequence": "stop_sequence",
    length: "max_tokens",
    "context-full": "model_context_window_exceeded",
    "tool-calls": "tool_use",
    refusal: "refusal",
    pause: "pause_turn",
  },
  async readStream(bytes) {
    stub.answer(() => new Response(bodyOf(bytes), { headers: { "content-type": "text/event-stream" } }));
    const stream = client.messages.stream(request);
    // The package shows arguments that were cut off as the object they would have become; their text is in the events.
    const inputs = new Map<number, string>();
    for await (const event of stream) {
      if (event.type === "content_block_delta" && event.delta.type === "input_json_delta")
        inputs.set(event.index, (inputs.get(event.index) ?? "") + event.delta.partial_json);
    }
    const message = await stream.finalMessage();
    const reading = readMessage(message);
    const calls = [...message.content.entries()].filter(([, block]) => block.type === "tool_use");
    for (const [position, [index]] of calls.entries()) {
      const call = reading.choices[0]?.calls[position];
      if (call !== undefined) call.args = sameArguments(inputs.get(index) ?? "");
    }
    return reading;
  },
  async readWhole(body) {
    stub.answer(() => new Response(body, { headers: JSON_HEADERS }));
    return readMessage(await client.messages.create(request));
  },
  async readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    try {
      await client.messages.create(request);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof Anthropic.APIError)) throw thrown;
      const { status: shown, message, type } = thrown;
      return { status: shown, message, code: type ?? null, retryAfter: thrown.headers?.get("retry-after") ?? null };
    }
  },
};
