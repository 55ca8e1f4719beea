/**
 * What no page may let happen, over every route there is: a look at another organisation, an action beyond a role, a forged form, an answer
 * without its headers, a secret in the HTML. The routes are taken from the dashboard itself, so that a new one is tried from its first day.
 */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { isAllowed, PERMISSIONS, type Permission, ROLES, type Role } from "../../../schema/dashboard.ts";
import { routeList } from "../../../workers/dashboard/index.ts";
import { ADMIN_KEY, send } from "../gateway.ts";
import { Browser, type Insider, invite, newMember, newOwner } from "./browser.ts";

const ROUTES = routeList();
const inside = ROUTES.filter((route) => route.for === "organisation");

let home: Insider;
let abroad: Insider;
const members = new Map<Role, Insider>();
/** What belongs to the other organisation, by the name a path or a form gives it. */
const foreign: Record<string, string> = {};

beforeAll(async () => {
  home = await newOwner("Home");
  abroad = await newOwner("Abroad");
  members.set("owner", home);
  for (const role of ROLES.filter((each) => each !== "owner")) members.set(role, await newMember(home, role));
  const key = (await send(`/admin/accounts/${abroad.accountId}/keys`, { body: { name: "theirs" } })).json;
  await invite(abroad, "member");
  const row = async (sql: string): Promise<string> =>
    String(Object.values((await env.DB.prepare(sql).bind(abroad.organisation).first()) ?? {})[0]);
  Object.assign(foreign, {
    id: await row("SELECT id FROM invitation WHERE organisation_id = ?1"),
    key_id: String(key?.["id"]),
    key: String(key?.["key"]),
    person_id: await row("SELECT person_id FROM membership WHERE organisation_id = ?1"),
    project_id: await row("SELECT id FROM project WHERE organisation_id = ?1"),
    request: `req_${"0".repeat(23)}_0`,
  });
}, 60_000);

function pathOf(path: string, organisation: string): string {
  return path.replace(":organisation", organisation).replaceAll(/:(\w+)(\{[^}]*\})?/g, (_, name: string) => foreign[name] ?? "none");
}

async function status(browser: Browser, method: string, path: string): Promise<number> {
  return (method === "GET" ? await browser.get(path) : await browser.submit("/me", path)).status;
}

describe("there are routes to try", () => {
  test("every permission is asked for somewhere, or grants nothing", () => {
    expect(inside.length).toBeGreaterThan(10);
    const asked = new Set(inside.map((route) => route.may));
    expect(PERMISSIONS.filter((permission) => !asked.has(permission))).toEqual([]);
  });
});

describe.each(ROLES)("as %s", (role) => {
  test("every route of the own organisation answers exactly where the role grants it", async () => {
    const { browser } = members.get(role) ?? home;
    for (const { method, path, may } of inside) {
      const allowed = isAllowed(role, may as Permission);
      const seen = await status(browser, method, pathOf(path, home.organisation));
      // A path that names something of somebody else's is not there for anybody.
      const isThere = allowed && !/:(?!organisation)/.test(path);
      const what = `${role} ${method} ${path}`;
      if (isThere) expect([200, 303, 422], what).toContain(seen);
      else expect(seen, what).toBe(404);
    }
  });

  test("no route of another organisation is there, whatever the role at home", async () => {
    const { browser } = members.get(role) ?? home;
    for (const { method, path } of inside)
      expect(await status(browser, method, pathOf(path, abroad.organisation)), `${method} ${path}`).toBe(404);
  });

  test("no form at home reaches what is another organisation's", async () => {
    const { browser } = members.get(role) ?? home;
    const { request: _, key: secret = "", ...fields } = foreign;
    for (const { method, path } of inside.filter((route) => route.method === "POST")) {
      // Leaving by one's own hand and naming things anew are no reach into elsewhere.
      if (path.endsWith("/people/organisation") || path.endsWith("/projects") || path.endsWith("/people/invitations")) continue;
      await browser.get("/me");
      const seen = await browser.post(pathOf(path, home.organisation), { ...fields, role: "member", name: "x", csrf: browser.token });
      expect([404, 422], `${method} ${path}`).toContain(seen.status);
      for (const text of Object.values(fields).filter((value) => seen.html.includes(value))) expect(text, `${path} shows it`).toBe("");
    }
    expect((await send("/v1/balance", { key: secret })).status).toBe(200);
    const open = await env.DB.prepare("SELECT count(*) AS n FROM invitation WHERE organisation_id = ?1 AND revoked_at IS NULL")
      .bind(abroad.organisation)
      .first<{ n: number }>();
    expect(open?.n).toBe(1);
  });
});

describe("without a session", () => {
  test("every page that is not for anybody leads to the door, and no form of it is taken", async () => {
    for (const { method, path, for: whom } of ROUTES.filter((route) => route.for !== "anybody")) {
      const browser = new Browser();
      await browser.get("/sign-in");
      const address = pathOf(path, home.organisation);
      const seen = method === "GET" ? await browser.get(address) : await browser.post(address);
      expect(seen.status, `${whom} ${method} ${path}`).toBe(method === "GET" ? 303 : 403);
      if (method === "GET") expect(seen.location).toBe(`/sign-in?next=${encodeURIComponent(address)}`);
    }
  });

  test("the pages of the installation are there for its operator only", async () => {
    for (const { method, path } of ROUTES.filter((route) => route.for === "operator"))
      expect(await status(home.browser, method, pathOf(path, "")), path).toBe(404);
  });
});

describe("forms", () => {
  const posts = ROUTES.filter((route) => route.method === "POST");

  test("without their token, with another session's, or from another site change nothing", async () => {
    const before = await env.DB.prepare("SELECT count(*) AS n FROM audit_event").first<{ n: number }>();
    for (const { path } of posts) {
      const address = pathOf(path, home.organisation);
      await home.browser.get("/me");
      const mine = home.browser.token;
      await abroad.browser.get("/me");
      const forged = async (fields: Record<string, string>, headers: Record<string, string> = {}): Promise<number> =>
        (await home.browser.copy().ask(address, { method: "POST", fields: { name: "forged", ...fields }, headers })).status;
      expect(await forged({}), path).toBe(403);
      expect(await forged({ csrf: abroad.browser.token }), path).toBe(403);
      expect(await forged({ csrf: mine }, { origin: "https://elsewhere.test" }), path).toBe(403);
      expect(await forged({ csrf: mine }, { origin: "null" }), path).toBe(403);
      expect(await forged({ csrf: mine }, { "sec-fetch-site": "cross-site" }), path).toBe(403);
    }
    expect(await env.DB.prepare("SELECT count(*) AS n FROM audit_event").first<{ n: number }>()).toEqual(before);
    expect((await home.browser.get("/me")).status).toBe(200);
  });

  test("a change that went through is in the log, with who made it", async () => {
    const path = `/app/${home.organisation}`;
    await home.browser.submit(`${path}/keys`, `${path}/projects`, { name: "Logged" });
    const last = await env.DB.prepare("SELECT action, target FROM audit_event WHERE organisation_id = ?1 ORDER BY id DESC")
      .bind(home.organisation)
      .first();
    expect(last).toEqual({ action: "projects", target: "Logged" });
  });
});

describe("every answer", () => {
  test("has the headers that keep it safe, whatever its status", async () => {
    const addresses = [
      ...ROUTES.filter((route) => route.method === "GET").map((route) => pathOf(route.path, home.organisation)),
      "/app/nothing",
      "/auth/sign-up/email",
    ];
    for (const browser of [home.browser, new Browser()]) {
      for (const address of addresses) {
        const { headers, html } = await browser.get(address);
        const policy = headers.get("content-security-policy") ?? "";
        expect(policy, address).toMatch(/^default-src 'none'; script-src ('none'|'nonce-[\w-]{24}');/);
        expect(policy, address).toContain("frame-ancestors 'none'");
        expect(policy, address).not.toContain("unsafe");
        expect(headers.get("x-frame-options"), address).toBe("DENY");
        expect(headers.get("x-content-type-options"), address).toBe("nosniff");
        expect(headers.get("referrer-policy"), address).toBe("same-origin");
        expect(headers.get("cache-control"), address).toContain("no-store");
        expect(html, address).not.toMatch(/<[^>]*\s(on\w+|style)=/i);
        expect(html, address).not.toMatch(/javascript:/i);
      }
    }
  });

  test("has a nonce that every script of it carries and no other answer has", async () => {
    const path = `/app/${home.organisation}`;
    const [one, two] = [await home.browser.get(path), await home.browser.get(path)];
    const nonceOf = (headers: Headers): string => /nonce-([\w-]+)/.exec(headers.get("content-security-policy") ?? "")?.[1] ?? "";
    expect(nonceOf(one.headers)).not.toBe(nonceOf(two.headers));
    const scripts = [...one.html.matchAll(/<script (?!type="application\/json")[^>]*>/g)].map((match) => match[0]);
    expect(scripts.length).toBeGreaterThan(0);
    for (const script of scripts) expect(script).toContain(`nonce="${nonceOf(one.headers)}"`);
  });

  test("holds no secret of the deployment and no session", async () => {
    const session = [...home.browser.cookies].find(([name]) => name.endsWith("session_token"))?.[1] ?? "none";
    for (const { path } of ROUTES.filter((route) => route.method === "GET")) {
      const { html } = await home.browser.get(pathOf(path, home.organisation));
      for (const secret of [
        ADMIN_KEY,
        env.PLYRUM_KEY_SECRET,
        "test-openai-credential",
        session,
        decodeURIComponent(session).split(".")[0] ?? "",
      ])
        expect(html.includes(secret), path).toBe(false);
    }
  });

  test("escapes what people typed", async () => {
    const path = `/app/${home.organisation}`;
    await home.browser.submit(`${path}/keys`, `${path}/projects`, { name: `<script>alert("x")</script>` });
    const { html } = await home.browser.get(`${path}/keys`);
    expect(html).not.toContain("<script>alert");
    expect(html).toContain("&lt;script&gt;alert");
  });

  test("stays below fifty kilobytes", async () => {
    for (const { path } of ROUTES.filter((route) => route.method === "GET"))
      expect((await home.browser.get(pathOf(path, home.organisation))).html.length, path).toBeLessThan(50_000);
  });
});

describe("cookies", () => {
  test("of a session are out of reach of scripts and of other sites", async () => {
    const { email } = await newOwner();
    const seen = await new Browser().submit("/sign-in", "/sign-in", { email, password: "four words in a row" });
    const lines = seen.headers.getSetCookie().filter((line) => line.includes("session_token"));
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).toMatch(/HttpOnly/i);
      expect(line).toMatch(/SameSite=Lax/i);
    }
  });
});

describe("the sign-in library", () => {
  test("answers outside only for passkeys and the way back from a provider", async () => {
    const browser = new Browser();
    await browser.get("/sign-in");
    for (const path of [
      "sign-up/email",
      "sign-in/email",
      "open-session",
      "get-session",
      "list-sessions",
      "two-factor/enable",
      "update-user",
      "delete-user",
      "ok",
    ]) {
      expect((await browser.get(`/auth/${path}`)).status, path).toBe(404);
      expect((await browser.post(`/auth/${path}`, { email: home.email, name: "x" })).status, path).toBe(404);
    }
    expect((await browser.get("/auth/passkey/generate-authenticate-options")).status).toBe(200);
  });
});
