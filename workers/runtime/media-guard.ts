/**
 * Which addresses of callers may be fetched at all. The gateway stands in a network its callers do not, so an address is taken for hostile
 * until it names a public host over TLS.
 *
 * The check is on names, since a Worker is not told what a name resolves to. That a public name leads to a private network (DNS rebinding)
 * is the network's to stop: Cloudflare's does not route a Worker's calls to private addresses, and `npm start` gives the media's calls a
 * network of public addresses only, checked by workerd when it connects.
 */
import { LIMITS } from "../../schema/limits.ts";

/** Endings of names that are private by their registration or by custom; a name of one label is private too. */
const PRIVATE_ENDINGS =
  "localhost local localdomain internal intranet private corp home lan arpa onion test example invalid svc consul docker".split(" ");

/** Where a deployment without real providers may fetch from, beside public hosts: this very machine, which its tests run on. */
export interface MediaGuard {
  allowsLoopback: boolean;
}

/** Why an address is not fetched, in words for the caller; null: it may be. */
export function refusalOf(address: URL, guard: MediaGuard): string | null {
  const host = address.hostname.toLowerCase().replace(/\.+$/, "");
  if (address.username !== "" || address.password !== "") return "it carries credentials";
  if (guard.allowsLoopback && isLoopback(host)) return /^https?:$/.test(address.protocol) ? null : "it is not https";
  if (address.protocol !== "https:") return "it is not https";
  if (address.port !== "") return "it names a port";
  // Public pictures have names. Refusing every literal leaves no private range, mapping or tunnel to forget.
  if (host.startsWith("[") || /^[\d.]+$/.test(host)) return "it is an IP address and not a name";
  const labels = host.split(".");
  if (labels.length < 2 || PRIVATE_ENDINGS.includes(labels.at(-1) ?? "")) return "it is a name of a private network";
  return null;
}

/** `URL` has brought every other spelling of an IPv4 address (decimal, octal, hexadecimal, short, full-width) into this one. */
function isLoopback(host: string): boolean {
  return host === "localhost" || host === "[::1]" || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** The address as a `URL`, with `base` for a relative one; null where it is none or too long. */
export function readMediaAddress(text: string, base?: URL): URL | null {
  if (text.length > LIMITS.mediaAddressCharacters) return null;
  return URL.parse(text, base?.href);
}
