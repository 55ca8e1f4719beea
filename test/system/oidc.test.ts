/** Sign-in by a provider of OpenID Connect, from the page to the way back, against a provider on a socket of its own. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { CLIENT, type Claims, type Fault, type OidcProvider, startOidcProvider } from "./oidc-provider.ts";
import { type Stage, startStage } from "./shared-system.ts";

const ADA: Claims = { sub: "subject-ada", email: "ada@outside.example", name: "Ada of Outside", email_verified: true };
const PASSWORD = "four words in a row";

interface Seen {
  status: number;
  /** Where it leads, with the system's own address taken off. */
  location: string;
  html: string;
}

let stage: Stage;
let provider: OidcProvider;

/** A client that keeps the system's cookies and follows nothing by itself. */
class Client {
  readonly cookies = new Map<string, string>();
  #token = "";

  async ask(path: string, fields?: Record<string, string>): Promise<Seen> {
    const origin = stage.system.url;
    const response = await fetch(new URL(path, origin), {
      redirect: "manual",
      headers: {
        accept: "text/html",
        "accept-language": "en",
        cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
        ...(fields === undefined ? {} : { origin }),
      },
      ...(fields === undefined ? {} : { method: "POST", body: new URLSearchParams({ csrf: this.#token, ...fields }) }),
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    const html = await response.text();
    this.#token = /name="form-token" content="([0-9a-f]+)"/.exec(html)?.[1] ?? this.#token;
    return { status: response.status, location: (response.headers.get("location") ?? "").replace(origin, ""), html };
  }

  #keep(line: string): void {
    const [, name = "", value = ""] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
    if (value === "" || /;\s*max-age=0/i.test(line)) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }

  /** From the sign-in page to the provider; the address it sends the browser back to. */
  async wayBack(next = "/me"): Promise<string> {
    await this.ask("/sign-in");
    const { status, location } = await this.ask("/sign-in/outside", { provider: "oidc", next });
    if (status !== 303 || !location.startsWith(`${provider.url}/authorize?`)) throw new Error(`nobody was sent on: ${status} ${location}`);
    const back = (await fetch(location, { redirect: "manual" })).headers.get("location") ?? "";
    if (!back.startsWith(`${stage.system.url}/auth/callback/oidc?`)) throw new Error(`nobody was sent back: ${back}`);
    return back;
  }

  async signIn(next = "/me"): Promise<Seen> {
    return this.ask(await this.wayBack(next));
  }
}

/** Nobody is signed in, and the page they are led to says so. */
async function expectRefused(client: Client, seen: Seen): Promise<void> {
  expect(seen.status).toBe(302);
  expect(seen.location).toMatch(/^\/sign-in\?/);
  const page = await client.ask(seen.location);
  expect(page.status).toBe(200);
  expect(page.html).toContain("The provider did not sign you in.");
  expect((await client.ask("/me")).location).toMatch(/^\/sign-in\?next=/);
}

beforeAll(async () => {
  provider = await startOidcProvider(ADA);
  stage = await startStage({
    PLYRUM_OIDC_DISCOVERY_URL: `${provider.url}/.well-known/openid-configuration`,
    PLYRUM_OIDC_CLIENT_ID: CLIENT.id,
    PLYRUM_OIDC_CLIENT_SECRET: CLIENT.secret,
    PLYRUM_OIDC_NAME: "Acme Door",
  });
});

afterEach(() => {
  Object.assign(provider, { person: ADA, fault: null, areClaimsInToken: true, isDown: false, isKeyless: false });
});

afterAll(async () => {
  await stage?.close();
  await provider?.close();
});

describe("a provider of OpenID Connect", () => {
  test("that is down, or has no keys, holds up nobody else, and signs people in as soon as it is back", async () => {
    const client = new Client();
    for (const fault of ["isDown", "isKeyless"] as const) {
      provider[fault] = true;
      expect((await client.ask("/sign-in")).html).toContain("Continue with Acme Door");
      const refused = await client.ask("/sign-in/outside", { provider: "oidc", next: "/me" });
      expect(refused.status).toBe(400);
      expect(refused.html).toContain("The provider did not sign you in.");
      provider[fault] = false;
    }
    const before = provider.asked.length;
    const owner = { name: "Owner", email: "first@inside.example", password: PASSWORD, organisation: "Inside" };
    await client.ask("/sign-up");
    expect((await client.ask("/sign-up", owner)).location).toMatch(/^\/app\/org_/);
    expect((await client.ask("/me")).status).toBe(200);
    expect(provider.asked).toHaveLength(before);
    expect((await new Client().signIn()).location).toBe("/me");
  });

  test("signs in a new person, who is the same one the next time", async () => {
    const first = new Client();
    expect(await first.signIn()).toMatchObject({ status: 302, location: "/me" });
    const me = await first.ask("/me");
    expect(me.status).toBe(200);
    expect(me.html).toContain(ADA.name);
    expect(me.html).toContain(ADA.email);
    await first.ask("/app");
    const { location } = await first.ask("/organisations", { name: "Firm of Ada" });
    expect(location).toMatch(/^\/app\/org_/);

    const second = new Client();
    provider.person = { ...ADA, email: "ada.moved@outside.example" };
    await second.signIn("/app");
    expect((await second.ask(location)).html).toContain(ADA.name);
    expect(provider.exchanges.every((said) => said === "200")).toBe(true);
  });

  test("may keep the person's claims out of the token", async () => {
    provider.areClaimsInToken = false;
    provider.person = { sub: "subject-eve", email: "eve@outside.example", name: "Eve of Outside" };
    const client = new Client();
    expect((await client.signIn()).location).toBe("/me");
    expect((await client.ask("/me")).html).toContain("Eve of Outside");
  });

  test("signs in whoever has the cookie of a session that is over", async () => {
    const client = new Client();
    const back = await client.wayBack();
    const other = new Client();
    await other.signIn();
    const session = other.cookies.get("plyrum.session_token") ?? "";
    await other.ask("/me");
    expect((await other.ask("/sign-out", {})).location).toBe("/sign-in");
    client.cookies.set("plyrum.session_token", session);
    expect((await client.ask(back)).location).toBe("/me");
    expect((await client.ask("/me")).status).toBe(200);
  });
});

describe("the way back from a provider", () => {
  test("with a state nobody was given signs nobody in", async () => {
    const client = new Client();
    const back = new URL(await client.wayBack());
    back.searchParams.set("state", "A".repeat(32));
    await expectRefused(client, await client.ask(back.href));
  });

  test("with the state of another browser signs nobody in", async () => {
    const [victim, attacker] = [new Client(), new Client()];
    const back = await attacker.wayBack();
    await victim.wayBack();
    await expectRefused(victim, await victim.ask(back));
  });

  test("without a state, or with a refusal, signs nobody in", async () => {
    const client = new Client();
    await expectRefused(client, await client.ask("/auth/callback/oidc?code=any"));
    const state = new URL(await client.wayBack()).searchParams.get("state");
    await expectRefused(client, await client.ask(`/auth/callback/oidc?error=access_denied&state=${state}`));
  });

  test("goes once: neither the same address again nor its code in another sign-in signs anybody in", async () => {
    const client = new Client();
    const used = new URL(await client.wayBack());
    const cookies = new Map(client.cookies);
    expect((await client.ask(used.href)).location).toBe("/me");

    const again = new Client();
    for (const [name, value] of cookies) again.cookies.set(name, value);
    await expectRefused(again, await again.ask(used.href));

    const fresh = new URL(await again.wayBack());
    fresh.searchParams.set("code", used.searchParams.get("code") ?? "");
    await expectRefused(again, await again.ask(fresh.href));
    expect(provider.exchanges.at(-1)).toBe("invalid_grant");
  });

  test.each<Fault>(["signature", "unsigned", "audience", "issuer", "nonce", "expired"])(
    "with a token that is wrong in its %s signs nobody in",
    async (fault) => {
      provider.fault = fault;
      const client = new Client();
      await expectRefused(client, await client.signIn());
      expect(provider.exchanges.at(-1)).toBe("200");
    },
  );

  test.each([undefined, false, true])("does not take over a password's account (e-mail verified: %s)", async (verified) => {
    const owner = new Client();
    const email = `owner-${String(verified)}@inside.example`;
    await owner.ask("/sign-up");
    const { location } = await owner.ask("/sign-up", { name: "Owner Inside", email, password: PASSWORD, organisation: "Inside" });
    expect(location).toMatch(/^\/app\/org_/);

    provider.person = {
      sub: `subject-${String(verified)}`,
      email,
      name: "Somebody",
      ...(verified === undefined ? {} : { email_verified: verified }),
    };
    const client = new Client();
    await expectRefused(client, await client.signIn());

    const later = new Client();
    await later.ask("/sign-in");
    expect((await later.ask("/sign-in", { email, password: PASSWORD, remember: "on", next: location })).location).toBe(location);
    expect((await later.ask("/me")).html).toContain("Owner Inside");
  });
});
