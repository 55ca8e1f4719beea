/**
 * Who calls, from the key's own text: the tag is checked with the deployment's secret before any storage is touched, and the account
 * is inside the key. Whether the key is active is decided by the account's object, in admission.
 *
 * Clients of Amazon's SDK send the key as a bearer token where they are told to; where they sign, the key is the access key id of their
 * credential, and it alone counts. The key is itself the secret that proves the caller, as in every other header, so a signature made
 * with it would prove nothing more, and none is checked: whatever secret key the client was given, the call is the key's.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { failed, gatewayError, type Outcome } from "../../schema/error.ts";
import { verifyKey } from "../../schema/key.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { KnownCaller } from "../engine/serve-completion.ts";

/** The key of a request, wherever its SDK puts it; null when there is none. */
export function credentialOf(headers: Headers, url: string): string | null {
  const authorization = headers.get("authorization");
  if (authorization !== null && /^bearer /i.test(authorization)) return authorization.slice(7).trim();
  const signedBy = authorization === null ? null : /^AWS4-HMAC-SHA256 Credential=([^/,\s]+)\//.exec(authorization);
  if (signedBy?.[1] !== undefined) return signedBy[1];
  return headers.get("x-api-key") ?? headers.get("x-goog-api-key") ?? (url.includes("?") ? new URL(url).searchParams.get("key") : null);
}

export function hashText(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Equal in constant time for texts of any length. */
export function isSameSecret(given: string, expected: string): boolean {
  const encoder = new TextEncoder();
  const digest = (text: string): Uint8Array => encoder.encode(hashText(text));
  return timingSafeEqual(digest(given), digest(expected));
}

/** Keys already verified in this isolate: spares two hashes a request. Bounded; the oldest goes first. */
const verified = new Map<string, KnownCaller>();

/** The caller, or `invalid_api_key`. Touches no storage. */
export function authenticate(headers: Headers, url: string, env: Env): Outcome<KnownCaller> {
  const key = credentialOf(headers, url);
  if (key === null || key === "") {
    return failed(
      gatewayError("invalid_api_key", "No API key was sent.", {
        suggestion: "Send it as `Authorization: Bearer KEY`, `x-api-key`, or `x-goog-api-key`.",
      }),
    );
  }
  const known = verified.get(key);
  if (known !== undefined) return { ok: true, value: known };
  const accountId = accountOf(key, env);
  if (accountId === null) {
    return failed(
      gatewayError("invalid_api_key", "The API key is not valid.", { suggestion: "Check the key; it is shown only once, when created." }),
    );
  }
  const caller = { accountId, keyHash: hashText(key) };
  if (verified.size >= LIMITS.verifiedKeysCached) verified.delete(verified.keys().next().value ?? "");
  verified.set(key, caller);
  return { ok: true, value: caller };
}

function accountOf(key: string, env: Env): string | null {
  if (env.PLYRUM_DEMO_KEY !== undefined && isSameSecret(key, env.PLYRUM_DEMO_KEY)) return "demo";
  const parts = verifyKey(key, (text) => new Uint8Array(createHmac("sha256", env.PLYRUM_KEY_SECRET).update(text).digest()));
  return parts?.accountId ?? null;
}
