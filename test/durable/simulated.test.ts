/**
 * The simulator against reality: what its ledgers executed on Node's SQLite and virtual time, executed once more in real objects, which are
 * evicted wherever the simulated one was started again, gives the same entries hash for hash.
 */
import { createHash } from "node:crypto";
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, inject, test } from "vitest";
import { z } from "zod";
import { parseWith } from "../../schema/json.ts";
import { openLedger, type Ledger } from "../../workers/durable/ledger-store.ts";

const ledgerSchema = z.object({
  id: z.string(),
  seq: z.number(),
  hash: z.string(),
  balance: z.string(),
  log: z.array(z.object({ at: z.number(), method: z.string(), parameters: z.array(z.unknown()) })),
});
type SimulatedLedger = z.infer<typeof ledgerSchema>;

const parsed = parseWith(z.array(ledgerSchema), inject("simulatedLedgers"));
if (!parsed.ok) throw new Error(parsed.message);
const simulated = parsed.value;

/** The log cut where the simulated object was started: each part is one life. */
function livesOf({ log }: SimulatedLedger): SimulatedLedger["log"][] {
  const lives: SimulatedLedger["log"][] = [];
  for (const executed of log) {
    if (executed.method === "open") lives.push([]);
    else lives.at(-1)?.push(executed);
  }
  return lives;
}

function execute(ledger: Ledger, method: string, parameters: readonly unknown[]): void {
  const command: unknown = Reflect.get(ledger, method);
  if (typeof command !== "function") throw new Error(`the ledger has no ${method}`);
  Reflect.apply(command, ledger, parameters);
}

test("there are ledgers of some length, with several lives", () => {
  expect(simulated.length).toBeGreaterThan(3);
  expect(Math.max(...simulated.map((ledger) => ledger.seq))).toBeGreaterThan(15);
  expect(Math.max(...simulated.map((ledger) => livesOf(ledger).length))).toBeGreaterThan(2);
});

test.each(simulated)("the ledger of $id is the same in a real object", async (ledger) => {
  const stub = env.ACCOUNT.get(env.ACCOUNT.idFromName(`simulated:${ledger.id}`));
  const clock = { now: 0 };
  const open = (storage: DurableObjectStorage): Ledger =>
    openLedger(storage, { now: () => clock.now, hash: (text) => createHash("sha256").update(text).digest("hex") });
  for (const life of livesOf(ledger)) {
    await runInDurableObject(stub, (_instance, { storage }) => {
      const opened = open(storage);
      for (const { at, method, parameters } of life) {
        clock.now = at;
        execute(opened, method, parameters);
      }
    });
    await evictDurableObject(stub);
  }
  await runInDurableObject(stub, (_instance, { storage }) => {
    const opened = open(storage);
    expect(opened.verifyChain()).toEqual({ ok: true, checked: ledger.seq });
    expect(opened.facts()).toMatchObject({ seq: ledger.seq, hash: ledger.hash, balance_micro_rub: ledger.balance, sum: ledger.balance });
  });
});
