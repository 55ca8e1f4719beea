/** A running system for the tests from outside: started once a file, on a state of its own, with the offline provider behind it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { startSystem, type System } from "../../scripts/start/system.ts";

export interface Stage {
  system: System;
  stateDir: string;
  /** A new account with that much money and a key of its own. */
  account: (creditMicroRub: number) => Promise<Account>;
  admin: (path: string, init?: { method?: string; body?: unknown }) => Promise<unknown>;
  close: () => Promise<void>;
}

export interface Account {
  id: string;
  key: string;
  balance: () => Promise<Balance>;
  usage: () => Promise<UsageRow[]>;
  request: (id: string) => Promise<RequestView>;
  /** Waits until no hold is open and D1 has everything. */
  atRest: () => Promise<void>;
}

const balanceSchema = z.object({ balance_micro_rub: z.number(), held_micro_rub: z.number(), available_micro_rub: z.number() });
export type Balance = z.infer<typeof balanceSchema>;
const usageRowSchema = z.looseObject({
  request_id: z.string(),
  state: z.string(),
  input_tokens: z.number().nullable(),
  cache_read_tokens: z.number().nullable(),
  output_tokens: z.number().nullable(),
  usage_source: z.string().nullable(),
  cost_micro_rub: z.number().nullable(),
  charged_micro_rub: z.number(),
});
export type UsageRow = z.infer<typeof usageRowSchema>;
const viewSchema = z.looseObject({
  id: z.string(),
  state: z.string(),
  settlement: z.string().nullable(),
  lifecycle: z.array(z.looseObject({ event: z.string(), seq: z.number() })),
});
export type RequestView = z.infer<typeof viewSchema>;
const reconcileSchema = z.object({
  accounts: z.array(
    z.looseObject({
      ledger: z.looseObject({ held_micro_rub: z.number(), open_holds: z.number() }),
      gaps: z.array(z.looseObject({ kind: z.string() })),
    }),
  ),
});

const REST_MILLISECONDS = 30_000;

export async function startStage(environment: Record<string, string> = {}): Promise<Stage> {
  const stateDir = mkdtempSync(join(tmpdir(), "plyrum-test-"));
  const system = await startSystem({ port: 0, stateDir, environment, workerLog: false });
  const admin = async (path: string, init: { method?: string; body?: unknown } = {}): Promise<unknown> => {
    const response = await fetch(`${system.url}/admin${path}`, {
      method: init.method ?? "POST",
      headers: { authorization: `Bearer ${system.adminKey}`, "content-type": "application/json" },
      ...(init.body === undefined ? {} : { body: JSON.stringify(init.body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  const account = async (creditMicroRub: number): Promise<Account> => {
    const { id } = z.object({ id: z.string() }).parse(await admin("/accounts", { body: { name: "test" } }));
    if (creditMicroRub > 0) await admin(`/accounts/${id}/credits`, { body: { amount_micro_rub: creditMicroRub, reference: "grant" } });
    const { key } = z.object({ key: z.string() }).parse(await admin(`/accounts/${id}/keys`, { body: { name: "key" } }));
    const read = async (path: string): Promise<unknown> =>
      (await fetch(`${system.url}${path}`, { headers: { authorization: `Bearer ${key}` } })).json();
    return {
      id,
      key,
      balance: async () => balanceSchema.parse(await read("/v1/balance")),
      usage: async () => z.object({ rows: z.array(usageRowSchema) }).parse(await read("/v1/usage?limit=500")).rows,
      request: async (requestId) => viewSchema.parse(await read(`/v1/requests/${requestId}`)),
      atRest: () => untilAtRest(() => admin("/reconcile", { body: { account_id: id } })),
    };
  };
  return {
    system,
    stateDir,
    account,
    admin,
    close: async () => {
      await system.close();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}

async function untilAtRest(reconcile: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + REST_MILLISECONDS;
  for (;;) {
    const { accounts } = reconcileSchema.parse(await reconcile());
    const [found] = accounts;
    const isQuiet = found !== undefined && found.ledger.open_holds === 0 && found.ledger.held_micro_rub === 0 && found.gaps.length === 0;
    if (isQuiet) return;
    if (Date.now() > deadline) throw new Error(`the account does not come to rest: ${JSON.stringify(found)}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
