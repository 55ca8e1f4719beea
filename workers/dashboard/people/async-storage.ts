/**
 * Gives better-auth its places for what belongs to one request, before it makes them itself. It would wait for an import of async_hooks that
 * the first request of an isolate begins; on this platform such a wait never ends once that request is over, and nobody could sign in any
 * more. The places are where the library looks first, in its own object of the global scope.
 */
import { AsyncLocalStorage } from "node:async_hooks";

const LIBRARY = Symbol.for("better-auth:global");

const PLACES = ["requestStateAsyncStorage", "endpointContextAsyncStorage", "adapterAsyncStorage"];

/** Once for an isolate, before the library answers anything; again it changes nothing. */
export function prepareAsyncStorage(): void {
  const known: unknown = Reflect.get(globalThis, LIBRARY);
  const context: unknown = typeof known === "object" && known !== null && "context" in known ? known.context : {};
  if (typeof context !== "object" || context === null) return;
  for (const place of PLACES) if (!Reflect.has(context, place)) Reflect.set(context, place, new AsyncLocalStorage());
  if (known === undefined) Reflect.set(globalThis, LIBRARY, { version: "", epoch: 0, context });
}
