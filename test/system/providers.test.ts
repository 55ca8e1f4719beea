/**
 * Every provider of the registry, reached through the running system: one whole and one streamed completion each, asked for in Chat
 * Completions, answered by the offline provider at the provider's own path, and billed once.
 */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { operationOf } from "../../schema/protocol.ts";
import { modelDocumentSchema } from "../../schema/model.ts";
import catalogue from "../../workers/cost/catalogue.json" with { type: "json" };
import { modelFacts } from "../../workers/cost/model-facts.ts";
import models from "../../workers/cost/models.json" with { type: "json" };
import { PROVIDERS } from "../../workers/provider/index.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let client: OpenAI;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(10_000_000_000);
  client = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
});
afterAll(() => stage.close());

const facts = modelDocumentSchema.parse(models);
const invoiceSchema = z.object({
  lines: z.array(z.looseObject({ request_id: z.string().nullable(), path: z.string(), status: z.number() })),
});

/** The first priced model of the provider that generates; a free name where a glob prices them all. */
function modelOf(id: string): string {
  const slugs = Object.keys(catalogue.models).filter((slug) => slug.startsWith(`${id}/`));
  const named = slugs.find((slug) => !slug.includes("*") && modelFacts(facts, slug)?.output.includes("embedding") === false);
  return named ?? `${id}/any-model`;
}

const generating = Object.values(PROVIDERS).filter(({ endpoints }) =>
  endpoints.some((endpoint) => operationOf(endpoint.protocol) === "generate"),
);

describe.each(generating)("$id", ({ id, offline_path: path }) => {
  test("gives a whole answer and a streamed one, each billed once from its own usage", async () => {
    const model = modelOf(id);
    const messages = [{ role: "user" as const, content: `Hello ${id}` }];
    const whole = await client.chat.completions.create({ model, messages }).withResponse();
    expect(whole.data.choices[0]?.message.content).toBe(`You said: Hello ${id}`);

    const streamed = await client.chat.completions
      .create({ model, messages, stream: true, stream_options: { include_usage: true } })
      .withResponse();
    let text = "";
    let outputTokens = 0;
    for await (const chunk of streamed.data) {
      text += chunk.choices[0]?.delta.content ?? "";
      outputTokens = chunk.usage?.completion_tokens ?? outputTokens;
    }
    expect(text).toBe(`You said: Hello ${id}`);
    expect(outputTokens).toBeGreaterThan(0);

    const ids = [whole, streamed].map(({ response }) => response.headers.get("x-plyrum-request-id"));
    const { lines } = invoiceSchema.parse(await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json());
    for (const requestId of ids) {
      const line = lines.filter((candidate) => candidate.request_id === requestId);
      expect(line).toHaveLength(1);
      expect(line[0]?.path.startsWith(`${path}/`)).toBe(true);
    }
  });
});

test("every request above has one row, of its provider, settled by the provider's own usage", async () => {
  await account.atRest();
  const rows = z
    .array(z.looseObject({ model: z.string(), usage_source: z.string().nullable(), cost_micro_rub: z.number().nullable() }))
    .parse(await account.usage());
  for (const { id } of generating) {
    const own = rows.filter((row) => row.model === modelOf(id));
    expect([id, own.map((row) => row.usage_source)]).toEqual([id, ["provider", "provider"]]);
    for (const row of own) expect(row.cost_micro_rub).not.toBeNull();
  }
});
