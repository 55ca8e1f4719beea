/** `model: "auto"` and the routing endpoint against the running system: who is chosen, who answers, what is charged, and what is said of it. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { routingAnswerSchema, routingDecisionSchema } from "../../schema/routing.ts";
import { post, type Sent } from "./post.ts";
import { type Account, type Stage, startStage } from "./shared-system.ts";

const PREFERENCES = [
  {
    name: "code generation",
    description: "generating new code snippets, functions, or boilerplate based on user prompts or requirements",
    models: ["anthropic/claude-haiku-4-5", "openai/gpt-4.1-mini"],
  },
  {
    name: "translation",
    description: "translate text into other languages",
    models: ["gemini/gemini-2.5-flash", "openai/gpt-4.1-mini", "groq/llama-3.3-70b-versatile"],
    selection_policy: { prefer: "cheapest" },
  },
];
const CODE = "Write a Python function that parses a CSV file and returns a list of dictionaries.";
const TRANSLATE = "Translate this sentence into French: the sea is calm tonight.";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage();
  await configure({});
});
afterAll(() => stage.close());

async function configure(more: object): Promise<void> {
  const body = {
    model_providers: [{ model: "openai/gpt-5-mini", default: true }],
    routing_preferences: PREFERENCES,
    ...more,
  };
  await stage.admin("/config", { method: "PUT", body });
}

interface Asked {
  path?: string;
  headers?: Record<string, string>;
  messages?: object[];
  extra?: object;
}

function ask(account: Account, text: string, { path, headers, messages, extra }: Asked = {}): Promise<Sent> {
  const body = { model: "auto", max_tokens: 60, messages: messages ?? [{ role: "user", content: text }], ...extra };
  return post(stage, account, body, { ...(path === undefined ? {} : { path }), ...(headers === undefined ? {} : { headers }) });
}

async function decide(account: Account, text: string, asked: Asked = {}): Promise<z.infer<typeof routingAnswerSchema>> {
  const sent = await ask(account, text, { path: "/routing/v1/chat/completions", ...asked });
  expect(sent.status).toBe(200);
  return routingAnswerSchema.parse(JSON.parse(sent.text));
}

const viewSchema = z.looseObject({ plan: z.looseObject({ model: z.string(), routing_snapshot: routingDecisionSchema }) });

describe("auto", () => {
  test.each([false, true])("is answered by the preference's first model, and billed at its price (stream %s)", async (stream) => {
    const account = await stage.account(10_000_000);
    const sent = await ask(account, CODE, { extra: { stream } });
    expect(sent.status).toBe(200);
    expect(sent.headers).toMatchObject({ "x-plyrum-model": "anthropic/claude-haiku-4-5", "x-plyrum-route": "code%20generation" });
    expect(sent.text).toContain("claude-haiku-4-5");
    await account.atRest();
    const [row] = await account.usage();
    expect(row).toMatchObject({ model: "anthropic/claude-haiku-4-5", provider: "anthropic", state: "settled" });
    // 1 and 5 USD a million tokens, at 90 RUB with 15 % on top.
    const picoUsd = BigInt(row?.input_tokens ?? 0) * 1_000_000n + BigInt(row?.output_tokens ?? 0) * 5_000_000n;
    expect(BigInt(row?.charged_micro_rub ?? 0)).toBe((picoUsd * 90_000_000n * 11_500n + 10n ** 16n - 1n) / 10n ** 16n);
    const { plan } = viewSchema.parse(await account.request(sent.id));
    expect(plan.model).toBe("anthropic/claude-haiku-4-5");
    expect(plan.routing_snapshot).toMatchObject({ basis: "preference", route: "code generation", route_by: "model" });
    expect(plan.routing_snapshot.prompt.workload.label).toBe("code-generation");
  });

  test("takes the cheapest where the preference says so, and the default where none matches", async () => {
    const account = await stage.account(10_000_000);
    expect(await decide(account, TRANSLATE)).toMatchObject({
      route: "translation",
      models: expect.arrayContaining(["gemini/gemini-2.5-flash"]),
    });
    const { decision } = await decide(account, TRANSLATE);
    const prices = decision.candidates.map((candidate) => BigInt(candidate.expected_pico_usd ?? 0));
    expect(prices).toEqual(prices.toSorted((left, right) => (left < right ? -1 : 1)));
    expect((await decide(account, "good morning")).decision).toMatchObject({ basis: "default", model: "openai/gpt-5-mini", route: null });
  });

  test("puts a model whose format would lose something of the request behind one that loses nothing", async () => {
    const account = await stage.account(10_000_000);
    // Two answers at once are content that the preference's first model cannot give.
    const sent = await ask(account, CODE, { extra: { n: 2 } });
    expect([sent.status, sent.headers["x-plyrum-model"]]).toEqual([200, "openai/gpt-4.1-mini"]);
    const { decision } = await decide(account, CODE, { extra: { n: 2 } });
    expect(decision.candidates.at(-1)).toMatchObject({ model: "anthropic/claude-haiku-4-5", losses: { content: 1 } });
  });

  test("chooses by price and difficulty from all that is listed where nothing is configured", async () => {
    await stage.admin("/config", { method: "PUT", body: {} });
    const account = await stage.account(50_000_000);
    const easy = await decide(account, "good morning");
    const hard = await decide(account, "Prove rigorously, step by step, that the halting problem is undecidable.", {
      extra: { reasoning_effort: "high" },
    });
    expect([easy.decision.basis, hard.decision.basis]).toEqual(["catalogue", "catalogue"]);
    const price = ({ decision }: typeof easy): bigint => BigInt(decision.candidates[0]?.expected_pico_usd ?? -1);
    expect(price(hard)).toBeGreaterThan(price(easy));
    expect(easy.decision.candidates_left_out).toBeGreaterThan(50);
    const sent = await ask(account, "good morning");
    expect([sent.status, sent.headers["x-plyrum-route"], sent.headers["x-plyrum-model"]]).toEqual([200, "catalogue", easy.models[0]]);
    await configure({});
  });

  test("asks the next candidate when the choice fails, and names the one that answered", async () => {
    const [code] = PREFERENCES;
    await configure({ routing_preferences: [{ ...code, models: ["groq/llama-3.3-70b-versatile@status=503", "openai/gpt-4.1-mini"] }] });
    const account = await stage.account(10_000_000);
    const sent = await ask(account, CODE);
    expect([sent.status, sent.headers["x-plyrum-model"]]).toEqual([200, "openai/gpt-4.1-mini"]);
    await account.atRest();
    expect(await account.usage()).toMatchObject([{ model: "openai/gpt-4.1-mini" }]);
    await configure({});
  });
});

describe("the routing endpoint", () => {
  test("gives the decision, runs nothing and charges nothing", async () => {
    const account = await stage.account(10_000_000);
    const answer = await decide(account, CODE, { headers: { traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01` } });
    expect(answer).toMatchObject({
      models: ["anthropic/claude-haiku-4-5", "openai/gpt-4.1-mini"],
      route: "code generation",
      trace_id: "a".repeat(32),
      session_id: null,
      pinned: false,
      switched: false,
    });
    expect(await account.usage()).toEqual([]);
    expect((await account.balance()).balance_micro_rub).toBe(10_000_000);
  });

  test("takes preferences of the call, and refuses wrong ones by their name", async () => {
    const account = await stage.account(1_000_000);
    const own = [{ name: "mine", description: "writing code", models: ["openai/gpt-4.1-mini"] }];
    expect(await decide(account, CODE, { extra: { routing_preferences: own } })).toMatchObject({
      route: "mine",
      models: ["openai/gpt-4.1-mini"],
    });
    const wrong = await ask(account, CODE, { path: "/routing/v1/chat/completions", extra: { routing_preferences: [{ name: "x" }] } });
    expect([wrong.status, wrong.text]).toEqual([400, expect.stringContaining("routing_preferences.0")]);
  });

  test.each(["/routing/v1/messages", "/routing/v1/responses"])("answers at %s in the same shape", async (path) => {
    const account = await stage.account(1_000_000);
    const body = path.endsWith("messages")
      ? { model: "auto", max_tokens: 50, messages: [{ role: "user", content: CODE }] }
      : { model: "auto", input: CODE };
    const sent = await post(stage, account, body, { path });
    expect(routingAnswerSchema.parse(JSON.parse(sent.text)).route).toBe("code generation");
  });

  test("refuses a key it does not know", async () => {
    const account = await stage.account(0);
    const sent = await ask({ ...account, key: "ply_live_nobody" }, CODE, { path: "/routing/v1/chat/completions" });
    expect(sent.status).toBe(401);
  });
});

describe("a conversation", () => {
  test("stays with the model that answered it while its work is the same", async () => {
    const account = await stage.account(10_000_000);
    await ask(account, CODE);
    const messages = [
      { role: "user", content: CODE },
      { role: "assistant", content: "def parse(): ..." },
      { role: "user", content: "thanks" },
    ];
    const later = await decide(account, "", { messages });
    expect(later).toMatchObject({ pinned: true, switched: false, models: expect.arrayContaining(["anthropic/claude-haiku-4-5"]) });
    expect(later.decision.basis).toBe("pinned");
    const turned = await decide(account, "", { messages: [...messages.slice(0, 2), { role: "user", content: TRANSLATE }] });
    expect(turned).toMatchObject({ pinned: false, switched: true, route: "translation" });
  });

  test("that its caller names stays whatever it is about", async () => {
    const account = await stage.account(1_000_000);
    const headers = { "x-model-affinity": "session-1" };
    expect(await decide(account, CODE, { headers })).toMatchObject({ pinned: false, session_id: "session-1" });
    const again = await decide(account, TRANSLATE, { headers });
    expect([again.pinned, again.models[0]]).toEqual([true, "anthropic/claude-haiku-4-5"]);
  });
});

test("a provider that is down is passed over", async () => {
  const dead = { model: "acme/large", provider_interface: "openai", base_url: "http://127.0.0.1:9/v1", access_key: "none" };
  const [code] = PREFERENCES;
  await stage.admin("/config", {
    method: "PUT",
    body: { model_providers: [dead], routing_preferences: [{ ...code, models: ["acme/large", "openai/gpt-4.1-mini"] }] },
  });
  const prices = z.looseObject({ models: z.record(z.string(), z.unknown()) }).parse(await stage.admin("/prices", { method: "GET" }));
  await stage.admin("/prices", {
    method: "PUT",
    body: { ...prices, version: "routing-test", models: { ...prices.models, "acme/large": { input: "0.01", output: "0.01" } } },
  });
  const account = await stage.account(10_000_000);
  expect((await decide(account, CODE)).models[0]).toBe("acme/large");
  for (const session of ["one", "two"]) {
    const sent = await ask(account, CODE, { headers: { "x-model-affinity": session } });
    expect([sent.status, sent.headers["x-plyrum-model"]]).toEqual([200, "openai/gpt-4.1-mini"]);
  }
  const degraded = await decide(account, CODE, { headers: { "x-model-affinity": "three" } });
  expect([degraded.models, degraded.decision.candidates[1]?.health]).toEqual([["openai/gpt-4.1-mini", "acme/large"], "degraded"]);
  for (let call = 0; call < 3; call++) expect((await ask(account, CODE, { extra: { model: "acme/large" } })).status).toBeGreaterThan(499);
  const { models, decision } = await decide(account, CODE, { headers: { "x-model-affinity": "four" } });
  expect(models).toEqual(["openai/gpt-4.1-mini"]);
  expect(decision.candidates.at(-1)).toMatchObject({ model: "acme/large", health: "down", excluded: "is down" });
});

test("a key is only routed to models it may use", async () => {
  await configure({});
  const account = await stage.account(1_000_000);
  await stage.admin(`/accounts/${account.id}`, { method: "PATCH", body: { limits: { allowed_models: ["openai/*"] } } });
  expect((await decide(account, CODE)).models).toEqual(["openai/gpt-4.1-mini"]);
});

test("a router model is asked where the classifier is in doubt, and is billed as a request of its own", async () => {
  const says = '{"route": "dreams"}';
  const preferences = [{ name: "dreams", description: "whatever somebody has dreamt", models: ["gemini/gemini-2.5-flash"] }];
  const overrides = { llm_routing_model: `openai/gpt-4.1-mini@says=${says}` };
  await configure({ routing_preferences: preferences, overrides });
  const account = await stage.account(10_000_000);
  const answer = await decide(account, "Last night I flew over a city of glass.");
  expect(answer.decision).toMatchObject({ route: "dreams", route_by: "router-model", model: "gemini/gemini-2.5-flash" });
  await account.atRest();
  expect(await account.usage()).toMatchObject([{ model: "openai/gpt-4.1-mini", state: "settled" }]);
  await configure({ routing_preferences: preferences, overrides: { llm_routing_model: "openai/gpt-4.1-mini@ttft=4000" } });
  const begun = Date.now();
  // Too slow: our own classifier's word counts.
  expect((await decide(account, "Last night I flew over a city of glass.")).decision.route_by).not.toBe("router-model");
  expect(Date.now() - begun).toBeLessThan(3_500);
});
