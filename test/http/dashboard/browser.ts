/** A browser without scripts: keeps cookies, follows a form from the page it is on, as a person does. */
import { env, exports } from "cloudflare:workers";
import { z } from "zod";

export const ORIGIN = "http://pages.test";

export interface Seen {
  status: number;
  location: string | null;
  headers: Headers;
  html: string;
}

interface Sending {
  method?: string;
  fields?: Record<string, string>;
  headers?: Record<string, string>;
}

/** The beginning of an answer that goes on for as long as somebody reads it. */
async function firstPiece(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? { value: undefined };
  await reader?.cancel();
  return new TextDecoder().decode(value);
}

export class Browser {
  readonly cookies = new Map<string, string>();
  /** The token of the last page seen. */
  token = "";

  async ask(path: string, { method = "GET", fields, headers = {} }: Sending = {}): Promise<Seen> {
    const response = await exports.default.fetch(
      new Request(`${ORIGIN}${path}`, {
        method,
        redirect: "manual",
        headers: {
          accept: "text/html",
          cookie: [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; "),
          ...(fields === undefined
            ? {}
            : { "content-type": "application/x-www-form-urlencoded", origin: ORIGIN, "sec-fetch-site": "same-origin" }),
          ...headers,
        },
        ...(fields === undefined ? {} : { body: new URLSearchParams(fields).toString() }),
      }),
    );
    for (const line of response.headers.getSetCookie()) this.keep(line);
    const isStream = response.headers.get("content-type") === "text/event-stream";
    const html = isStream ? await firstPiece(response) : await response.text();
    this.token = /name="form-token" content="([0-9a-f]+)"/.exec(html)?.[1] ?? this.token;
    return { status: response.status, location: response.headers.get("location"), headers: response.headers, html };
  }

  private keep(line: string): void {
    const [pair = "", ...attributes] = line.split(";");
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)];
    const isOver = value === "" || attributes.some((each) => /^\s*max-age=0\s*$/i.test(each));
    if (isOver) this.cookies.delete(name);
    else this.cookies.set(name, value);
  }

  get(path: string): Promise<Seen> {
    return this.ask(path);
  }

  /** Loads a page for its token, then sends a form. */
  async submit(page: string, action: string, fields: Record<string, string> = {}): Promise<Seen> {
    await this.get(page);
    return this.post(action, fields);
  }

  post(action: string, fields: Record<string, string> = {}): Promise<Seen> {
    return this.ask(action, { method: "POST", fields: { csrf: this.token, ...fields } });
  }

  /** The same again in another window: what is kept is copied. */
  copy(): Browser {
    const other = new Browser();
    for (const [name, value] of this.cookies) other.cookies.set(name, value);
    other.token = this.token;
    return other;
  }
}

export const PASSWORD = "four words in a row";

let count = 0;

export function newEmail(): string {
  count += 1;
  return `person${count}.${crypto.randomUUID().slice(0, 8)}@example.com`;
}

export interface Insider {
  browser: Browser;
  email: string;
  organisation: string;
  accountId: string;
}

const organisationSchema = z.object({ account_id: z.string() });

async function accountOf(organisation: string): Promise<string> {
  return organisationSchema.parse(await env.DB.prepare("SELECT account_id FROM organisation WHERE id = ?1").bind(organisation).first())
    .account_id;
}

/** Somebody new with an organisation of their own, as its owner. */
export async function newOwner(name = "Owner"): Promise<Insider> {
  const browser = new Browser();
  const email = newEmail();
  const seen = await browser.submit("/sign-up", "/sign-up", { name, email, password: PASSWORD, organisation: `Firm of ${name}` });
  const organisation = /^\/app\/(org_\w+)$/.exec(seen.location ?? "")?.[1];
  if (organisation === undefined) throw new Error(`nobody signed up: ${seen.status} ${seen.html.slice(0, 500)}`);
  return { browser, email, organisation, accountId: await accountOf(organisation) };
}

/** Somebody new who runs the installation. */
export async function newOperator(): Promise<Insider> {
  const owner = await newOwner("Operator");
  await env.DB.prepare("INSERT INTO operator (person_id, since) SELECT id, 0 FROM person WHERE email = ?1").bind(owner.email).run();
  return owner;
}

/** The link that an invitation's page shows. */
export async function invite(owner: Insider, role: string, email = ""): Promise<string> {
  const path = `/app/${owner.organisation}/people`;
  const seen = await owner.browser.submit(path, `${path}/invitations`, { role, email });
  const link = /\/invite\/[0-9A-Za-z]{43}/.exec(seen.html)?.[0];
  if (link === undefined) throw new Error(`no invitation: ${seen.status} ${seen.html.slice(0, 500)}`);
  return link;
}

/** Somebody new who accepts an invitation. */
export async function newMember(owner: Insider, role: string): Promise<Insider> {
  const link = await invite(owner, role);
  const browser = new Browser();
  const email = newEmail();
  const token = link.slice("/invite/".length);
  const seen = await browser.submit(link, link, { token, name: `A ${role}`, email, password: PASSWORD });
  if (seen.location !== `/app/${owner.organisation}`) throw new Error(`not accepted: ${seen.status} ${seen.html.slice(0, 500)}`);
  return { ...owner, browser, email };
}
