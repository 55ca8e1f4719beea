/** Pictures and documents by address, through the running system: fetched only for a provider that takes bytes, only where it is allowed, before any money moves. */
import { createServer, type Server } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { type Echo, startEcho } from "./echo-server.ts";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 1, 2]);
const PDF = Buffer.from("%PDF-1.4\n%%EOF");

let stage: Stage;
let account: Account;
let echo: Echo;
let pictures: Server;
let from: string;
let asked: string[] = [];

/** A server of pictures on this machine, which notes what it is asked. */
function startPictures(): Promise<Server> {
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const path = (request.url ?? "").split("?")[0];
    if (path === "/moved.png") return response.writeHead(302, { location: "/a.png" }).end();
    if (path === "/to-metadata.png") return response.writeHead(302, { location: "http://169.254.169.254/latest/meta-data/" }).end();
    if (path === "/page.png") return response.writeHead(200, { "content-type": "text/html" }).end("<html></html>");
    if (path === "/a.pdf") return response.writeHead(200, { "content-type": "application/pdf" }).end(PDF);
    if (path === "/missing.png") return response.writeHead(404).end();
    return response.writeHead(200, { "content-type": "image/png" }).end(PNG);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

beforeAll(async () => {
  echo = await startEcho();
  pictures = await startPictures();
  const address = pictures.address();
  from = `http://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
  stage = await startStage({
    PLYRUM_EVIDENCE: "offline",
    AWS_ACCESS_KEY_ID: "AKIATEST",
    AWS_SECRET_ACCESS_KEY: "secret",
    BEDROCK_BASE_URL: echo.url,
    OLLAMA_BASE_URL: echo.url,
    GEMINI_API_KEY: "key",
    GEMINI_BASE_URL: echo.url,
    ANTHROPIC_API_KEY: "key",
    ANTHROPIC_BASE_URL: echo.url,
    OPENAI_API_KEY: "key",
    OPENAI_BASE_URL: `${echo.url}/v1`,
  });
  const price = { input: "1", output: "2", max_output_tokens: 1000 };
  const open = Object.fromEntries(["bedrock", "ollama", "gemini", "anthropic", "openai"].map((id) => [`${id}/*`, price]));
  await stage.admin("/prices", { method: "PUT", body: { ...catalogue, models: { ...catalogue.models, ...open } } });
  await allow("on_request");
  account = await stage.account(100_000_000);
});
afterAll(async () => {
  await stage.close();
  echo.server.close();
  pictures.close();
});
/** Every call here ends refused, by the gateway or by its upstream, so whatever was tried the money is where it was. */
afterEach(async () => {
  await account.atRest();
  const { balance_micro_rub: balance, held_micro_rub: held } = await account.balance();
  if (balance !== 100_000_000 || held !== 0) throw new Error(`money has moved: ${balance} and ${held} held`);
});

async function allow(fetch_media: "never" | "on_request" | "always"): Promise<void> {
  await stage.admin("/config", { method: "PUT", body: { fetch_media } });
}

/** One call with these parts; `sent` is what the provider was given, null when it was not called. */
async function ask(model: string, parts: object[], headers: Record<string, string> = { "x-plyrum-fetch-media": "1" }) {
  echo.calls.length = 0;
  asked = [];
  const body = { model, max_tokens: 10, messages: [{ role: "user", content: [{ type: "text", text: "look" }, ...parts] }] };
  const answer: Sent = await post(stage, account, body, { headers });
  const { error } = JSON.parse(answer.text) as { error: { code: string; param: string | null; message: string } };
  return { status: answer.status, error, sent: echo.calls[0]?.body ?? null };
}

const image = (path: string): object => ({ type: "image_url", image_url: { url: path.includes(":") ? path : from + path } });
const file = (path: string): object => ({ type: "file", file: { filename: "a.pdf", file_data: from + path } });
/** The upstream of these tests refuses every call that reaches it with this status. */
const REACHED = 418;

describe("a provider that takes bytes", () => {
  test("gets them: a picture and a document for Converse, each fetched once", async () => {
    const { status, sent } = await ask("bedrock/amazon.nova-lite-v1:0", [
      image("/a.png"),
      image("/a.png"),
      image("/moved.png"),
      file("/a.pdf"),
    ]);
    expect(status).toBe(REACHED);
    const picture = { image: { format: "png", source: { bytes: PNG.toString("base64") } } };
    const document = { document: { format: "pdf", name: "a-pdf", source: { bytes: PDF.toString("base64") } } };
    expect(sent).toMatchObject({ messages: [{ content: [{ text: "look" }, picture, picture, picture, document] }] });
    expect(asked.toSorted()).toEqual(["/a.pdf", "/a.png", "/a.png", "/moved.png"]);
  });

  test("gets them as Ollama's images", async () => {
    const { sent } = await ask("ollama/llava", [image("/a.png")]);
    expect(sent).toMatchObject({ messages: [{ content: "look", images: [PNG.toString("base64")] }] });
  });

  test("gets inline data for Gemini where an address would not do, of the type that the bytes say", async () => {
    const { sent } = await ask("gemini/gemini-2.5-flash", [image("/typeless")]);
    expect(sent).toMatchObject({
      contents: [{ parts: [{ text: "look" }, { inlineData: { mimeType: "image/png", data: PNG.toString("base64") } }] }],
    });
  });
});

describe("a provider that takes addresses", () => {
  test("gets the address as it is, and nothing is fetched", async () => {
    const { sent } = await ask("anthropic/claude-sonnet-4-5", [image("/a.png")]);
    expect(JSON.stringify(sent)).toContain(`{"type":"url","url":"${from}/a.png"}`);
    await ask("gemini/gemini-2.5-flash", [image("https://pictures.example.com/a.png")]);
    expect(JSON.stringify(echo.calls)).toContain('{"mimeType":"image/png","fileUri":"https://pictures.example.com/a.png"}');
    await ask("openai/gpt-5-mini", [image("/a.png")]);
    expect(JSON.stringify(echo.calls)).toContain(`${from}/a.png`);
    expect(asked).toEqual([]);
  });
});

describe("what is not fetched", () => {
  test.each([
    ["http://169.254.169.254/latest/meta-data/", "it is not https"],
    ["https://169.254.169.254/", "it is an IP address and not a name"],
    ["https://10.0.0.1/a.png", "it is an IP address and not a name"],
    ["https://metadata.google.internal/", "it is a name of a private network"],
    ["file:///etc/passwd", "it is not https"],
    ["/to-metadata.png", "it redirects to an address that is not fetched: it is not https"],
    ["/page.png", "it is text/html and no picture or PDF"],
    ["/missing.png", "it answered with status 404"],
    ["http://127.0.0.1:1/a.png", "it could not be reached"],
  ])("%s is an invalid request that names its field, and moves no money", async (url, reason) => {
    const { status, error, sent } = await ask("ollama/llava", [image("/a.png"), image(url)]);
    expect([status, error.code, error.param]).toEqual([400, "invalid_request", "messages.0.content.2.image_url.url"]);
    expect(error.message).toBe(`The media in messages.0.content.2.image_url.url cannot be fetched: ${reason}.`);
    expect(sent).toBeNull();
  });

  test("without the header, or where the deployment does not allow it, the picture is a loss of content as ever", async () => {
    const refused = { status: 400, error: { code: "unsupported_parameter", param: "messages.image" }, sent: null };
    expect(await ask("ollama/llava", [image("/a.png")], {})).toMatchObject(refused);
    await allow("never");
    expect(await ask("ollama/llava", [image("/a.png")])).toMatchObject(refused);
    await allow("always");
    expect(await ask("ollama/llava", [image("/a.png")], { "x-plyrum-fetch-media": "0" })).toMatchObject(refused);
    expect(asked).toEqual([]);
    expect((await ask("ollama/llava", [image("/a.png")], {})).status).toBe(REACHED);
    expect(asked).toEqual(["/a.png"]);
    await allow("on_request");
  });

  test("a call without a valid key fetches nothing", async () => {
    const stranger = { ...account, key: `${account.key.slice(0, -4)}0000` };
    asked = [];
    const body = { model: "ollama/llava", max_tokens: 10, messages: [{ role: "user", content: [image("/a.png")] }] };
    expect((await post(stage, stranger, body, { headers: { "x-plyrum-fetch-media": "1" } })).status).toBe(401);
    expect(asked).toEqual([]);
  });
});
