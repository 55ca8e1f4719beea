/**
 * Calls that another part of this worker makes for an account it has the right to: the request object itself is the proof, which nobody
 * outside can forge, since a request that came over the network is another object.
 */
import type { Caller } from "./app-env.ts";

const trusted = new WeakMap<Request, Caller>();

/** Lets this very request through as the account's own, on routes that hold no money. */
export function trustCaller(request: Request, accountId: string): void {
  trusted.set(request, { accountId, keyId: null, keyHash: "" });
}

export function trustedCaller(request: Request): Caller | null {
  return trusted.get(request) ?? null;
}
