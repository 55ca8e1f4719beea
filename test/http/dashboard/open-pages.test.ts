/** What anybody may read: the API's description and the state of the gateway. Neither says anything of anybody's account. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { newAccount, send } from "../gateway.ts";
import { Browser } from "./browser.ts";

test("the API reference lists every call of the description, and shows each", async () => {
  const browser = new Browser();
  const { paths } = (await send("/openapi.json", { key: null })).json ?? {};
  const names = Object.entries(paths ?? {}).flatMap(([path, of]) =>
    Object.keys(of ?? {}).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(names.length).toBeGreaterThan(50);
  const { html } = await browser.get("/docs");
  for (const name of names) {
    expect(html, name).toContain(`/docs?operation=${encodeURIComponent(name)}`);
    const shown = await browser.get(`/docs?operation=${encodeURIComponent(name)}`);
    expect(shown.status, name).toBe(200);
    expect(shown.html.length, name).toBeLessThan(50_000);
  }
  expect((await browser.get("/docs?operation=GET%20%2Fnothing")).status).toBe(404);
  expect((await browser.get("/docs?q=webhooks+replay")).html).toMatch(/POST \/admin\/webhooks\/\{id\}\/replay/);
  expect((await browser.get("/docs?q=%3Cb%3Enothing")).html).toContain("No such call");
  const order = await browser.get(`/docs?operation=${encodeURIComponent("POST /v1/orders")}`);
  expect(order.html).toMatch(/>reference</);
});

test("the status says how providers did in shares and never in numbers, and that the parts answer", async () => {
  const account = await newAccount(1_000_000);
  const row = env.DB.prepare(
    "INSERT INTO usage_day VALUES (?1, ?2, 'acme/one', 'acme', 'k', CAST(?3 AS INTEGER), CAST(?4 AS INTEGER), 0, 0, 0, 0, 0, 0)",
  );
  const today = new Date().toISOString().slice(0, 10);
  await env.DB.batch([row.bind(account.id, today, "777777", "77777"), row.bind(`${account.id}2`, today, "222223", "22223")]);
  const { html, status } = await new Browser().get("/status");
  expect(status).toBe(200);
  expect(html).toMatch(/acme<\/th><td class="number">90%/);
  expect(html).not.toMatch(/777777|222223|1000000/);
  expect(html).not.toContain(account.id);
  expect(html).toContain("Everything works");
});
