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
/** For whoever runs the installation. */
const INSTALLATION = [
  { name: "routing", path: "/app/installation/routing" },
  { name: "reliability", path: "/app/installation/reliability" },
];
/** Charts are drawn and the first state of a live page has come. Waiting for silence would wait for ever: a live page's stream stays open. */
const DRAWN_MILLISECONDS = 600;
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

interface Look {
  scheme: "light" | "dark";
  width: number;
  locale: string;
}

/** A browser of this look, and what keeps a picture of where it is. */
async function visitor(browser: Browser, look: Look): Promise<{ page: Page; save: (name: string) => Promise<void> }> {
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
    await page.waitForLoadState();
    await page.waitForTimeout(DRAWN_MILLISECONDS);
    await page.screenshot({ path: join(FOLDER, `${name}-${suffix}`), fullPage: true });
  };
  return { page, save };
}

async function shoot(browser: Browser, system: System, look: Look): Promise<void> {
  const { page, save } = await visitor(browser, look);
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
  await page.context().close();
}

async function shootInstallation(browser: Browser, system: System, look: Look): Promise<void> {
  const { page, save } = await visitor(browser, look);
  const { demo, firstOwner } = await signInLinks(system);
  await page.goto(demo ?? system.url);
  if (firstOwner !== null) {
    // The first to come makes the demo owner the one who runs the installation.
    await page.goto(firstOwner);
    await page.locator("[name=organisation]").fill("Plyrum");
    await page.locator("main form button[type=submit]").first().click();
    await page.waitForURL(/\/app\/org_/);
  }
  for (const { name, path } of INSTALLATION) {
    await page.goto(system.url + path);
    await save(name);
  }
  await page.context().close();
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
    const looks = WIDTHS.flatMap((width): Look[] => [
      { scheme: "light", width, locale: "en-GB" },
      { scheme: "dark", width, locale: "en-GB" },
      { scheme: "light", width, locale: "ru-RU" },
    ]);
    for (const look of looks) await shoot(browser, system, look);
    for (const look of looks) await shootInstallation(browser, system, look);
    process.stdout.write(`screenshots: ${FOLDER}\n`);
  } finally {
    await browser.close();
    await system.close();
    rmSync(stateDir, { recursive: true, force: true });
  }
}

await main();
