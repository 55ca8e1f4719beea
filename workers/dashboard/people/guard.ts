/** Counts guesses, by what is guessed at and by where they come from, so that nobody may try passwords or codes in a row. */
import { clearAttempts, countAttempt } from "../../../db/sign-in.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { hashOf } from "./secrets.ts";

type Guarded = "sign-in" | "second-factor" | "sign-up" | "passkey" | "link";

function bucketOf(kind: Guarded, what: "address" | "network", value: string): string {
  return `${kind}:${what}:${hashOf(value.toLowerCase()).slice(0, 32)}`;
}

/** An IPv6 caller is its network of 64 bits, since a caller has all of those addresses. */
export function networkOf(request: Request): string {
  const address = request.headers.get("cf-connecting-ip") ?? "local";
  return address.includes(":") ? address.split(":").slice(0, 4).join(":") : address;
}

/** Counts a try. False: there were too many, and nothing may be tried now. `address` null: only the network counts. */
export async function mayTry(kind: Guarded, address: string | null, request: Request, env: Env): Promise<boolean> {
  const window = { now: Date.now(), milliseconds: LIMITS.signInWindowMilliseconds };
  const [byNetwork, byAddress] = await Promise.all([
    countAttempt(env.DB, bucketOf(kind, "network", networkOf(request)), window),
    address === null ? 0 : countAttempt(env.DB, bucketOf(kind, "address", address), window),
  ]);
  return byNetwork <= LIMITS.signInAttemptsPerNetwork && byAddress <= LIMITS.signInAttemptsPerAddress;
}

/** Who got in starts from nothing again; the network's own count stays. */
export async function forgetTries(kind: Guarded, address: string, env: Env): Promise<void> {
  await clearAttempts(env.DB, bucketOf(kind, "address", address));
}
