/** The lists of models as the official SDKs read them, and what the configuration makes of an address of one's own. */
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import type { ProtocolId } from "../../schema/protocol.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { PROVIDERS } from "../../workers/provider/index.ts";
import { type Echo, startEcho } from "./echo-server.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let openai: OpenAI;
let anthropic: Anthropic;
let google: GoogleGenAI;

beforeAll(async () => {
  stage = await startStage({});
  account = await stage.account(1_000_000_000);
  openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
  anthropic = new Anthropic({ apiKey: account.key, baseURL: stage.system.url, maxRetries: 0 });
  google = new GoogleGenAI({ apiKey: account.key, httpOptions: { baseUrl: stage.system.url } });
});
afterAll(() => stage.close());

const MODEL = "openai/gpt-5-mini";
/** The priced models that have a name of their own, of the providers there are. */
const named = Object.keys(catalogue.models).filter((slug) => !slug.includes("*") && (slug.split("/")[0] ?? "") in PROVIDERS);

async function allOf<T>(pages: AsyncIterable<T> | PromiseLike<AsyncIterable<T>>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of await pages) found.push(item);
  return found;
}

describe("the openai package", () => {
  test("lists every priced model once, with its context and what it can do", async () => {
    const listed = await allOf(openai.models.list());
    expect(listed.map((model) => model.id).toSorted()).toEqual(named.toSorted());
    expect(listed.find((model) => model.id === MODEL)).toEqual({
      id: MODEL,
      object: "model",
      created: Date.parse("2025-08-07") / 1000,
      owned_by: "openai",
      name: "GPT-5 Mini",
      context_length: 400_000,
      max_output_tokens: 128_000,
      architecture: { input_modalities: ["text", "image"], output_modalities: ["text"] },
      capabilities: { image_input: true, audio_input: false, tools: true, reasoning: true, structured_output: true, embeddings: false },
    });
  });

  test("retrieves one by its slug, by a bare name, and with slashes in its name", async () => {
    expect((await openai.models.retrieve(MODEL)).id).toBe(MODEL);
    expect((await openai.models.retrieve("claude-opus-4-1")).id).toBe("anthropic/claude-opus-4-1");
    expect((await openai.models.retrieve("groq/openai/gpt-oss-120b")).owned_by).toBe("groq");
    expect(
      (await openai.models.retrieve("text-embedding-3-small@none").catch((error: unknown) => error)) instanceof OpenAI.NotFoundError,
    ).toBe(true);
  });

  test("retrieves a model that only a glob prices, which no list can name", async () => {
    expect(await openai.models.retrieve("vllm/my-own-model")).toMatchObject({
      id: "vllm/my-own-model",
      name: "vllm/my-own-model",
      capabilities: { tools: null, embeddings: false },
    });
  });

  test("is told an unknown one is not found, with those there are", async () => {
    const failure = await openai.models.retrieve("nowhere/nothing").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(OpenAI.NotFoundError);
    expect(failure instanceof OpenAI.APIError && failure.error).toMatchObject({
      code: "model_not_found",
      details: { available: expect.arrayContaining([MODEL]) },
    });
  });
});

describe("the @anthropic-ai/sdk package", () => {
  test("pages through every model, forward, without losing or repeating one", async () => {
    const first = await anthropic.models.list({ limit: 7 });
    expect(first.data).toHaveLength(7);
    expect([first.first_id, first.last_id, first.has_more]).toEqual([first.data[0]?.id, first.data[6]?.id, true]);
    const all = await allOf(anthropic.models.list({ limit: 50 }));
    expect(all.map((model) => model.id).toSorted()).toEqual(named.toSorted());
  });

  test("pages backward", async () => {
    const { data } = await anthropic.models.list({ limit: 10 });
    const before = await anthropic.models.list({ limit: 3, before_id: data[5]?.id ?? "" });
    expect(before.data.map((model) => model.id)).toEqual(data.slice(2, 5).map((model) => model.id));
    expect(before.has_more).toBe(true);
  });

  test("retrieves one with its limits, and is told an unknown one is not found in its own shape", async () => {
    expect(await anthropic.models.retrieve("anthropic/claude-haiku-4-5")).toMatchObject({
      type: "model",
      id: "anthropic/claude-haiku-4-5",
      display_name: expect.stringContaining("Claude Haiku 4.5"),
      created_at: "2025-10-15T00:00:00Z",
      max_input_tokens: 200_000,
      max_tokens: 64_000,
      lifecycle: "active",
      known_capabilities: { tools: true, image_input: true },
    });
    const failure = await anthropic.models.retrieve("nowhere/nothing").catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(Anthropic.NotFoundError);
    expect(failure instanceof Anthropic.APIError && failure.error).toMatchObject({ type: "error", error: { type: "not_found_error" } });
  });
});

describe("the @google/genai package", () => {
  test("pages through every model", async () => {
    const pager = await google.models.list({ config: { pageSize: 60 } });
    expect(pager.page).toHaveLength(60);
    const all = await allOf(pager);
    expect(all.map((model) => model.name ?? "").toSorted()).toEqual(named.map((slug) => `models/${slug}`).toSorted());
  });

  test("gets one with its limits and its methods", async () => {
    expect(await google.models.get({ model: MODEL })).toMatchObject({
      name: `models/${MODEL}`,
      displayName: "GPT-5 Mini",
      inputTokenLimit: 400_000,
      outputTokenLimit: 128_000,
      supportedActions: ["generateContent", "streamGenerateContent", "countTokens"],
    });
    expect(await google.models.get({ model: "openai/text-embedding-3-small" })).toMatchObject({ supportedActions: ["embedContent"] });
  });

  test("is told an unknown one is not found", async () => {
    await expect(google.models.get({ model: "nowhere/nothing" })).rejects.toMatchObject({ status: 404 });
  });

  test("gets its own shape at /v1 too, by the header of its key", async () => {
    const response = await fetch(`${stage.system.url}/v1/models?pageSize=1`, { headers: { "x-goog-api-key": account.key } });
    expect(await response.json()).toMatchObject({
      models: [{ name: expect.stringMatching(/^models\//) }],
      nextPageToken: expect.any(String),
    });
  });
});

test("no list is given without a key", async () => {
  for (const path of ["/v1/models", "/v1beta/models", `/v1/models/${MODEL}`, `/v1beta/models/${MODEL}`]) {
    expect((await fetch(stage.system.url + path)).status, path).toBe(401);
  }
});

describe("an address that the configuration declares", () => {
  let echo: Echo;
  const price = { input: "1", output: "2", max_output_tokens: 1000 };

  beforeAll(async () => {
    echo = await startEcho();
    await stage.admin("/prices", {
      method: "PUT",
      body: { ...catalogue, models: { ...catalogue.models, "acme/*": price, "acme-eu/*": price, "plain/*": price } },
    });
  });
  afterAll(() => echo.server.close());

  const configure = (providers: object[], aliases: object = {}): Promise<unknown> =>
    stage.admin("/config", { method: "PUT", body: { version: "v1", model_providers: providers, model_aliases: aliases } });
  const ask = (model: string): Promise<unknown> =>
    openai.chat.completions.create({ model, messages: [{ role: "user", content: "hi" }] }).catch((error: unknown) => error);

  test("serves completions, streamed and whole, that are billed, where it is OpenAI-compatible", async () => {
    await configure([{ model: "acme/*", provider_interface: "openai", base_url: `${stage.system.offlineUrl}/acme/v1`, access_key: "k" }]);
    const messages = [{ role: "user" as const, content: "Hello" }];
    const whole = await openai.chat.completions.create({ model: "acme/anything/at-all", messages });
    expect(whole.choices[0]?.message.content).toBe("You said: Hello");
    expect(whole.usage).toMatchObject({ cost_micro_rub: expect.any(Number) });
    const message = await anthropic.messages.stream({ model: "acme/large", max_tokens: 50, messages }).finalMessage();
    expect(message.content).toMatchObject([{ type: "text", text: "You said: Hello" }]);
    await account.atRest();
    const rows = z.array(z.looseObject({ model: z.string(), charged_micro_rub: z.number() })).parse(await account.usage());
    expect(rows.filter((row) => row.model.startsWith("acme/") && row.charged_micro_rub > 0)).toHaveLength(2);
  });

  test.each<[ProtocolId | "acme-unknown" | undefined, string, unknown]>([
    [undefined, "/chat/completions", "Bearer k"],
    ["openai-chat", "/chat/completions", "Bearer k"],
    ["acme-unknown", "/chat/completions", "Bearer k"],
    ["anthropic-messages", "/v1/messages", "k"],
    ["gemini", "/v1beta/models/large:generateContent", "k"],
    ["openai-responses", "/responses", "Bearer k"],
    ["ollama-chat", "/api/chat", "Bearer k"],
    ["cohere-chat", "/v2/chat", "Bearer k"],
    ["bedrock-converse", "/model/large/converse", expect.stringMatching(/^AWS4-HMAC-SHA256 Credential=KEY\//)],
  ])("is spoken to in the protocol %s, at its path %s and with its kind of credential", async (protocol, path, credential) => {
    const base = protocol === undefined ? {} : { provider_interface: protocol };
    const key = protocol === "bedrock-converse" ? "KEY:SECRET" : "k";
    await configure([{ model: "acme-eu/*", base_url: echo.url, access_key: key, ...base }]);
    echo.calls.length = 0;
    await ask("acme-eu/large");
    expect(echo.calls.map((call) => [call.path, call.authorization])).toEqual([[path, credential]]);
  });

  test("is spoken to as the provider it is like, quirks and all", async () => {
    await configure([{ model: "acme/*", provider_interface: "mistral", base_url: echo.url, access_key: "k" }]);
    echo.calls.length = 0;
    await anthropic.messages
      .create({ model: "acme/large", max_tokens: 5, messages: [{ role: "user", content: "hi" }], metadata: { user_id: "u" } })
      .catch(() => null);
    expect(echo.calls[0]?.path).toBe("/chat/completions");
    expect(echo.calls[0]?.body).toMatchObject({ model: "large", max_tokens: 5 });
    expect(echo.calls[0]?.body).not.toHaveProperty("user");
  });

  test("the longest name that matches decides on the address and the key, and a key goes nowhere it was not given for", async () => {
    await configure([
      { model: "acme/*", base_url: `${echo.url}/any`, access_key: "any" },
      { model: "acme/large", base_url: `${echo.url}/large`, access_key: "large" },
      { model: "acme/large-*", base_url: `${echo.url}/dashed` },
      { model: "openai/gpt-5-mini", base_url: `${echo.url}/own` },
    ]);
    echo.calls.length = 0;
    for (const model of ["acme/small", "acme/large", "acme/large-2", "openai/gpt-5-mini"]) await ask(model);
    expect(echo.calls.map((call) => [call.path, call.authorization])).toEqual([
      ["/any/chat/completions", "Bearer any"],
      ["/large/chat/completions", "Bearer large"],
      ["/dashed/chat/completions", null],
      ["/own/chat/completions", null],
    ]);
    expect(await ask("openai/gpt-5")).toMatchObject({ choices: [{}] });
  });

  test("serves only the models it is declared for, lists those by name, and an alias leads to one", async () => {
    await configure([{ model: "plain/large", base_url: echo.url }], { big: { target: "plain/large" } });
    expect(await ask("plain/small")).toBeInstanceOf(OpenAI.NotFoundError);
    expect((await allOf(openai.models.list())).map((model) => model.id)).toContain("plain/large");
    echo.calls.length = 0;
    await ask("big");
    await ask("large");
    expect(echo.calls.map((call) => [call.body["model"], call.authorization])).toEqual([
      ["large", null],
      ["large", null],
    ]);
  });

  test("what is odd in an entry is told to whoever puts it, and the rest still counts", async () => {
    const answer = await configure([
      { model: "nameless", base_url: echo.url },
      { model: "acme/*", access_key: "k" },
      { model: "azure-openai/*", access_key: "k" },
      { model: "acme/odd", provider_interface: "no-such-thing", base_url: echo.url },
      { model: "plain/large", base_url: echo.url },
    ]);
    expect(answer).toMatchObject({
      warnings: [
        '"nameless" names no provider: it should be provider/model or provider/*',
        '"acme/*" is off until it has a base_url',
        '"azure-openai/*" is off until it has a base_url, here or in AZURE_OPENAI_BASE_URL',
        '"no-such-thing" is no provider and no protocol here; "acme/odd" is spoken to in openai-chat',
      ],
    });
    expect(await ask("plain/large")).toMatchObject({ status: 418 });
    expect(await ask("acme/other")).toMatchObject({ status: 404 });
  });

  test("without a price is refused, never free", async () => {
    await configure([{ model: "unpriced/*", base_url: echo.url }]);
    expect(await ask("unpriced/large")).toMatchObject({ status: 404, error: { code: "model_not_priced" } });
  });
});
