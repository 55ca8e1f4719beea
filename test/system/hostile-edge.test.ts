/** The edges around a body as a hostile client sees them: model names, paths, headers and credentials. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LIMITS } from "../../schema/limits.ts";
import { VALID_REQUESTS } from "../hostile/bodies.ts";
import { readRefusal } from "../hostile/error-shapes.ts";
import { HOSTILE_TEXTS, type Mutation, sampleMutations } from "../hostile/mutations.ts";
import { chat, inParallel, labelled, openTarget, SEED, type Target } from "./hostile-client.ts";

let target: Target;

beforeAll(async () => {
  target = await openTarget();
});
afterAll(() => target.stage.close());

describe("hostile model names", () => {
  const NAMES = [
    "bedrock/..",
    "bedrock/.",
    "bedrock/../../admin",
    "bedrock/a/../b",
    "gemini/..",
    "gemini/x?key=stolen",
    "gemini/x#y",
    "gemini/x%2e%2e",
    "gemini/%2e%2e/%2e%2e",
    "gemini/a\\..\\b",
    "gemini/x:batchEmbedContents",
    "gemini/\ud800",
    "gemini/\u0000",
    "gemini/a\r\nx-injected: 1",
    "gemini/a\u2028b",
    "gemini/$&$`$'",
    "openai/../gpt-5-mini",
    "__proto__",
    "constructor",
    "openai/__proto__",
    "openai/constructor",
    "*",
    "openai/*",
    "**/**",
    "openai/",
    "/",
    "/gpt-5-mini",
    " openai/gpt-5-mini",
    "OPENAI/GPT-5-MINI",
    "openai//gpt-5-mini",
    "a".repeat(10_000),
    `gemini/${"é".repeat(200)}`,
    "",
  ];

  test.each(labelled(NAMES))("%j in a body is an error of the table, or is sent as one segment of the path", async (_label, name) => {
    const answer = await target.post("/v1/chat/completions", chat(name));
    expect(answer.status, answer.text).toBeLessThan(500);
    if (answer.status !== 200) expect(readRefusal("openai-chat", answer).fault).toBeNull();
    expect(answer.text).not.toContain("x-injected: 1\r\n");
  });

  const SEGMENTS = [
    "..",
    "%2e%2e",
    "%2E%2E%2F%2E%2E%2Fadmin",
    "a%00b",
    "a%0d%0ab",
    "%ff%fe",
    "%zz",
    "%",
    "openai%2f..",
    "a?b=c",
    "%F0%9F%98%80",
    "a".repeat(9_000),
  ];

  test.each(labelled(SEGMENTS))("%s in a path is an error in the shape of that path's protocol", async (_label, segment) => {
    const places = [
      ["gemini", `/v1beta/models/${segment}:generateContent`],
      ["bedrock-converse", `/model/${segment}/converse`],
    ] as const;
    for (const [protocol, path] of places) {
      const { body } = VALID_REQUESTS.find((valid) => valid.protocol === protocol) ?? { body: {} };
      const raw = await target.rawPost(path, JSON.stringify(body));
      expect(raw.status, `${path}: ${raw.text.slice(0, 300)}`).toBeGreaterThanOrEqual(400);
      expect(raw.status, `${path}: ${raw.text.slice(0, 300)}`).toBeLessThan(500);
    }
  });
});

describe("other paths of callers", () => {
  test("token counts take hostile bodies as their protocols do", async () => {
    const faults: string[] = [];
    for (const { protocol, body } of VALID_REQUESTS) {
      const path = { "anthropic-messages": "/v1/messages/count_tokens", gemini: "/v1beta/models/openai%2Fgpt-5-mini:countTokens" }[
        String(protocol)
      ];
      if (path === undefined) continue;
      const work = async (mutation: Mutation): Promise<string[]> => {
        const answer = await target.post(path, mutation.text);
        if (answer.status === 200) return [];
        const { fault } = readRefusal(protocol, answer);
        return fault === null ? [] : [`${mutation.name}: ${fault}`];
      };
      faults.push(...(await inParallel([...sampleMutations(body, 60, SEED + 2), ...HOSTILE_TEXTS], work)));
    }
    expect(faults).toEqual([]);
  });

  test("a count needs no max_tokens, wherever else that word stands in it", async () => {
    const messages = [{ role: "user", content: "hi" }];
    const tools = [{ name: "f", input_schema: { type: "object", properties: { max_tokens: { type: "number" } } } }];
    for (const body of [
      { model: "m", messages },
      { model: "m", messages, tools },
    ]) {
      const answer = await target.post("/v1/messages/count_tokens", JSON.stringify(body));
      expect([answer.status, JSON.parse(answer.text)], answer.text).toEqual([200, { input_tokens: expect.any(Number) }]);
    }
    expect(readRefusal("anthropic-messages", await target.post("/v1/messages/count_tokens", "{}")).code).toBe("invalid_request");
  });

  test.each([
    "/v1/models/%zz",
    "/v1/models/..%2f..%2fadmin",
    "/v1/models/__proto__",
    "/v1beta/models/%00",
    "/v1/requests/..",
    "/v1/requests/__proto__",
    "/v1/requests/req_zzzzzzzzzzzzzzzzzzzzzzz_zzz",
    "/v1/requests/%ff/events",
    "/v1/requests?limit=1e400&cursor=%00",
    "/v1/usage?group_by=__proto__",
    "/v1/usage?from=1e400&to=NaN",
    "/v1/usage/export?format=../csv",
    "/v1//chat/completions",
    "/v1/chat/completions/",
    "//evil.example/v1/models",
    "/%2e%2e/admin/accounts",
  ])("GET %s is no fault of ours", async (path) => {
    const response = await fetch(target.stage.system.url + path, { headers: { authorization: `Bearer ${target.account.key}` } });
    expect(response.status, await response.text()).toBeLessThan(500);
  });
});

describe("hostile headers", () => {
  const VALUES: readonly (readonly [string, string])[] = [
    ["idempotency-key", "\u00ff\u00fe"],
    ["idempotency-key", "a".repeat(LIMITS.idempotencyKeyCharacters + 1)],
    ["idempotency-key", "__proto__"],
    ["x-plyrum-provider-hint", "__proto__"],
    ["x-plyrum-provider-hint", "constructor"],
    ["x-plyrum-provider-hint", "../openai"],
    ["x-plyrum-provider-hint", "\u00e9".repeat(500)],
    ["x-plyrum-compat", "LOSSY"],
    ["x-plyrum-on-disconnect", "constructor"],
    ["x-plyrum-raw", "2"],
    ["x-plyrum-fetch-media", "always"],
    ["anthropic-beta", "\u00ff,a b;c"],
    ["content-type", "application/json; charset=utf-16"],
    ["content-type", "text/html"],
    ["content-type", "multipart/form-data; boundary=x"],
    ["content-type", ";;;"],
    ["content-encoding", "gzip"],
    ["accept", "text/html"],
    ["accept-encoding", "br;q=0"],
    ["x-forwarded-host", "evil.example"],
    ["x-http-method-override", "DELETE"],
    ["x-offline", "status=999"],
  ];

  test.each(VALUES.map(([name, value]) => [name, value.slice(0, 40), value] as const))(
    "%s: %j gets an answer or an error",
    async (name, _label, value) => {
      const raw = await target.rawPost("/v1/chat/completions", chat("openai/gpt-5-mini"), [`${name}: ${value}`]);
      expect(raw.status, raw.text.slice(0, 500)).toBeGreaterThanOrEqual(200);
      expect(raw.status, raw.text.slice(0, 500)).toBeLessThan(500);
    },
  );

  const CREDENTIALS = [
    "Bearer",
    "Bearer ",
    "bearer x",
    "Bearer ply_test_x",
    "Basic YTpi",
    "AWS4-HMAC-SHA256 Credential=/x",
    "AWS4-HMAC-SHA256 Credential=__proto__/x/y",
    `Bearer ${"a".repeat(6_000)}`,
    "Bearer \u00ff\u0080",
  ];

  test.each(labelled(CREDENTIALS))("authorization: %s is a 401 in every shape", async (_label, authorization) => {
    for (const { protocol, path, body } of VALID_REQUESTS) {
      const answer = await target.post(path.replace("{model}", "openai%2Fgpt-5-mini"), JSON.stringify(body), { authorization });
      expect([answer.status, readRefusal(protocol, answer)], answer.text).toEqual([401, { fault: null, code: "invalid_api_key" }]);
    }
  });

  test("names of the caller's own that come back in a header cannot end it", async () => {
    const names = ["a\r\nset-cookie: x=1", "b\u0000c", "\ud83d", "юникод", "\u{1f600}".repeat(900), "\u0085\u2028"];
    const fields = Object.fromEntries(names.map((name) => [name, 1]));
    const answer = await target.post("/v1/chat/completions", chat("anthropic/claude-sonnet-4-5", fields));
    expect(answer.status, answer.text).toBe(200);
    expect(answer.headers.get("set-cookie")).toBeNull();
    const dropped = answer.headers.get("x-plyrum-dropped") ?? "";
    expect(dropped).toContain("a  set-cookie: x=1");
    expect(dropped.length).toBeLessThanOrEqual(LIMITS.answerHeaderCharacters * 4);
  });

  test("the money is where it was", async () => {
    expect(await target.moneyFaults()).toEqual([]);
  });
});
