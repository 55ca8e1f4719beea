/** A request that is cancelled while it reads the documents takes nobody else along. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { loadDocuments } from "../../workers/http/documents.ts";

const nobody = (): void => undefined;

/** A database that never answers, as one looks to a request whose caller has left. */
function silent(): Env {
  const never = new Promise<never>(() => undefined);
  const statement: object = { bind: () => statement, first: () => never, all: () => never };
  const bindings: object = { DB: { prepare: () => statement } };
  return Object.assign(Object.create(null) as Env, env, bindings);
}

test("the first read of an isolate that never ends holds up no other request", async () => {
  void loadDocuments(silent(), nobody);
  const { prices } = await loadDocuments(env, nobody);
  expect(Object.keys(prices.models).length).toBeGreaterThan(0);
});

test("a refresh that never ends holds up no request, and the next one is not kept from trying", async () => {
  const before = await loadDocuments(env, nobody);
  const now = Date.now();
  const real = Date.now;
  const begun: Promise<unknown>[] = [];
  try {
    Date.now = () => now + 60_000;
    expect(await loadDocuments(silent(), (work) => begun.push(work))).toBe(before);
    Date.now = () => now + 120_000;
    expect(await loadDocuments(env, (work) => begun.push(work))).toBe(before);
    expect(begun).toHaveLength(2);
    await begun[1];
  } finally {
    Date.now = real;
  }
});
