/** The world outside, for tests inside workerd: every call of the worker goes to one offline provider, on a real socket. */
import { startOfflineProvider } from "../offline/server.ts";

/** Vitest loads this file twice, as a global setup and from its configuration; both see the environment. */
const ADDRESS = "PLYRUM_TEST_UPSTREAM";

/** Starts the provider for the run; what is returned ends it. */
export default async function setup(): Promise<() => Promise<void>> {
  const provider = await startOfflineProvider();
  process.env[ADDRESS] = provider.url;
  return () => provider.close();
}

interface OutboundCall {
  url: string;
  method: string;
  headers: Iterable<[string, string]>;
  arrayBuffer: () => Promise<ArrayBuffer>;
}

/** Sends a call to the provider, whatever host it names, and streams the answer back. */
export async function callOffline(call: OutboundCall) {
  const { pathname, search } = new URL(call.url);
  const body = call.method === "GET" ? {} : { body: await call.arrayBuffer() };
  return fetch(`${process.env[ADDRESS] ?? ""}${pathname}${search}`, { method: call.method, headers: [...call.headers], ...body });
}
