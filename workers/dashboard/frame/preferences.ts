/** What a browser prefers: its language, its time zone and its look, from its cookies and, before there are any, from what it sends. */
import { type Locale, LOCALES } from "./words.ts";

export const THEMES = ["light", "dark", "system"] as const;
export type Theme = (typeof THEMES)[number];

export interface Preferences {
  locale: Locale;
  theme: Theme;
  timeZone: string;
}

const YEAR_SECONDS = 365 * 86_400;

export function cookieOf(request: Request, name: string): string | null {
  for (const pair of (request.headers.get("cookie") ?? "").split(/;\s*/)) {
    const at = pair.indexOf("=");
    if (at !== -1 && pair.slice(0, at) === name) return pair.slice(at + 1);
  }
  return null;
}

export function preferencesOf(request: Request): Preferences {
  const theme = THEMES.find((each) => each === cookieOf(request, "plyrum.theme")) ?? "system";
  return { locale: localeOf(request), theme, timeZone: timeZoneOf(request) };
}

/** A preference as a `set-cookie` line. It is no secret, and says nothing about who somebody is. */
export function preferenceCookie(name: "language" | "theme", value: string, isSecure: boolean): string {
  return `plyrum.${name}=${value}; Path=/; Max-Age=${YEAR_SECONDS}; SameSite=Lax${isSecure ? "; Secure" : ""}`;
}

function localeOf(request: Request): Locale {
  const chosen = LOCALES.find((each) => each === cookieOf(request, "plyrum.language"));
  if (chosen !== undefined) return chosen;
  const wanted = (request.headers.get("accept-language") ?? "").toLowerCase().split(",");
  for (const part of wanted) {
    const known = LOCALES.find((each) => part.trim().startsWith(each));
    if (known !== undefined) return known;
  }
  return "en";
}

/** The zone the browser told of itself; before it has, the one its address is in, where the platform knows. */
function timeZoneOf(request: Request): string {
  const told = cookieOf(request, "plyrum.zone");
  const guessed: unknown = request.cf?.["timezone"];
  for (const zone of [told === null ? null : decodeURIComponent(told.replaceAll(/%(?![0-9a-f]{2})/gi, "")), guessed])
    if (typeof zone === "string" && isZone(zone)) return zone;
  return "UTC";
}

const zones = new Map<string, boolean>();
const ZONES_KEPT = 512;

function isZone(zone: string): boolean {
  const known = zones.get(zone);
  if (known !== undefined) return known;
  let valid = /^[\w+\-/]{1,64}$/.test(zone);
  try {
    if (valid) Intl.DateTimeFormat("en", { timeZone: zone });
  } catch {
    valid = false;
  }
  if (zones.size >= ZONES_KEPT) zones.clear();
  zones.set(zone, valid);
  return valid;
}
