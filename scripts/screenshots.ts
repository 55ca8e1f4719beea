/**
 * `npm run screenshots`: every page, light and dark, on a phone and on a desk, into target/screenshots. Starts a system of its own on an empty
 * state with the offline provider, lets a few requests run so that there is something to see, and needs Debian's Chromium.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { launchBrowser } from "./start/browser.ts";
import { writeAssets } from "./start/assets.ts";
import { signInLinks } from "./start/sign-in-links.ts";
import { startSystem, type System } from "./start/system.ts";
import { withTestPayments } from "./start/test-payments.ts";

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const FOLDER = join(ROOT, "target/screenshots");
const WIDTHS = (process.env["PLYRUM_WIDTHS"] ?? "390,1440").split(",").map(Number);
const HEIGHT = 900;
const ORGANISATION = "/app/org_000000000000demo";

const PAGES: readonly { name: string; path: string; prepare?: (page: Page) => Promise<unknown> }[] = [
  { name: "overview", path: ORGANISATION },
  { name: "requests", path: `${ORGANISATION}/requests` },
  {
    name: "request",
    path: `${ORGANISATION}/requests`,
    prepare: (page) => page.locator("td a").first().click(),
  },
  { name: "usage", path: `${ORGANISATION}/usage` },
  { name: "balance", path: `${ORGANISATION}/balance` },
  { name: "receivers", path: `${ORGANISATION}/balance/receivers` },
  { name: "keys", path: `${ORGANISATION}/keys` },
  { name: "models", path: `${ORGANISATION}/models` },
  { name: "playground", path: `${ORGANISATION}/playground?model=openai/gpt-5`, prepare: play },
  { name: "models", path: `${ORGANISATION}/models` },
  { name: "model-cost", path: `${ORGANISATION}/models/cost?model=openai/gpt-5` },
  { name: "docs", path: "/docs" },
  { name: "status", path: "/status" },
  { name: "people", path: `${ORGANISATION}/people` },
  { name: "person", path: "/me" },
  { name: "organisations", path: "/app?all" },
  { name: "not-found", path: "/app/nothing" },
];
const DOORS = [
  { name: "sign-in", path: "/sign-in" },
  { name: "sign-up", path: "/sign-up" },
];

/** Two models side by side, with their answers. */
async function play(page: Page): Promise<void> {
  await page.locator("#playground-add").click();
  await page.locator(".model-name").nth(1).fill("anthropic/claude-sonnet-4-5");
  await page.locator("#playground-message").fill("Write two sentences about the sea.");
  await page.locator("#playground-form button[type=submit]").click();
  await page.locator(".facts-line a").nth(1).waitFor();
}

async function ask(system: System, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${system.url}${path}`, {
    method: "POST",
    headers: { authorization: `Bearer ${system.demoKey}`, "content-type": "application/json", "anthropic-version": "2023-06-01" },
    body: JSON.stringify(body),
  });
  await response.text();
}

/** Requests of several kinds, some of which fail, so that lists and charts are not empty. */
async function fill(system: System): Promise<void> {
  const messages = [{ role: "user", content: "Write two sentences about the sea." }];
  for (const model of ["openai/gpt-5", "openai/gpt-5-mini", "groq/llama-3.3-70b-versatile", "anthropic/claude-sonnet-4-5"]) {
    await ask(system, "/v1/chat/completions", { model, stream: true, messages });
    await ask(system, "/v1/chat/completions", { model, messages });
  }
  await ask(system, "/v1/messages", { model: "anthropic/claude-sonnet-4-5", max_tokens: 200, stream: true, messages });
  await ask(system, "/v1/chat/completions", { model: "openai/nothing-of-the-kind", messages });
}

async function shoot(browser: Browser, system: System, look: { scheme: "light" | "dark"; width: number; locale: string }): Promise<void> {
  const context = await browser.newContext({
    colorScheme: look.scheme,
    viewport: { width: look.width, height: HEIGHT },
    locale: look.locale,
    timezoneId: "Europe/Moscow",
    deviceScaleFactor: 1,
  });
  const page = await context.newPage();
  const suffix = `${look.width}-${look.scheme}${look.locale === "en-GB" ? "" : `-${look.locale.slice(0, 2)}`}.png`;
  const save = async (name: string): Promise<void> => {
    await page.waitForLoadState("networkidle");
    await page.screenshot({ path: join(FOLDER, `${name}-${suffix}`), fullPage: true });
  };
  for (const { name, path } of DOORS) {
    await page.goto(system.url + path);
    await save(name);
  }
  const { demo, firstOwner } = await signInLinks(system);
  await page.goto(firstOwner ?? system.url);
  await save("welcome");
  await page.goto(demo ?? system.url);
  for (const { name, path, prepare } of PAGES) {
    await page.goto(system.url + path);
    await prepare?.(page);
    await save(name);
  }
  await context.close();
}

async function main(): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), "plyrum-screenshots-"));
  mkdirSync(FOLDER, { recursive: true });
  await writeAssets(ROOT);
  const system = await startSystem({ stateDir, environment: withTestPayments({}), workerLog: false });
  const browser = await launchBrowser();
  try {
    await fill(system);
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    for (const width of WIDTHS) {
      for (const scheme of ["light", "dark"] as const) await shoot(browser, system, { scheme, width, locale: "en-GB" });
    }
    for (const width of WIDTHS) await shoot(browser, system, { scheme: "light", width, locale: "ru-RU" });
    process.stdout.write(`screenshots: ${FOLDER}\n`);
  } finally {
    await browser.close();
    await system.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

await main();
