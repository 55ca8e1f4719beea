/**
 * Against forged forms, three ways at once: the session's cookie is SameSite=Lax, the browser's own word on where a form came from must be
 * this site, and every form carries a token that only a page of ours, for this browser and this session, can have had.
 */
import { publicOrigin } from "../people/auth.ts";
import { isSame, markOf, newToken } from "../people/secrets.ts";
import { cookieOf } from "./preferences.ts";

const FIELD = "csrf";
export const CSRF_HEADER = "x-csrf-token";

function cookieName(isSecure: boolean): string {
  return isSecure ? "__Host-plyrum.form" : "plyrum.form";
}

export interface FormSeed {
  seed: string;
  /** The `set-cookie` line where the browser has no seed yet. */
  cookie: string | null;
}

export function formSeed(request: Request, isSecure: boolean): FormSeed {
  const known = cookieOf(request, cookieName(isSecure));
  if (known !== null && /^[0-9A-Za-z]{43}$/.test(known)) return { seed: known, cookie: null };
  const seed = newToken();
  return { seed, cookie: `${cookieName(isSecure)}=${seed}; Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}` };
}

/** The token of a page's forms. It changes with the session, so a page of before a sign-in is worthless after it. */
export function formToken(env: Env, seed: string, sessionId: string | null): string {
  return markOf(env, "form", `${seed}:${sessionId ?? ""}`);
}

/** Whether a changing call came from a page of ours. `form`: the fields it sent, where it is a form. */
export function isOwnForm(request: Request, env: Env, facts: { expected: string; form: FormData | null }): boolean {
  const site = request.headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin" && site !== "none") return false;
  const origin = request.headers.get("origin");
  if (origin !== null && origin !== publicOrigin(request, env)) return false;
  const given = request.headers.get(CSRF_HEADER) ?? facts.form?.get(FIELD);
  return typeof given === "string" && isSame(given, facts.expected);
}
