/** Who gets in, and how: sign-up, sign-in, links, invitations, the second factor, sessions. */
import { createHmac } from "node:crypto";
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { ADMIN_KEY, send } from "../gateway.ts";
import { Browser, invite, newEmail, newMember, newOwner, PASSWORD } from "./browser.ts";

describe("signing up and in", () => {
  test("somebody new gets an organisation with an account of its own and nothing on it", async () => {
    const { browser, organisation } = await newOwner();
    const page = await browser.get(`/app/${organisation}`);
    expect(page.status).toBe(200);
    expect(page.html).toContain("₽0.00");
    expect(page.html).toContain("Firm of Owner");
  });

  test("a password lets back in, another one does not, and neither says whether the address is known", async () => {
    const { email, organisation } = await newOwner();
    const browser = new Browser();
    const wrong = await browser.submit("/sign-in", "/sign-in", { email, password: "not the password" });
    const nobody = await browser.submit("/sign-in", "/sign-in", { email: newEmail(), password: "not the password" });
    expect([wrong.status, nobody.status]).toEqual([401, 401]);
    const text = (html: string): string => html.replaceAll(/value="[^"]*"|content="[^"]*"|nonce="[^"]*"/g, "");
    expect(text(wrong.html)).toBe(text(nobody.html));
    expect((await browser.get("/app")).location).toBe("/sign-in?next=%2Fapp");
    const right = await browser.submit("/sign-in", "/sign-in", {
      email: email.toUpperCase(),
      password: PASSWORD,
      next: `/app/${organisation}`,
    });
    expect(right.location).toBe(`/app/${organisation}`);
    expect((await browser.get("/app")).location).toBe(`/app/${organisation}`);
  });

  test("where a sign-in leads is always a page of ours", async () => {
    const { email } = await newOwner();
    for (const next of ["https://elsewhere.test/", "//elsewhere.test", "/\\elsewhere.test", "javascript:alert(1)"]) {
      const seen = await new Browser().submit("/sign-in", "/sign-in", { email, password: PASSWORD, next });
      expect(seen.location, next).toBe("/app");
    }
  });

  test("guesses at one address are refused after ten, right password or not, and another address is not touched", async () => {
    const { email } = await newOwner();
    const other = await newOwner();
    const browser = new Browser();
    await browser.get("/sign-in");
    for (let guess = 0; guess < 10; guess++)
      expect((await browser.post("/sign-in", { email, password: `guess ${guess}` })).status).toBe(401);
    expect((await browser.post("/sign-in", { email, password: PASSWORD })).status).toBe(429);
    expect((await browser.post("/sign-in", { email: other.email, password: PASSWORD })).status).toBe(303);
  });

  test("a short password and a taken address are refused with what to do", async () => {
    const { email } = await newOwner();
    const browser = new Browser();
    const short = await browser.submit("/sign-up", "/sign-up", { name: "X", email: newEmail(), password: "short", organisation: "X" });
    expect(short.status).toBe(422);
    expect(short.html).toContain("Password");
    const taken = await browser.submit("/sign-up", "/sign-up", { name: "X", email, password: PASSWORD, organisation: "X" });
    expect(taken.status).toBe(422);
    expect(taken.html).toContain("Sign in instead");
  });

  test("signing out ends the session, and signing out everywhere ends those of other browsers", async () => {
    const { browser, email } = await newOwner();
    const other = new Browser();
    await other.submit("/sign-in", "/sign-in", { email, password: PASSWORD });
    const stolen = browser.copy();
    await browser.submit("/me", "/sign-out");
    expect((await stolen.get("/me")).status).toBe(303);
    expect((await other.get("/me")).status).toBe(200);
    await other.submit("/me", "/me/sessions/end-all");
    expect((await other.get("/me")).status).toBe(303);
  });

  test("a password changed ends every other session", async () => {
    const { browser, email } = await newOwner();
    const other = new Browser();
    await other.submit("/sign-in", "/sign-in", { email, password: PASSWORD });
    const changed = await browser.submit("/me", "/me/password", { current: PASSWORD, password: "five other words in a row" });
    expect(changed.location).toBe("/me?done=password");
    expect((await browser.get("/me")).status).toBe(200);
    expect((await other.get("/me")).status).toBe(303);
  });
});

/** What an authenticator app shows: RFC 6238 with six digits every 30 seconds. */
function totp(secret: string, at = Date.now()): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Uint8Array.from(bits.match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2));
  const counter = new Uint8Array(8);
  new DataView(counter.buffer).setBigUint64(0, BigInt(Math.floor(at / 30_000)));
  const mac = createHmac("sha1" as "sha256", key)
    .update(counter)
    .digest();
  const offset = (mac.at(-1) ?? 0) & 15;
  const number = new DataView(Uint8Array.from(mac).buffer).getUint32(offset) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

describe("the second factor", () => {
  test("once it is on, a password alone lets nobody in, a code does, and a backup code does once", async () => {
    const { browser, email } = await newOwner();
    const begun = await browser.submit("/me", "/me/second-factor", { password: PASSWORD });
    const secret = /<code>([A-Z2-7]{16,})<\/code>/.exec(begun.html)?.[1] ?? "";
    const codes = /<code>((?:[\w-]{8,}\n)+[\w-]{8,})<\/code>/.exec(begun.html)?.[1]?.split("\n") ?? [];
    expect(codes.length).toBeGreaterThan(4);
    expect((await browser.post("/me/second-factor/confirm", { code: "000000" })).status).toBe(422);
    expect((await browser.submit("/me", "/me/second-factor/confirm", { code: totp(secret) })).location).toBe("/me");

    const other = new Browser();
    const half = await other.submit("/sign-in", "/sign-in", { email, password: PASSWORD });
    expect(half.location).toBe("/sign-in/second-factor?next=%2Fapp");
    expect((await other.get("/me")).status).toBe(303);
    expect((await other.submit("/sign-in/second-factor", "/sign-in/second-factor", { code: "123456" })).status).toBe(401);
    const whole = await other.submit("/sign-in/second-factor", "/sign-in/second-factor", { code: codes[0] ?? "", backup: "on" });
    expect(whole.location).toBe("/app");
    expect((await other.get("/me")).status).toBe(200);

    const third = new Browser();
    await third.submit("/sign-in", "/sign-in", { email, password: PASSWORD });
    expect((await third.submit("/sign-in/second-factor", "/sign-in/second-factor", { code: codes[0] ?? "", backup: "on" })).status).toBe(
      401,
    );
    expect((await third.submit("/sign-in/second-factor", "/sign-in/second-factor", { code: totp(secret) })).location).toBe("/app");
  });
});

async function ownerLink(): Promise<string> {
  const made = await send("/admin/sign-in-links", { body: { purpose: "first-owner" } });
  return String(made.json?.["url"]).replace("http://gateway.test", "");
}

describe("the links of the start", () => {
  test("only the operator's key makes one", async () => {
    for (const key of [null, "wrong"])
      expect((await send("/admin/sign-in-links", { body: { purpose: "first-owner" }, key })).status).toBe(401);
    expect((await send("/admin/sign-in-links", { body: { purpose: "root" } })).status).toBe(400);
  });

  test("there is no demo link where there is no demo account", async () => {
    expect((await send("/admin/sign-in-links", { body: { purpose: "demo" } })).status).toBe(409);
    expect((await new Browser().get(`/sign-in/demo?token=${"a".repeat(43)}`)).location).toBe("/sign-in?ended=1");
  });

  test("of an empty installation one person becomes the owner, once, and a newer link makes the older one worthless", async () => {
    await env.DB.prepare("DELETE FROM operator").run();
    const older = await ownerLink();
    const link = await ownerLink();
    const late = new Browser();
    expect((await late.get(older)).location).toBe("/sign-in?ended=1");
    const [first, second] = [new Browser(), new Browser()];
    const page = await first.get(link);
    expect(page.html).toContain("Make this installation yours");
    await second.get(link);
    const token = new URL(link, "http://x.test").searchParams.get("token") ?? "";
    const fields = { token, name: "First", email: newEmail(), password: PASSWORD, organisation: "Head office" };
    const became = await first.post("/welcome", fields);
    expect(became.location).toMatch(/^\/app\/org_/);
    const beaten = await second.post("/welcome", { ...fields, email: newEmail() });
    expect(beaten.location).toBe("/sign-in?ended=1");
    const operators = await env.DB.prepare("SELECT count(*) AS count FROM operator").first<{ count: number }>();
    expect(operators?.count).toBe(1);
    expect((await send("/admin/sign-in-links", { body: { purpose: "first-owner" } })).status).toBe(409);
    expect(ADMIN_KEY).not.toBe("");
  });
});

describe("invitations", () => {
  test("a link works once, gives its role, and is kept only as a hash", async () => {
    const owner = await newOwner();
    const link = await invite(owner, "billing");
    const stored = JSON.stringify(
      (await env.DB.prepare("SELECT * FROM invitation WHERE organisation_id = ?1").bind(owner.organisation).all()).results,
    );
    expect(stored).not.toContain(link.slice("/invite/".length));
    const browser = new Browser();
    const fields = { token: link.slice("/invite/".length), name: "B", email: newEmail(), password: PASSWORD };
    expect((await browser.submit(link, link, fields)).location).toBe(`/app/${owner.organisation}`);
    expect((await browser.get(`/app/${owner.organisation}/people`)).html).toContain("Billing");
    expect((await new Browser().submit("/sign-in", link, { ...fields, email: newEmail() })).status).toBe(404);
  });

  test("one for an address is for that address only", async () => {
    const owner = await newOwner();
    const link = await invite(owner, "member", "wanted@example.com");
    const stranger = await newOwner("Stranger");
    const seen = await stranger.browser.submit(link, link, { token: link.slice("/invite/".length) });
    expect(seen.status).toBe(422);
    expect((await stranger.browser.get(`/app/${owner.organisation}`)).status).toBe(404);
  });

  test("one that was taken back is worthless", async () => {
    const owner = await newOwner();
    const link = await invite(owner, "member");
    const people = `/app/${owner.organisation}/people`;
    const id = /name="id" value="(inv_\w+)"/.exec((await owner.browser.get(people)).html)?.[1] ?? "";
    expect((await owner.browser.post(`${people}/invitations/revoke`, { id })).status).toBe(303);
    expect((await new Browser().get(link)).status).toBe(404);
  });

  test("an admin makes no owner, and the last owner cannot go", async () => {
    const owner = await newOwner();
    const admin = await newMember(owner, "admin");
    const people = `/app/${owner.organisation}/people`;
    expect((await admin.browser.submit(people, `${people}/invitations`, { role: "owner" })).status).toBe(422);
    const ids = [...(await owner.browser.get(people)).html.matchAll(/name="person_id" value="(\w+)"/g)].map((match) => match[1] ?? "");
    const ownerId = ids[0] ?? "";
    expect((await admin.browser.submit(people, `${people}/remove`, { person_id: ownerId })).status).toBe(422);
    expect((await admin.browser.submit(people, `${people}/role`, { person_id: ownerId, role: "member" })).status).toBe(422);
    expect((await owner.browser.submit(people, `${people}/remove`, { person_id: ownerId })).status).toBe(422);
    expect((await owner.browser.submit(people, `${people}/role`, { person_id: ownerId, role: "member" })).status).toBe(422);
    expect((await owner.browser.get(people)).status).toBe(200);
  });
});
