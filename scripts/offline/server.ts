/**
 * The offline provider: a local HTTP server that plays the providers' clouds on real sockets, from wire scripts of our own or from a
 * folder of recordings. It does what it is told to do wrong (commands.ts) and keeps its own invoice of every token it served.
 *
 * `POST …/chat/completions`, `POST …/responses`, `POST …/messages`, `GET …/models`; and for tests `GET|DELETE /_invoice`, `GET /_open`.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { anthropicMessages } from "./anthropic-messages.ts";
import { answerOf, asRecord, idOf, type Ask } from "./answer.ts";
import { cohereChat } from "./cohere-chat.ts";
import { bedrockConverse, bedrockInvoke } from "./bedrock.ts";
import { parseCommands, type Commands } from "./commands.ts";
import { cohereEmbeddings, geminiEmbeddings, ollamaEmbeddings, openaiEmbeddings } from "./embeddings.ts";
import { gemini } from "./gemini.ts";
import { Invoice, type InvoiceLine } from "./invoice.ts";
import { ollamaChat, ollamaGenerate } from "./ollama.ts";
import { openaiChat } from "./openai-chat.ts";
import { openaiResponses } from "./openai-responses.ts";
import { Recordings } from "./recordings.ts";
import { send, sendPieces } from "./send.ts";
import { type Addressed, plainMessage, type WireFacts, type WireFormat } from "./wire.ts";

export interface OfflineOptions {
  /** 0 or left out chooses a free one. */
  port?: number;
  recordingsFolder?: string | null;
}

export interface OfflineProvider {
  url: string;
  port: number;
  invoice: () => InvoiceLine[];
  close: () => Promise<void>;
}

interface Stage {
  invoice: Invoice;
  recordings: Recordings;
  open: number;
}

/** Which format is spoken at a path. */
const FORMATS: readonly { path: RegExp; format: WireFormat }[] = [
  { path: /\/chat\/completions$/, format: openaiChat },
  { path: /\/responses$/, format: openaiResponses },
  { path: /\/messages$/, format: anthropicMessages },
  { path: /\/converse(-stream)?$/, format: bedrockConverse },
  { path: /\/invoke(-with-response-stream)?$/, format: bedrockInvoke },
  { path: /:(generateContent|streamGenerateContent)$/, format: gemini },
  { path: /\/api\/chat$/, format: ollamaChat },
  { path: /\/api\/generate$/, format: ollamaGenerate },
  { path: /\/v2\/chat$/, format: cohereChat },
  { path: /\/v2\/embed$/, format: cohereEmbeddings },
  { path: /\/embeddings$/, format: openaiEmbeddings },
  { path: /:batchEmbedContents$/, format: geminiEmbeddings },
  { path: /\/api\/embed$/, format: ollamaEmbeddings },
];

/** Starts the server. `close` ends it and every connection. */
export async function startOfflineProvider(options: OfflineOptions = {}): Promise<OfflineProvider> {
  const stage: Stage = { invoice: new Invoice(), recordings: new Recordings(options.recordingsFolder ?? null), open: 0 };
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    stage.open += 1;
    response.on("close", () => (stage.open -= 1));
    handle(request, response, stage).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 60_000;
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    invoice: () => stage.invoice.lines(),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

async function handle(request: IncomingMessage, response: ServerResponse, stage: Stage): Promise<void> {
  const url = new URL(request.url ?? "/", "http://offline");
  const path = url.pathname;
  if (path === "/_open") return json(response, 200, { open: stage.open - 1 });
  if (path === "/_invoice") {
    if (request.method === "DELETE") stage.invoice.clear();
    return json(response, 200, { lines: stage.invoice.lines() });
  }
  const found = FORMATS.find((candidate) => candidate.path.test(path));
  if (request.method === "GET" && path.endsWith("/models")) return json(response, 200, { object: "list", data: [] });
  if (found === undefined || request.method !== "POST")
    return json(response, 404, { error: { message: "not found", type: "invalid_request_error", param: null, code: null } });
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  await play({ request, response, stage, url, format: found.format, text: Buffer.concat(chunks).toString("utf8") });
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

interface Call {
  request: IncomingMessage;
  response: ServerResponse;
  stage: Stage;
  url: URL;
  format: WireFormat;
  text: string;
}

function parsed(text: string): Record<string, unknown> | null {
  try {
    return asRecord(JSON.parse(text));
  } catch {
    return null;
  }
}

async function play(call: Call): Promise<void> {
  const { request, response, stage, format } = call;
  const body = parsed(call.text);
  const addressed = addressOf(call, body ?? {});
  const { model } = addressed;
  const header = request.headers["x-offline"];
  const commands = parseCommands(model, typeof header === "string" ? header : undefined);
  const id = request.headers["x-plyrum-request-id"];
  const line = stage.invoice.open({
    request_id: typeof id === "string" ? id : null,
    path: call.url.pathname,
    model,
    stream: addressed.stream,
  });
  const refuse = (status: number, message: string, type: string | null = null): void =>
    fail(call, commands, line, { status, message, type });
  if (commands.flags.has("refuse")) return void response.destroy();
  if (commands.flags.has("hang")) return;
  if (commands.ttft > 0) await sleep(commands.ttft);
  if (format.open !== true && !hasCredential(call)) return refuse(401, "");
  if (body === null) return refuse(400, "We could not parse the JSON body of your request.");
  const callsBefore = stage.invoice.lines().filter((earlier) => earlier.request_id === line.request_id).length - 1;
  if (callsBefore < commands.flaky) return refuse(503, "");
  if (commands.status !== null && !commands.flags.has("html")) return refuse(commands.status, "");
  if (commands.flags.has("html")) return html(call, line, commands.status ?? 502);
  if (commands.replay !== null) return replay(call, commands, line, commands.replay);
  const read = format.read(body, addressed);
  if (!read.ok) return refuse(read.status, read.message, read.type);
  await answer(call, { ask: read.ask, body, commands, line });
}

function addressOf({ format, url }: Call, body: Record<string, unknown>): Addressed {
  return format.addressed?.(url, body) ?? { model: String(body["model"] ?? ""), stream: body["stream"] === true };
}

interface Scene {
  ask: Ask;
  body: Record<string, unknown>;
  commands: Commands;
  line: InvoiceLine;
}

/** Says what the script says, whole or as a stream, and fills the invoice in as it goes. */
async function answer(call: Call, { ask, body, commands, line }: Scene): Promise<void> {
  const { response, format } = call;
  const said = answerOf(ask, commands);
  const choices = typeof body["n"] === "number" ? body["n"] : 1;
  const facts: WireFacts = {
    id: idOf(`${line.n}`),
    model: ask.model.split("@")[0] ?? "",
    commands,
    wantsUsage: asRecord(body["stream_options"])["include_usage"] === true,
    choices,
    request: body,
  };
  const bill = (output: number): void => {
    const { input, cacheRead, cacheWrite5m, cacheWrite1h, reasoning } = said.usage;
    Object.assign(line, { input, cache_read: cacheRead, cache_write_5m: cacheWrite5m, cache_write_1h: cacheWrite1h, output, reasoning });
  };
  if (!ask.stream) {
    bill(said.usage.output * choices);
    line.reported = !commands.flags.has("nousage");
    line.completed = true;
    const text = commands.flags.has("garbage")
      ? "<<this is no JSON>>"
      : commands.flags.has("error200")
        ? format.error(500, "", null)
        : format.unary(said, facts);
    response.writeHead(200, { "content-type": "application/json", "x-request-id": facts.id });
    await sendPieces(response, [Buffer.from(text)], commands);
    return void response.end();
  }
  bill(0);
  response.writeHead(200, { "content-type": format.streamType ?? "text/event-stream; charset=utf-8", "x-request-id": facts.id });
  await send(response, format, format.events(said, facts), commands, {
    onEvent: (event) => {
      line.output += event.outputTokens * (event.outputTokens > 0 ? 1 : 0);
      if (event.reportsUsage) {
        line.reported = true;
        line.output = said.usage.output * choices;
      }
    },
    onEnd: () => {
      line.completed = true;
      line.output = said.usage.output * choices;
    },
    onClosed: (events) => {
      line.client_closed_at_event = events;
      if (commands.flags.has("abort_bills")) line.output = said.usage.output * choices;
    },
  });
}

function fail(
  { response, format }: Call,
  commands: Commands,
  line: InvoiceLine,
  error: { status: number; message: string; type: string | null },
): void {
  line.status = error.status;
  const headers: Record<string, string> = { "content-type": "application/json", ...format.errorHeaders?.(error.status) };
  if (commands.retryAfter !== null) headers["retry-after"] = String(commands.retryAfter);
  response.writeHead(error.status, headers);
  response.end(format.error(error.status, error.message === "" ? plainMessage(error.status) : error.message, error.type));
}

function html({ response }: Call, line: InvoiceLine, status: number): void {
  line.status = status;
  response.writeHead(status, { "content-type": "text/html" });
  response.end("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center></body></html>");
}

async function replay({ response, stage }: Call, commands: Commands, line: InvoiceLine, file: string): Promise<void> {
  const recording = stage.recordings.find(file);
  if (recording === null) {
    line.status = 404;
    return json(response, 404, { error: { message: `no recording ${file}`, type: "invalid_request_error", param: null, code: null } });
  }
  line.status = recording.status;
  response.writeHead(recording.status, { "content-type": recording.contentType });
  await sendPieces(response, recording.pieces, commands);
  line.completed = true;
  response.end();
}

const CREDENTIAL_HEADERS = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];

function hasCredential({ request, url }: Call): boolean {
  return CREDENTIAL_HEADERS.some((name) => (request.headers[name] ?? "") !== "") || (url.searchParams.get("key") ?? "") !== "";
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
