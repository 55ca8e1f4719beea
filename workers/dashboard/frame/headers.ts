/** The security headers of every answer of the dashboard. Scripts run by a nonce of the answer, and nothing is loaded from elsewhere. */

export function newNonce(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(18));
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}

/** `formOrigins`: where else a form of this page may lead, by its redirects. */
export function contentPolicy(nonce: string | null, formOrigins: readonly string[] = []): string {
  return [
    "default-src 'none'",
    `script-src ${nonce === null ? "'none'" : `'nonce-${nonce}'`}`,
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    `form-action ${["'self'", ...formOrigins].join(" ")}`,
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join("; ");
}

const ALWAYS: Readonly<Record<string, string>> = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy":
    "camera=(), microphone=(), geolocation=(), payment=(), usb=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
};

/** The answer with what every one must have; what it says itself stays, and of two lines about a cookie its own holds, being the last. */
export function secured(answer: Response, facts: { isSecure: boolean; cookies: readonly string[] }): Response {
  const headers = new Headers(answer.headers);
  for (const [name, value] of Object.entries(ALWAYS)) if (!headers.has(name)) headers.set(name, value);
  if (!headers.has("content-security-policy")) headers.set("content-security-policy", contentPolicy(null));
  if (!headers.has("cache-control")) headers.set("cache-control", "no-store, private");
  if (facts.isSecure) headers.set("strict-transport-security", "max-age=31536000");
  headers.delete("set-cookie");
  for (const cookie of [...facts.cookies, ...answer.headers.getSetCookie()]) headers.append("set-cookie", cookie);
  return new Response(answer.body, { status: answer.status, statusText: answer.statusText, headers });
}
