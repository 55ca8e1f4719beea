/** Two people look at one account: both see a request tick while it runs and settle when it ends, also after the whole system was stopped and started. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { browserPath, launchBrowser, WITHOUT_BROWSER } from "../../scripts/start/browser.ts";
import { signInLinks } from "../../scripts/start/sign-in-links.ts";
import { startSystem, type System } from "../../scripts/start/system.ts";

const PATH = "/app/org_000000000000demo";

let browser: Browser;
let system: System;
const stateDir = mkdtempSync(join(tmpdir(), "plyrum-live-"));
const pages: Page[] = [];

async function signedIn(): Promise<BrowserContext> {
  const context = await browser.newContext({ locale: "en-GB" });
  const page = await context.newPage();
  await page.goto((await signInLinks(system)).demo ?? "");
  await page.close();
  return context;
}

/** A streamed request of about this many seconds; resolves when it has begun. */
async function ask(seconds: number): Promise<{ id: string; ended: Promise<string> }> {
  const response = await fetch(`${system.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${system.demoKey}`, "content-type": "application/json" },
    body: JSON.stringify({
      model: `openai/gpt-5@chunks=${seconds * 10},delay=100,tokens=${seconds * 100}`,
      stream: true,
      messages: [{ role: "user", content: "Count slowly." }],
    }),
  });
  return { id: response.headers.get("x-plyrum-request-id") ?? "", ended: response.text() };
}

function cellOf(page: Page, id: string, cell: string): Promise<string> {
  return page.locator(`tr[data-request="${id}"] [data-cell="${cell}"]`).innerText();
}

async function bothSay(id: string, cell: string, said: RegExp): Promise<void> {
  const [first, second] = pages;
  if (first === undefined || second === undefined) throw new Error("two pages were opened");
  for (const page of [first, second]) await expect.poll(() => cellOf(page, id, cell), { timeout: 15_000 }).toMatch(said);
}

async function watch(): Promise<void> {
  const { id, ended } = await ask(4);
  await bothSay(id, "state", /streaming|under way/);
  await bothSay(id, "cost", /held$/);
  // The answer grows under the eyes of both.
  const shown = async (): Promise<number[]> =>
    Promise.all(pages.slice(0, 2).map(async (page) => Number(/\/ (\d+)/.exec(await cellOf(page, id, "tokens"))?.[1] ?? 0)));
  await expect.poll(async () => Math.min(...(await shown())), { timeout: 10_000 }).toBeGreaterThan(0);
  const before = await shown();
  await expect.poll(async () => (await shown()).every((now, at) => now > (before[at] ?? 0)), { timeout: 10_000 }).toBe(true);
  await ended;
  await bothSay(id, "state", /^done$/);
  const costs = await Promise.all(pages.slice(0, 2).map((page) => cellOf(page, id, "cost")));
  expect(costs[0]).toMatch(/^₽\d+\.\d+$/);
  expect(costs[1]).toBe(costs[0]);
}

async function balanceShown(): Promise<string> {
  return (await pages[2]?.locator('[data-live="available"]').innerText()) ?? "";
}

/** Without Chromium these are left out, which the other file of the dashboard says. */
describe.skipIf(browserPath() === null)(`an account in several browsers${WITHOUT_BROWSER}`, () => {
  beforeAll(async () => {
    system = await startSystem({ stateDir, environment: {}, workerLog: false });
    browser = await launchBrowser();
    for (const path of ["/requests", "/requests", ""]) {
      const page = await (await signedIn()).newPage();
      await page.goto(system.url + PATH + path);
      pages.push(page);
    }
  });

  afterAll(async () => {
    await browser?.close();
    await system?.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  test("both see it tick and settle, and the balance falls by what it cost", async () => {
    const before = await balanceShown();
    await watch();
    await expect.poll(balanceShown, { timeout: 10_000 }).not.toBe(before);
    await pages[0]?.reload();
    await expect.poll(() => pages[0]?.locator("tr[data-request]").count(), { timeout: 10_000 }).toBe(1);
  });

  test("a balance rises under the eyes of whoever looks on when money comes in", async () => {
    const before = await balanceShown();
    await fetch(`${system.url}/admin/accounts/demo/credits`, {
      method: "POST",
      headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
      body: JSON.stringify({ amount_micro_rub: 5_000_000_000, reference: "live" }),
    });
    await expect.poll(balanceShown, { timeout: 10_000 }).toMatch(/^₽5,0/);
    expect(await balanceShown()).not.toBe(before);
  });

  test("stopped and started again, the system has both back and right", async () => {
    const { port } = system;
    await system.close();
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    system = await startSystem({ port, stateDir, environment: {}, workerLog: false });
    await watch();
    expect(await pages[1]?.locator("[data-live-mark]").innerText()).toBe("live");
  });
});
