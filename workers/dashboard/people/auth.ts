/**
 * Who somebody is: better-auth, on D1, with our tables. All of it is behind one function that takes a call and gives the answer, so that
 * pages speak to it as its own clients would, and only a few of its paths can be reached from outside at all.
 */
import { passkey } from "@better-auth/passkey";
import { betterAuth } from "better-auth/minimal";
import { genericOAuth } from "better-auth/plugins/generic-oauth";
import { twoFactor } from "better-auth/plugins/two-factor";
import { z } from "zod";
import { parseJson } from "../../../schema/json.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { prepareAsyncStorage } from "./async-storage.ts";
import { authDatabase } from "./auth-database.ts";
import { openSession } from "./open-session.ts";
import { outsideSignIns, socialSettings } from "./outside-sign-in.ts";
import { derivedSecret, hexOf } from "./secrets.ts";

export const AUTH_PATH = "/auth";
const PRODUCT_NAME = "Plyrum";
const ANSWERS_KEPT = 32;

/** What a browser may ask of the library itself: passkeys, which need a script, and the way back from an outside provider. */
const FROM_OUTSIDE = [
  /^\/auth\/passkey\/generate-(register|authenticate)-options$/,
  /^\/auth\/passkey\/verify-(registration|authentication)$/,
  /^\/auth\/callback\/[a-z]{1,20}$/,
];

type Answer = (request: Request) => Promise<Response>;

/** Calls that need the outside providers: to go to one, and to come back. */
const OF_PROVIDERS = /^\/auth\/(sign-in\/social$|callback\/)/;

/** By origin, since a passkey and a cookie belong to one, and by whether the providers are in it. */
const answers = new Map<string, Answer>();

export function isInvitedOnly(env: Env): boolean {
  return env.PLYRUM_SIGN_UP === "invited";
}

/** The address people see, which may not be the one a proxy calls. */
export function publicOrigin(request: Request, env: Env): string {
  return new URL(env.PLYRUM_PUBLIC_URL ?? request.url).origin;
}

/**
 * Kept only once it is whole: the library prepares itself in a promise, which a cancelled request would leave unsettled for all others.
 * It asks a provider for its addresses while it prepares itself, and goes on without one that does not answer; so only calls that need
 * the providers wait for them, and what was made while one was down is not kept.
 */
async function authOf(origin: string, env: Env, path: string): Promise<Answer> {
  const withProviders = OF_PROVIDERS.test(path);
  const name = `${withProviders ? "outside" : "own"} ${origin}`;
  const known = answers.get(name);
  if (known !== undefined) return known;
  const { answer, isWhole } = await createAuth(origin, env, withProviders);
  if (!isWhole) return answer;
  if (answers.size >= ANSWERS_KEPT) answers.delete(answers.keys().next().value ?? "");
  answers.set(name, answer);
  return answer;
}

async function createAuth(origin: string, env: Env, withProviders: boolean): Promise<{ answer: Answer; isWhole: boolean }> {
  prepareAsyncStorage();
  const { social, generic } = socialSettings(withProviders ? outsideSignIns(env) : [], isInvitedOnly(env));
  const auth = betterAuth({
    appName: PRODUCT_NAME,
    baseURL: origin,
    basePath: AUTH_PATH,
    secret: hexOf(derivedSecret(env, "better-auth")),
    database: authDatabase(env.DB),
    user: { modelName: "person" },
    session: { modelName: "person_session", expiresIn: LIMITS.sessionSeconds, updateAge: LIMITS.sessionRenewSeconds },
    account: { modelName: "person_credential", encryptOAuthTokens: true },
    verification: { modelName: "person_verification", storeIdentifier: "hashed" },
    emailAndPassword: {
      enabled: true,
      minPasswordLength: LIMITS.passwordCharactersMin,
      maxPasswordLength: LIMITS.passwordCharactersMax,
    },
    socialProviders: social,
    plugins: [
      twoFactor({ issuer: PRODUCT_NAME, schema: { twoFactor: { modelName: "person_second_factor" } } }),
      passkey({ rpID: new URL(origin).hostname, rpName: PRODUCT_NAME, origin, schema: { passkey: { modelName: "person_passkey" } } }),
      ...(generic.length > 0 ? [genericOAuth({ config: generic })] : []),
      openSession,
    ],
    advanced: {
      cookiePrefix: "plyrum",
      useSecureCookies: origin.startsWith("https:"),
      ipAddress: { ipAddressHeaders: ["cf-connecting-ip"] },
      database: { validateSchema: false },
    },
    // Tries are counted in D1 (guard.ts), since an isolate's own memory forgets them.
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    // Where a way back leads whose state is not known.
    onAPIError: { errorURL: `${origin}/sign-in` },
    logger: { level: "error" },
  });
  const { socialProviders } = await auth.$context;
  return {
    answer: (request) => auth.handler(request),
    isWhole: generic.every(({ providerId }) => socialProviders.some(({ id }) => id === providerId)),
  };
}

/** The library's own answer to a browser's call; null for every path that is not for outside. */
export async function answerFromOutside(request: Request, env: Env): Promise<Response | null> {
  const { pathname } = new URL(request.url);
  if (!FROM_OUTSIDE.some((path) => path.test(pathname))) return null;
  const answer = await authOf(publicOrigin(request, env), env, pathname);
  return answer(request);
}

export interface AuthAnswer {
  ok: boolean;
  status: number;
  body: Record<string, unknown>;
  /** `set-cookie` lines for the browser. */
  cookies: string[];
}

const bodySchema = z.record(z.string(), z.unknown());

/** A call of our own, with the browser's cookies; `isNobody` leaves them out, for who becomes somebody else. `body` undefined is a GET. */
export async function callAuth(
  browser: { request: Request; env: Env; isNobody?: boolean },
  path: string,
  body?: Readonly<Record<string, unknown>>,
): Promise<AuthAnswer> {
  const origin = publicOrigin(browser.request, browser.env);
  const headers = new Headers({ origin });
  for (const name of ["user-agent", "cf-connecting-ip"]) {
    const value = browser.request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const cookies = browser.isNobody === true ? null : browser.request.headers.get("cookie");
  if (cookies !== null) headers.set("cookie", cookies);
  if (body !== undefined) headers.set("content-type", "application/json");
  const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const answer = await authOf(origin, browser.env, AUTH_PATH + path);
  const response = await answer(new Request(`${origin}${AUTH_PATH}${path}`, init));
  const parsed = parseJson(await response.text());
  const checked = bodySchema.safeParse(parsed.ok ? parsed.value : null);
  return {
    ok: response.ok,
    status: response.status,
    body: checked.success ? checked.data : {},
    cookies: response.headers.getSetCookie(),
  };
}
