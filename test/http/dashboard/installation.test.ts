/** The pages of whoever runs the installation: configuration and its versions, decisions and health; what waits, what is parked, what was changed. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { parkMessages } from "../../../db/dead-letters.ts";
import { diffLines, hunksOf } from "../../../workers/dashboard/frame/line-diff.ts";
import { type Account, newAccount, send } from "../gateway.ts";
import { type Insider, newOperator, newOwner } from "./browser.ts";

const ROUTING = "/app/installation/routing";
const RELIABILITY = "/app/installation/reliability";

let operator: Insider;
let account: Account;
beforeAll(async () => {
  operator = await newOperator();
  account = await newAccount(1_000_000_000);
});

async function page(path: string): Promise<string> {
  const seen = await operator.browser.get(path);
  expect(seen.status, path).toBe(200);
  return seen.html;
}

async function ask(model: string): Promise<void> {
  const body = { model, stream: true, messages: [{ role: "user", content: "Prove that there are infinitely many primes." }] };
  await send("/v1/chat/completions", { body, key: account.key });
}

describe("routing and configuration", () => {
  test("shows the configuration in force and what changed between two versions, without its keys", async () => {
    const first = (await send("/admin/config", { method: "PUT", body: { model_aliases: { fast: { target: "openai/gpt-5" } } } })).json?.[
      "number"
    ];
    await send("/admin/config", {
      method: "PUT",
      body: {
        model_aliases: { fast: { target: "openai/gpt-5-mini" } },
        model_providers: [{ model: "openai/gpt-4.1", access_key: "a-key-nobody-may-see" }],
      },
    });
    const html = await page(ROUTING);
    expect(html).toContain("openai/gpt-4.1");
    expect(html).not.toContain("a-key-nobody-may-see");
    expect(html).toMatch(/class="gone">.*removed: .*openai\/gpt-5&quot;/);
    expect(html).toMatch(/class="new">.*added: .*openai\/gpt-5-mini&quot;/);
    expect(await page(`${ROUTING}?from=${first}&to=${first}`)).toContain("The two are the same.");
    expect(await page(`${ROUTING}?from=1e9&to=x`)).toContain("What changed");
    await send("/admin/config", { method: "PUT", body: {} });
  });

  test("shows the router's decision on a request and how its provider did", async () => {
    const path = `${ROUTING}?account=${account.id}`;
    expect(await page(path)).toContain("The router was not asked lately");
    expect(await page(path)).toContain("No provider was asked lately");
    await ask("auto");
    for (let failure = 0; failure < 6; failure++) await ask("openai/gpt-5@status=503");
    const html = await page(path);
    expect(html).not.toContain("The router was not asked lately");
    expect(html).toMatch(/price and difficulty/);
    expect(html).toContain(">well<");
    expect(html).toContain(">down<");
    expect(html).toContain("open");
  });
});

describe("reliability", () => {
  test("sends parked messages again, by a form of its own", async () => {
    await parkMessages(env.DB, [
      { id: "letter", queue: "usage", body: "nobody can read this", reason: "an unreadable <b>body</b>", parked_at: 1 },
    ]);
    const html = await page(RELIABILITY);
    expect(html).toContain("an unreadable &lt;b&gt;body&lt;/b&gt;");
    const forged = await operator.browser.ask(`${RELIABILITY}/replay`, { method: "POST", fields: {} });
    expect(forged.status).toBe(403);
    expect((await operator.browser.submit(RELIABILITY, `${RELIABILITY}/replay`)).location).toBe(`${RELIABILITY}?replayed=1`);
    expect((await send("/admin/dead-letters")).text).not.toContain('"replayed_at":null');
  });

  test("names open holds by age, and reconciles an account on demand", async () => {
    expect((await operator.browser.submit(RELIABILITY, `${RELIABILITY}/reconcile`, { id: account.id })).html).toContain(
      `${account.id}: the ledger and D1 agree`,
    );
    const missing = await operator.browser.submit(RELIABILITY, `${RELIABILITY}/reconcile`, { id: "acc_0000000000000000" });
    expect(missing.status).toBe(422);
    await env.DB.prepare("UPDATE entry SET balance_after_micro_rub = balance_after_micro_rub + 1 WHERE account_id = ?1 AND seq = 1")
      .bind(account.id)
      .run();
    const broken = await operator.browser.submit(RELIABILITY, `${RELIABILITY}/reconcile`, { id: account.id });
    expect(broken.status).toBe(422);
    expect(broken.html).toContain("chain_broken");
  });

  test("tells who changed what, the newest first", async () => {
    const owner = await newOwner("Changer");
    await owner.browser.submit("/me", `/app/${owner.organisation}/projects`, { name: "a project of note" });
    const html = await page(RELIABILITY);
    expect(html).toMatch(/Changer[\s\S]*projects[\s\S]*a project of note[\s\S]*Firm of Changer/);
  });
});

describe("the difference of two texts", () => {
  test("is the shortest way from one to the other, with what is near", () => {
    const before = ["a", "b", "c", "d", "e", "f", "g"].join("\n");
    const lines = diffLines(before, ["a", "b", "X", "d", "e", "f", "g", "h"].join("\n")) ?? [];
    expect(lines.filter((line) => line.kind !== "same").map((line) => `${line.kind} ${line.text}`)).toEqual(["gone c", "new X", "new h"]);
    expect(hunksOf(lines, 1).map((line) => line?.text ?? null)).toEqual([null, "b", "c", "X", "d", null, "g", "h"]);
    expect(diffLines("a\n".repeat(3_000), "b")).toBeNull();
  });
});
