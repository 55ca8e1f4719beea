/** Embeddings with the official package, unchanged but for the base URL, from providers of all four wire formats. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { type Account, type Stage, startStage, type UsageRow } from "./shared-system.ts";

let stage: Stage;
let account: Account;
let openai: OpenAI;

beforeAll(async () => {
  stage = await startStage();
  account = await stage.account(1_000_000_000);
  openai = new OpenAI({ apiKey: account.key, baseURL: `${stage.system.url}/v1`, maxRetries: 0 });
});
afterAll(() => stage.close());

/** Each with its list price, in micro-USD per million tokens. */
const MODELS = [
  ["openai/text-embedding-3-small", 20_000n],
  ["mistral/mistral-embed", 100_000n],
  ["gemini/gemini-embedding-001", 150_000n],
  ["cohere/embed-v4.0", 120_000n],
  ["ollama/nomic-embed-text", 0n],
] as const;
const TEXTS = ["The tide is high at noon.", "Прилив 🌊 в полдень"];
/** What the offline provider counts: four characters a token. */
const TOKENS = TEXTS.reduce((sum, text) => sum + Math.ceil(text.length / 4), 0);

/** The contract's formula on the default fx and markup. */
function costOf(tokens: number, microUsdPerMillion: bigint): number {
  return Number((BigInt(tokens) * microUsdPerMillion * 90_000_000n * 11_500n + 10n ** 16n - 1n) / 10n ** 16n);
}

/** The one row of a request, once it is in the books. */
async function rowOf(requestId: string | null): Promise<UsageRow> {
  await account.atRest();
  const rows = (await account.usage()).filter((row) => row.request_id === requestId);
  if (rows.length !== 1 || rows[0] === undefined) expect.fail(`${rows.length} rows of ${requestId}`);
  return rows[0];
}

function bytesOf(values: readonly number[]): string {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeFloatLE(value, index * 4);
  return bytes.toString("base64");
}

describe.each(MODELS)("the openai package on %s", (model, price) => {
  test("embeds one text, in the encoding it asks for by itself", async () => {
    const answer = await openai.embeddings.create({ model, input: "Hello" });
    const [only] = answer.data;
    expect(answer.data.length).toBe(1);
    expect(only?.embedding.length).toBe(64);
    expect(Math.hypot(...(only?.embedding ?? []))).toBeCloseTo(1, 5);
    expect(answer.usage.prompt_tokens).toBe(2);
  });

  test("embeds many texts, in their order, and is billed once for their tokens and for no output", async () => {
    const { data, response } = await openai.embeddings.create({ model, input: TEXTS, encoding_format: "float" }).withResponse();
    expect(data.data.map((each) => each.index)).toEqual([0, 1]);
    const first = await openai.embeddings.create({ model, input: TEXTS[0] ?? "", encoding_format: "float" });
    expect(data.data[0]?.embedding).toEqual(first.data[0]?.embedding);
    expect(data.data[1]?.embedding).not.toEqual(first.data[0]?.embedding);
    const cost = costOf(TOKENS, price);
    expect(data.usage).toMatchObject({ prompt_tokens: TOKENS, total_tokens: TOKENS, cost_micro_rub: cost });
    expect(Number(response.headers.get("x-plyrum-cost-micro-rub"))).toBe(cost);
    expect(await rowOf(response.headers.get("x-plyrum-request-id"))).toMatchObject({
      model,
      protocol: "openai-embeddings",
      state: "settled",
      usage_source: "provider",
      input_tokens: TOKENS,
      output_tokens: 0,
      cost_micro_rub: cost,
      charged_micro_rub: cost,
      flagged: null,
    });
  });

  test("gets the same vector as base64 and as numbers", async () => {
    const floats = await openai.embeddings.create({ model, input: TEXTS[1] ?? "", encoding_format: "float" });
    const base64 = await openai.embeddings.create({ model, input: TEXTS[1] ?? "", encoding_format: "base64" });
    const decoded = await openai.embeddings.create({ model, input: TEXTS[1] ?? "" });
    expect(base64.data[0]?.embedding).toBe(bytesOf(floats.data[0]?.embedding ?? []));
    expect(decoded.data[0]?.embedding).toEqual(floats.data[0]?.embedding);
  });

  test("gets the length it asks for", async () => {
    const answer = await openai.embeddings.create({ model, input: "Hello", dimensions: 16 });
    expect(answer.data[0]?.embedding.length).toBe(16);
  });

  test("is told the provider's rate limit, and is charged nothing for it", async () => {
    const failure = await openai.embeddings
      .create({ model: `${model}@status=429,retry_after=3`, input: "Hello" })
      .catch((error: unknown) => error);
    if (!(failure instanceof OpenAI.RateLimitError)) expect.fail(String(failure));
    expect(failure.headers.get("retry-after")).toBe("3");
    expect((await rowOf(failure.requestID ?? failure.headers.get("x-plyrum-request-id"))).charged_micro_rub).toBe(0);
  });

  test("is charged an estimate of the input where the provider counts nothing", async () => {
    const { data, response } = await openai.embeddings.create({ model: `${model}@nousage`, input: TEXTS }).withResponse();
    expect(data.usage).toBeUndefined();
    const row = await rowOf(response.headers.get("x-plyrum-request-id"));
    expect(row).toMatchObject({ usage_source: "estimated", output_tokens: 0 });
    expect(row.input_tokens).toBeGreaterThan(5);
  });
});

describe("token numbers", () => {
  test("go to a provider of the caller's own format as they are", async () => {
    const answer = await openai.embeddings.create({ model: "openai/text-embedding-3-large", input: [[1, 2, 3], [4]] });
    expect(answer.data.length).toBe(2);
  });

  test.each(["gemini/gemini-embedding-001", "cohere/embed-v4.0", "ollama/nomic-embed-text"])(
    "are refused for %s before anything is sent, since nobody there could read them",
    async (model) => {
      const failure = await openai.embeddings.create({ model, input: [1, 2, 3] }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(OpenAI.BadRequestError);
      expect(failure instanceof OpenAI.APIError && failure.error).toMatchObject({ code: "unsupported_parameter", param: "input" });
    },
  );
});

describe("refusals", () => {
  const post = (body: unknown): Promise<Response> =>
    fetch(`${stage.system.url}/v1/embeddings`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.key}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const errorSchema = z.object({ error: z.looseObject({ code: z.string(), param: z.string().nullable() }), request_id: z.string() });

  test.each([
    [{ model: "openai/text-embedding-3-small", input: "x", stream: true }, 400, "invalid_request", "stream"],
    [{ model: "openai/text-embedding-3-small", input: [] }, 400, "invalid_request", "input"],
    [{ model: "anthropic/claude-haiku-4-5", input: "x" }, 404, "model_not_found", "model"],
    [{ model: "cohere/embed-v4.0@garbage", input: "x" }, 502, "provider_error", null],
    [{ model: "cohere/embed-v4.0@error200", input: "x" }, 502, "provider_error", null],
  ])("%j is answered with %i", async (body, status, code, param) => {
    const response = await post(body);
    expect(response.status).toBe(status);
    expect(errorSchema.parse(await response.json())).toMatchObject({ error: { code, param } });
  });

  test("what a provider was not told is named in the answer's headers", async () => {
    const response = await post({ model: "cohere/embed-v4.0", input: "x", user: "u" });
    expect(response.headers.get("x-plyrum-dropped")).toBe("user");
    // Header values are UTF-8; fetch shows their bytes one by one.
    const approximated = Buffer.from(response.headers.get("x-plyrum-approximated") ?? "", "latin1").toString();
    expect(approximated).toBe("input_type(→search_document)");
  });
});

test("everything above was billed once, and the bill is the invoice where the provider reported usage", async () => {
  await account.atRest();
  const rows = await account.usage();
  const lineSchema = z.object({ request_id: z.string().nullable(), reported: z.boolean(), input: z.number(), output: z.number() });
  const invoice: unknown = await (await fetch(`${stage.system.offlineUrl}/_invoice`)).json();
  const { lines } = z.object({ lines: z.array(lineSchema) }).parse(invoice);
  const billed = new Map(rows.map((row) => [row.request_id, row]));
  expect(billed.size).toBe(rows.length);
  const reported = lines.filter((line) => line.reported && billed.get(line.request_id ?? "")?.usage_source === "provider");
  expect(reported.length).toBeGreaterThan(20);
  for (const line of reported) {
    const row = billed.get(line.request_id ?? "");
    expect([line.request_id, row?.input_tokens, row?.output_tokens]).toEqual([line.request_id, line.input, line.output]);
  }
});
