/** The running system as a hostile client sees it: whatever body is posted, an answer in the caller's own shape, soon, and money where it was. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ERROR_STATUS } from "../../schema/error.ts";
import { LIMITS } from "../../schema/limits.ts";
import { VALID_REQUESTS, type ValidRequest } from "../hostile/bodies.ts";
import { readRefusal } from "../hostile/error-shapes.ts";
import { HOSTILE_TEXTS, type Mutation, sampleMutations, seeded } from "../hostile/mutations.ts";
import { chat, inParallel, MODELS, MUTATIONS_PER_PROTOCOL, openTarget, SEED, type Target } from "./hostile-client.ts";

let target: Target;

beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stage.close());

/** The same body for another provider, so that it is rendered in that one's format. */
function forModel(valid: ValidRequest, text: string, model: string): { path: string; text: string } {
  if (valid.protocol === "openai-embeddings") return { path: valid.path, text };
  return {
    path: valid.path.replace("{model}", encodeURIComponent(model)),
    text: text.replace('"model":"openai/gpt-5-mini"', `"model":"${model}"`),
  };
}

/** Ids of requests that the gateway itself refused: they must have left no trace in the ledger. */
const refused = new Set<string>();

async function faultOf(valid: ValidRequest, mutation: Mutation, model: string): Promise<string[]> {
  const { path, text } = forModel(valid, mutation.text, model);
  const where = `${valid.protocol} → ${model}: ${mutation.name}`;
  try {
    // Lone surrogates stand as escapes in the text, so it is well-formed.
    const answer = await target.post(path, text, { "x-plyrum-compat": "lossy" });
    if (answer.status === 200) return [];
    if (answer.status >= 500) return [`${where}: ${answer.status} ${answer.text.slice(0, 300)}`];
    const refusal = readRefusal(valid.protocol, answer);
    if (Object.hasOwn(ERROR_STATUS, refusal.code) && refusal.code !== "upstream_rejected")
      refused.add(answer.headers.get("x-plyrum-request-id") ?? "");
    return refusal.fault === null ? [] : [`${where}: ${refusal.fault}`];
  } catch (error) {
    return [`${where}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

describe("hostile bodies", () => {
  test.each(VALID_REQUESTS)("$protocol: wrong values at seeded places get an error in its own shape, or an answer", async (valid) => {
    const random = seeded(SEED);
    const mutations = [...sampleMutations(valid.body, MUTATIONS_PER_PROTOCOL, SEED), ...HOSTILE_TEXTS];
    const models = mutations.map(() => MODELS[Math.floor(random() * MODELS.length)] ?? "");
    const faults = await inParallel(mutations, (mutation, index) => faultOf(valid, mutation, models[index] ?? ""));
    expect(faults, `seed ${SEED}`).toEqual([]);
  });

  test.each(VALID_REQUESTS)("$protocol: streamed, a body that is taken gets a stream, and one that is not an error", async (valid) => {
    if (valid.protocol === "openai-embeddings") return;
    const streamed = {
      ...valid,
      path: valid.path.replace(/:generateContent$/, ":streamGenerateContent?alt=sse").replace(/\/converse$/, "/converse-stream"),
    };
    const mutations = sampleMutations({ ...valid.body, stream: true }, MUTATIONS_PER_PROTOCOL / 4, SEED + 1);
    expect(await inParallel(mutations, (mutation, index) => faultOf(streamed, mutation, MODELS[index % MODELS.length] ?? ""))).toEqual([]);
  });

  test("a body above the bound is refused without being read to its end, declared or not", async () => {
    for (const { protocol, path } of VALID_REQUESTS) {
      const body = new Uint8Array(LIMITS.requestBodyBytes + 1).fill(32);
      const answer = await target.post(path.replace("{model}", "openai%2Fgpt-5-mini"), body);
      expect([answer.status, readRefusal(protocol, answer)]).toEqual([413, { fault: null, code: "request_too_large" }]);
    }
  });

  test("bytes that are no UTF-8, and encodings that nobody declared, are refused as no JSON", async () => {
    const utf16 = Buffer.from(JSON.stringify(VALID_REQUESTS[0]?.body), "utf16le");
    for (const body of [Buffer.from([0xff, 0xfe, 0x7b, 0x7d]), utf16, Buffer.from([0x1f, 0x8b, 8, 0])]) {
      const answer = await target.post("/v1/chat/completions", body);
      expect([answer.status, readRefusal("openai-chat", answer)]).toEqual([400, { fault: null, code: "invalid_json" }]);
    }
  });

  test("the money is where it was", async () => {
    expect(await target.moneyFaults(refused)).toEqual([]);
  });
});

describe("hostile sizes", () => {
  const tools = (schema: object): object => ({ tools: [{ type: "function", function: { name: "f", parameters: schema } }] });
  const wide = (count: number): object => ({
    type: "object",
    properties: Object.fromEntries(Array.from({ length: count }, (_, index) => [`property_${index}`, { type: "string" }])),
  });
  const turns = (count: number): object => ({
    messages: Array.from({ length: count }, (_, index) => ({ role: index % 2 === 0 ? "user" : "assistant", content: `turn ${index}` })),
  });

  test.each(MODELS)(
    "%s: ten megabytes of one tool's schema, and twenty thousand messages, are served or refused in time",
    async (model) => {
      const bodies = [
        chat(model, tools({ type: "object", description: "d".repeat(10 * 1024 * 1024) })),
        chat(model, tools(wide(90_000))),
        chat(model, turns(20_000)),
      ];
      for (const body of bodies) {
        const answer = await target.post("/v1/chat/completions", body, { "x-plyrum-compat": "lossy" });
        expect([200, 400, 402, 413], answer.text.slice(0, 300)).toContain(answer.status);
        if (answer.status !== 200) expect(readRefusal("openai-chat", answer).fault).toBeNull();
      }
    },
  );

  test("more values than a request may hold are refused, however few bytes they take", async () => {
    for (const { protocol, path, body } of VALID_REQUESTS) {
      const text = `${JSON.stringify(body).slice(0, -1)},"many":[${"0,".repeat(LIMITS.jsonValuesPerRequest)}0]}`;
      const answer = await target.post(path.replace("{model}", "openai%2Fgpt-5-mini"), text);
      expect([answer.status, readRefusal(protocol, answer)], answer.text.slice(0, 300)).toEqual([
        400,
        { fault: null, code: "invalid_request" },
      ]);
    }
  });

  test("a body that grows past its bound when it is translated is refused, and not lost on the way to its owner", async () => {
    const count = Math.floor(LIMITS.jsonValuesPerRequest / 3.2);
    const parts = `{"text":"${"t".repeat(120)}"},`.repeat(count).slice(0, -1);
    const body = `{"contents":[{"role":"user","parts":[${parts}]}]}`;
    const answer = await target.post("/v1beta/models/anthropic%2Fclaude-sonnet-4-5:generateContent", body);
    expect([200, 400, 402, 413], answer.text.slice(0, 300)).toContain(answer.status);
  });
});
