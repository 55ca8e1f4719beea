/** The `@google/genai` package as a client of its wire. */
import { ApiError, type GenerateContentResponse, GoogleGenAI } from "@google/genai";
import { bodyOf, choiceAt, createStub, JSON_HEADERS, sameArguments, type Sdk, type SdkReading } from "./reading.ts";

const stub = createStub();
const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: "http://conformance.test", fetch: stub.fetch } });
const request = { model: "m", contents: "x" };

function readChunk(chunk: GenerateContentResponse, reading: SdkReading): void {
  for (const [position, candidate] of (chunk.candidates ?? []).entries()) {
    const choice = choiceAt(reading.choices, candidate.index ?? position);
    for (const part of candidate.content?.parts ?? []) {
      if (part.thought === true) choice.reasoning += part.text ?? "";
      else choice.text += part.text ?? "";
      const call = part.functionCall;
      if (call !== undefined)
        choice.calls.push({ id: call.id ?? "", name: call.name ?? "", args: sameArguments(JSON.stringify(call.args)) });
    }
    choice.finish = candidate.finishReason ?? choice.finish;
  }
  const usage = chunk.usageMetadata;
  reading.prompt = usage?.promptTokenCount ?? reading.prompt;
  if (usage?.candidatesTokenCount !== undefined) reading.output = usage.candidatesTokenCount + (usage.thoughtsTokenCount ?? 0);
}

export const geminiSdk: Sdk = {
  words: {
    stop: "STOP",
    "tool-calls": "STOP",
    length: "MAX_TOKENS",
    "content-filter": "SAFETY",
    malformed: "MALFORMED_FUNCTION_CALL",
  },
  async readStream(bytes) {
    stub.answer(() => new Response(bodyOf(bytes), { headers: { "content-type": "text/event-stream" } }));
    const reading: SdkReading = { choices: [], prompt: null, output: null };
    for await (const chunk of await client.models.generateContentStream(request)) readChunk(chunk, reading);
    if (reading.choices.every((choice) => choice.finish === null)) throw new Error("the stream ended without a finish reason");
    return reading;
  },
  async readWhole(body) {
    stub.answer(() => new Response(body, { headers: JSON_HEADERS }));
    const reading: SdkReading = { choices: [], prompt: null, output: null };
    readChunk(await client.models.generateContent(request), reading);
    return reading;
  },
  async readError(status, headers, body) {
    stub.answer(() => new Response(body, { status, headers }));
    try {
      await client.models.generateContent(request);
      return null;
    } catch (thrown) {
      if (!(thrown instanceof ApiError)) throw thrown;
      // The package's message is the body's text.
      const shown: { error: { message: string; status: string; details: { retryDelay?: string }[] } } = JSON.parse(thrown.message);
      const { message, status: word, details } = shown.error;
      const delay = details.find(({ retryDelay }) => retryDelay !== undefined)?.retryDelay;
      return { status: thrown.status, message, code: word, retryAfter: delay?.replace(/s$/, "") ?? null };
    }
  },
};
