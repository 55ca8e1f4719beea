/**
 * The dashboard as people use it, in a real browser: from an empty installation to a revoked key. Without Debian's Chromium it is left out,
 * and says so.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { browserPath, launchBrowser, WITHOUT_BROWSER } from "../../scripts/start/browser.ts";
import { signInLinks } from "../../scripts/start/sign-in-links.ts";
import { startSystem, type System } from "../../scripts/start/system.ts";
import { withTestPayments } from "../../scripts/start/test-payments.ts";

const PASSWORD = "four words in a row";
const hasBrowser = browserPath() !== null;
if (!hasBrowser) process.stdout.write("dashboard: no Chromium is installed (apt install chromium), so no page is tried in a browser\n");

async function leaveAtOnce(url: string): Promise<void> {
  await fetch(url, { signal: AbortSignal.timeout(5), headers: { cookie: "plyrum.session_token=forged.forged" } }).catch(() => undefined);
}

/** What the browser complained of: a page of ours gives it no reason to. */
const complaints: string[] = [];

async function newPage(browser: Browser): Promise<Page> {
  const page = await (await browser.newContext({ locale: "en-GB", acceptDownloads: true })).newPage();
  page.on("console", (message) => {
    // A refused form or sign-in is an answer, not a complaint.
    if (message.type() === "error" && !/status of 4\d\d/.test(message.text())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    if (protocol.startsWith("http") && !["127.0.0.1", "localhost"].includes(hostname)) complaints.push(`asked elsewhere: ${request.url()}`);
  });
  return page;
}

const resultSchema = z.object({
  violations: z.array(
    z.object({ id: z.string(), impact: z.string().nullish(), nodes: z.array(z.object({ html: z.string(), failureSummary: z.string() })) }),
  ),
});

async function accessibilityFaults(page: Page, rules: string[] | null): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = resultSchema.parse(
    await page.evaluate(
      `axe.run(document, ${JSON.stringify({ resultTypes: ["violations"], ...(rules === null ? {} : { runOnly: rules }) })})`,
    ),
  );
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id} ${html} ${failureSummary}`));
}

async function signUp(page: Page, name: string, email: string): Promise<void> {
  await page.getByLabel("Name").fill(name);
  await page.getByLabel("E-mail").fill(email);
  await page.getByLabel("Password").fill(PASSWORD);
}

async function amountOf(page: Page, label: string): Promise<number> {
  const text = await page
    .locator(".figure", { has: page.locator(`dt:text-is("${label}")`) })
    .locator("dd")
    .first()
    .innerText();
  return Number(text.replaceAll(/[^\d.]/g, ""));
}

describe.skipIf(!hasBrowser)(`the dashboard in a browser${WITHOUT_BROWSER}`, () => {
  let system: System;
  let browser: Browser;
  let owner: Page;
  let member: Page;
  let home: string;
  const stateDir = mkdtempSync(join(tmpdir(), "plyrum-pages-"));

  beforeAll(async () => {
    system = await startSystem({ stateDir, environment: withTestPayments({}), workerLog: false });
    // Whoever comes first and leaves at once must not spoil what all later ones need: pages and sign-in prepare themselves in a request.
    await Promise.all(["/sign-in", "/sign-up", "/app"].map((path) => leaveAtOnce(`${system.url}${path}`)));
    browser = await launchBrowser();
    owner = await newPage(browser);
    member = await newPage(browser);
  });
  afterAll(async () => {
    await browser?.close();
    await system?.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  test("the first person becomes the owner by the link of the start, which is then worthless", async () => {
    const { firstOwner } = await signInLinks(system);
    await owner.goto(firstOwner ?? "");
    await signUp(owner, "Olga", "olga@example.com");
    await owner.getByLabel("Organisation").fill("Head office");
    await owner.getByRole("button", { name: "Create" }).click();
    await owner.getByRole("heading", { name: "Overview" }).waitFor();
    home = new URL(owner.url()).pathname;
    expect(home).toMatch(/^\/app\/org_/);
    await member.goto(firstOwner ?? "");
    expect(member.url()).toContain("/sign-in?ended");
    expect((await signInLinks(system)).firstOwner).toBeNull();
  });

  test("somebody invited joins with the role of the invitation", async () => {
    await owner.getByRole("link", { name: "People" }).click();
    await owner.getByLabel("Role", { exact: true }).selectOption("member");
    await owner.getByRole("button", { name: "Make the link" }).click();
    const link = await owner.locator(".notice code").innerText();
    await member.goto(link);
    await signUp(member, "Misha", "misha@example.com");
    await member.getByRole("button", { name: "Join" }).click();
    await member.getByRole("heading", { name: "Overview" }).waitFor();
    expect(new URL(member.url()).pathname).toBe(home);
    await expect(member.getByRole("link", { name: "Balance" }).count()).resolves.toBe(0);
  });

  test("an order paid at the test provider raises the balance, and the chain of entries holds", async () => {
    await owner.goto(`${system.url}${home}/balance`);
    expect(await amountOf(owner, "Available")).toBe(0);
    await owner.getByLabel("Amount, ₽").first().fill("150,50");
    await owner.getByRole("button", { name: "Make an order" }).click();
    await owner.getByRole("button", { name: "Pay by the test provider" }).click();
    await owner.getByText("The test provider said it was paid.").waitFor();
    expect(await amountOf(owner, "Available")).toBe(150.5);
    await owner.getByText("Chain checked: 1 entries hold.").waitFor();
    await expect(owner.getByRole("button", { name: "Pay by the test provider" }).count()).resolves.toBe(0);
  });

  let key = "";
  test("a member makes a key, which works", async () => {
    await member.getByRole("link", { name: "Keys" }).click();
    await member.getByLabel("Name").first().fill("program");
    await member.getByLabel("Spend per day, ₽").fill("10");
    await member.getByRole("button", { name: "Create the key" }).click();
    key = (await member.locator(".notice code").first().innerText()).trim();
    const answer = await fetch(`${system.url}/v1/balance`, { headers: { authorization: `Bearer ${key}` } });
    expect(await answer.json()).toMatchObject({ balance_micro_rub: 150_500_000 });
  });

  test.each(["openai-chat", "openai-responses", "anthropic-messages", "gemini", "ollama-chat"])(
    "the playground streams an answer in the format %s, with its cost, and leads to its request",
    async (format) => {
      await member.goto(`${system.url}${home}/playground?model=openai/gpt-5`);
      await member.getByLabel("Format").selectOption(format);
      await member.getByLabel("Message").fill("Good evening");
      await member.getByRole("button", { name: "Send" }).click();
      const facts = member.locator(".facts-line");
      await facts.getByText("₽").waitFor();
      expect(await member.locator("div.answer").innerText()).toContain("Good evening");
      expect(await facts.innerText()).toMatch(/first token .* · \d+ tokens · ₽0\.\d+ · Open the request/);
      await facts.getByRole("link").click();
      await member.getByRole("heading", { name: "Usage and cost" }).waitFor();
      expect(await member.locator("svg rect").count()).toBeGreaterThan(3);
      await expect
        .poll(
          async () => {
            await member.reload();
            return member.getByText("This is exactly what is stored.").count();
          },
          { timeout: 10_000 },
        )
        .toBe(1);
    },
  );

  test("two models answer side by side", async () => {
    await member.goto(`${system.url}${home}/playground?model=openai/gpt-5`);
    await member.getByRole("button", { name: "Add a model beside" }).click();
    await member.locator(".model-name").nth(1).fill("anthropic/claude-sonnet-4-5");
    await member.getByLabel("Message").fill("Both of you");
    await member.getByRole("button", { name: "Send" }).click();
    await member.locator(".facts-line").nth(0).getByRole("link").waitFor();
    await member.locator(".facts-line").nth(1).getByRole("link").waitFor();
    for (const column of [0, 1]) expect(await member.locator("div.answer").nth(column).innerText()).toContain("Both of you");
  });

  test("the list of requests is filtered by its address, and usage is exported whole", async () => {
    await expect
      .poll(
        async () => {
          await member.goto(`${system.url}${home}/requests?model=claude`);
          return member.locator("tbody tr").count();
        },
        { timeout: 10_000 },
      )
      .toBe(1);
    await member.goto(`${system.url}${home}/usage`);
    const downloading = member.waitForEvent("download");
    await member.getByRole("link", { name: "CSV" }).click();
    const lines = readFileSync(await (await downloading).path(), "utf8")
      .trim()
      .split("\n");
    expect(lines).toHaveLength(8);
    expect(lines[0]).toContain("cost_micro_rub");
    await member.locator(".chart canvas").first().waitFor();
  });

  test("a revoked key is refused at once", async () => {
    await member.goto(`${system.url}${home}/keys`);
    member.once("dialog", (dialog) => void dialog.accept());
    await member.getByRole("button", { name: "Revoke: program" }).click();
    await member.getByText("The key is revoked.").waitFor();
    const answer = await fetch(`${system.url}/v1/balance`, { headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(401);
  });

  test("a passkey, once added, signs in without the password", async () => {
    const session = await owner.context().newCDPSession(owner);
    await session.send("WebAuthn.enable");
    const options = {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
    } as const;
    await session.send("WebAuthn.addVirtualAuthenticator", { options: { ...options, automaticPresenceSimulation: true } });
    // A passkey belongs to a name; an address of numbers has none.
    const origin = system.url.replace("127.0.0.1", "localhost");
    await owner.goto(`${origin}/sign-in`);
    await owner.getByLabel("E-mail").fill("olga@example.com");
    await owner.getByLabel("Password").fill(PASSWORD);
    await owner.getByRole("button", { name: "Sign in", exact: true }).click();
    await owner.getByRole("heading", { name: "Overview" }).waitFor();
    await owner.goto(`${origin}/me`);
    await owner.getByRole("button", { name: "Add a passkey of this device" }).click();
    await owner.getByRole("button", { name: "Delete" }).waitFor();
    await owner.getByRole("button", { name: "Sign out", exact: true }).first().click();
    await owner.getByRole("button", { name: "Sign in with a passkey" }).click();
    await owner.getByRole("heading", { name: "Overview" }).waitFor();
    expect(new URL(owner.url()).pathname).toBe(home);
  });

  test("the palette goes to a page, a model or a request by the keyboard alone, and single keys go to pages", async () => {
    await owner.goto(`${system.url.replace("127.0.0.1", "localhost")}${home}`);
    await owner.keyboard.press("Control+k");
    const palette = owner.getByRole("dialog", { name: "Go to" });
    await palette.waitFor();
    await owner.keyboard.type("gpt-5-mini");
    await owner.getByRole("option", { name: /Models with/ }).waitFor();
    await owner.keyboard.press("Enter");
    await owner.waitForURL(/\/models\?q=gpt-5-mini$/);
    await owner.keyboard.press("g");
    await owner.keyboard.press("k");
    await owner.waitForURL(/\/keys$/);
    await owner.keyboard.press("?");
    await palette.waitFor();
    await owner.keyboard.press("ArrowDown");
    await owner.keyboard.press("Enter");
    await owner.waitForURL(/\/requests$/);
    await owner.keyboard.press("/");
    expect(await owner.evaluate("document.activeElement.name")).toBe("model");
    await owner.keyboard.type("gk");
    expect(owner.url()).toMatch(/\/requests$/);
  });

  test("the language, the look and the reader's zone are kept", async () => {
    await member.goto(`${system.url}${home}`);
    await member.getByRole("button", { name: "Русский" }).click();
    await member.getByRole("heading", { name: "Обзор" }).waitFor();
    await member.getByRole("button", { name: "Тёмное" }).click();
    await member.waitForLoadState();
    expect(await member.locator("html").getAttribute("data-theme")).toBe("dark");
    expect(await member.evaluate("getComputedStyle(document.body).backgroundColor")).toBe("rgb(14, 17, 22)");
    expect(await member.evaluate("document.cookie")).toContain("plyrum.zone=");
  });

  test("the demo's link signs the demo owner in", async () => {
    const page = await newPage(browser);
    const { demo } = await signInLinks(system);
    await page.goto(demo ?? "");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    expect(await amountOf(page, "Available")).toBe(100);
  });

  test("a checker of accessibility finds nothing serious on any page, in the light or in the dark", async () => {
    const pages = [
      "",
      "/requests",
      "/usage",
      "/balance",
      "/balance/receivers",
      "/keys",
      "/models",
      "/models/cost?model=openai/gpt-5",
      "/playground",
      "/people",
    ].map((path) => home + path);
    const found: string[] = [];
    for (const colorScheme of ["light", "dark"] as const) {
      await owner.emulateMedia({ colorScheme });
      // What a page is made of is the same in the dark; only its colours are others.
      const rules = colorScheme === "dark" ? ["color-contrast"] : null;
      const others = [
        "/app/installation/routing",
        "/app/installation/reliability",
        "/docs",
        "/docs?operation=POST%20%2Fv1%2Forders",
        "/status",
      ];
      for (const path of [...pages, ...others, "/me", "/app?all", "/app/nothing"]) {
        await owner.goto(`${system.url.replace("127.0.0.1", "localhost")}${path}`);
        for (const fault of await accessibilityFaults(owner, rules)) found.push(`${colorScheme} ${path}: ${fault}`);
      }
    }
    expect(found).toEqual([]);
  });

  test("no page gave the browser a reason to complain", () => {
    expect(complaints).toEqual([]);
  });
});
