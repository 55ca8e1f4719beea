import OpenAI from "openai";
import { expect, test } from "vitest";
import { gatewayError } from "../../schema/error.ts";
import { openaiChat } from "../../workers/protocol/openai-chat/index.ts";
import { createRelay } from "../../workers/protocol/relay.ts";
import { body, context, decodeStream } from "./bodies.ts";

/** The official client, fed with what we would send. */
function client(status: number, contentType: string, text: string): OpenAI {
  const answer = (): Promise<Response> => Promise.resolve(new Response(text, { status, headers: { "content-type": contentType } }));
  return new OpenAI({ apiKey: "k", baseURL: "http://offline.test/v1", fetch: answer, maxRetries: 0 });
}

const request = { model: "m", messages: [{ role: "user" as const, content: "x" }] };

function translated(name: string): string {
  const relay = createRelay({
    upstream: { ...openaiChat, id: "anthropic-messages" },
    caller: openaiChat,
    quirks: {},
    context: context({ costMicroRub: () => 5 }),
    requestId: "r",
  });
  return Buffer.concat([Buffer.from(relay.push(body("openai-chat", name))), Buffer.from(relay.end(null))]).toString();
}

test("the official client reads a translated stream: text, reasoning, usage and cost", async () => {
  const stream = await client(200, "text/event-stream", translated("reasoning.sse")).chat.completions.create({ ...request, stream: true });
  let text = "";
  let cost: unknown = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    if (chunk.usage) cost = (chunk.usage as { cost_micro_rub?: number }).cost_micro_rub;
  }
  expect([text, cost]).toEqual(["Answer", 5]);
});

test("the official client puts translated parallel calls together", async () => {
  const final = await client(200, "text/event-stream", translated("tools-streamed.sse"))
    .chat.completions.stream(request)
    .finalChatCompletion();
  expect(
    final.choices[0]?.message.tool_calls?.map((call) => call.type === "function" && [call.id, call.function.name, call.function.arguments]),
  ).toEqual([
    ["call_1", "search", '{"q":"plyrum"}'],
    ["call_2", "now", "{}"],
  ]);
  expect(final.choices[0]?.finish_reason).toBe("tool_calls");
});

test("the official client reads a folded answer", async () => {
  const events = decodeStream(openaiChat, [body("openai-chat", "text.sse")]);
  const completion = await client(200, "application/json", openaiChat.renderResponse(events, context())).chat.completions.create(request);
  expect(completion).toMatchObject({
    choices: [{ message: { content: 'Привет, мир 😀\n"quoted"' }, finish_reason: "stop" }],
    usage: { total_tokens: 30 },
  });
});

test("the official client throws at an error in the stream, and at an error body with our code", async () => {
  const stream = await client(200, "text/event-stream", translated("cut.sse")).chat.completions.create({ ...request, stream: true });
  await expect(
    (async () => {
      for await (const chunk of stream) expect(chunk.object).toBe("chat.completion.chunk");
    })(),
  ).rejects.toThrow("ended before it was complete");
  const text = openaiChat.renderError(gatewayError("insufficient_balance", "Not enough.", {}), "r");
  await expect(client(402, "application/json", text).chat.completions.create(request)).rejects.toMatchObject({
    status: 402,
    code: "insufficient_balance",
    type: "insufficient_quota",
  });
});
