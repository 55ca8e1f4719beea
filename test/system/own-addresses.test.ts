/** A live system, without the offline provider: what the environment and a `plyrum.yaml` turn on, and what they must not. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startSystem, type System } from "../../scripts/start/system.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { type Echo, startEcho } from "./echo-server.ts";

let system: System;
let echo: Echo;
let client: OpenAI;
const stateDir = mkdtempSync(join(tmpdir(), "plyrum-own-"));

beforeAll(async () => {
  echo = await startEcho();
  const configFile = join(stateDir, "plyrum.yaml");
  writeFileSync(
    configFile,
    `version: v1
model_providers:
  - model: acme/*
    provider_interface: openai
    base_url: ${echo.url}/acme/v1
    access_key: $ACME_API_KEY
  - model: moon/*
    provider_interface: moonshot
    base_url: ${echo.url}/moon/v1
model_aliases:
  fast: {target: acme/large}
`,
  );
  system = await startSystem({
    port: 0,
    stateDir,
    configFile,
    environment: { VLLM_BASE_URL: `${echo.url}/vllm/v1`, AZURE_OPENAI_API_KEY: "azure-secret", ACME_API_KEY: "acme-secret" },
    workerLog: false,
  });
  const price = { input: "1", output: "2", max_output_tokens: 1000 };
  const prices = { ...catalogue, models: { ...catalogue.models, "acme/*": price, "moon/*": price } };
  const put = await fetch(`${system.url}/admin/prices`, {
    method: "PUT",
    headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
    body: JSON.stringify(prices),
  });
  if (!put.ok) throw new Error(`the prices are refused: ${await put.text()}`);
  client = new OpenAI({ apiKey: system.demoKey, baseURL: `${system.url}/v1`, maxRetries: 0 });
});
afterAll(async () => {
  await system.close();
  echo.server.close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function ask(model: string, fields: object = {}): Promise<{ path: string; authorization: string | null } | { refused: unknown }> {
  echo.calls.length = 0;
  const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: "user", content: "hi" }];
  const failure = await client.chat.completions.create({ model, messages, ...fields }).catch((error: unknown) => error);
  const [call] = echo.calls;
  if (call === undefined) return { refused: failure instanceof OpenAI.APIError ? failure.code : failure };
  return { path: call.path, authorization: call.authorization };
}

describe("the environment", () => {
  test("turns a server without a key on by its base URL alone, and sends it no credential", async () => {
    expect(system.offlineUrl).toBeNull();
    expect(await ask("vllm/my-model")).toEqual({ path: "/vllm/v1/chat/completions", authorization: null });
    expect(await ask("my-model", {})).toEqual({ refused: "model_not_found" });
  });

  test("does not turn a provider on by its key alone when each customer has an address of their own", async () => {
    expect(await ask("azure-openai/gpt-5")).toEqual({ refused: "model_not_found" });
  });

  test("leaves every other provider off", async () => {
    expect(await ask("openai/gpt-5-mini")).toEqual({ refused: "model_not_found" });
    const listed = await client.models.list();
    expect(listed.data).toEqual([]);
  });
});

describe("plyrum.yaml", () => {
  test("turns any address on, with the key that the environment holds", async () => {
    expect(await ask("acme/large/v2")).toEqual({ path: "/acme/v1/chat/completions", authorization: "Bearer acme-secret" });
    expect(await ask("fast")).toEqual({ path: "/acme/v1/chat/completions", authorization: "Bearer acme-secret" });
  });

  test("speaks to an address as to the provider it is like", async () => {
    expect(await ask("moon/k2", { logit_bias: { "5": 1 } })).toEqual({ path: "/moon/v1/chat/completions", authorization: null });
  });
});
