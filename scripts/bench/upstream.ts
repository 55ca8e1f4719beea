/**
 * The provider every contender of the benchmark calls: a whole answer of about 1 KB, or a stream of a given number of chunks, each
 * with the time it left in its text, so that the reader can tell how long a chunk was on its way. A process of its own.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";

const UNARY = JSON.stringify({
  id: "chatcmpl-bench",
  object: "chat.completion",
  created: 1_700_000_000,
  model: "gpt-5-mini",
  choices: [{ index: 0, message: { role: "assistant", content: "z".repeat(700) }, finish_reason: "stop" }],
  usage: { prompt_tokens: 180, completion_tokens: 175, total_tokens: 355 },
});

function chunk(delta: object, finish: string | null, extra: object = {}): string {
  const body = { id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_700_000_000, model: "gpt-5-mini" };
  return `data: ${JSON.stringify({ ...body, choices: [{ index: 0, delta, finish_reason: finish }], ...extra })}\n\n`;
}

/** Milliseconds since the epoch with a fraction: comparable between processes of one machine. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

interface Order {
  stream: boolean;
  chunks: number;
  paceMilliseconds: number;
}

/** The order rides in `user`, a field that every contender passes on. */
function orderOf(text: string): Order {
  const body: unknown = JSON.parse(text);
  const fields = typeof body === "object" && body !== null ? body : {};
  const user = "user" in fields && typeof fields.user === "string" ? fields.user : "0/0";
  const [chunks = "0", pace = "0"] = user.split("/");
  return { stream: "stream" in fields && fields.stream === true, chunks: Number(chunks), paceMilliseconds: Number(pace) };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let text = "";
  for await (const part of request) text += String(part);
  const order = orderOf(text);
  if (!order.stream) {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(UNARY) });
    response.end(UNARY);
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.flushHeaders();
  for (let index = 0; index < order.chunks && !response.destroyed; index++) {
    const taken = response.write(chunk({ content: `t=${now().toFixed(3)} ` }, null));
    if (order.paceMilliseconds > 0) await new Promise((resolve) => setTimeout(resolve, order.paceMilliseconds));
    else if (!taken) await Promise.race([once(response, "drain"), once(response, "close")]);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  if (response.destroyed) return;
  response.write(chunk({}, "stop"));
  response.write(
    `data: ${JSON.stringify({ id: "chatcmpl-bench", object: "chat.completion.chunk", created: 1_700_000_000, model: "gpt-5-mini", choices: [], usage: { prompt_tokens: 180, completion_tokens: order.chunks, total_tokens: 180 + order.chunks } })}\n\n`,
  );
  response.end("data: [DONE]\n\n");
}

function once(response: ServerResponse, event: string): Promise<void> {
  return new Promise((resolve) => response.once(event, () => resolve()));
}

const server = createServer((request, response) => {
  answer(request, response).catch(() => response.destroy());
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (typeof address === "object" && address !== null) process.send?.({ port: address.port });
});
process.on("disconnect", () => process.exit(0));
