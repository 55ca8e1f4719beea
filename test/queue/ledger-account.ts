/** A real ledger in a real object, behind a stand-in for the account's calls: nothing is delivered but what a test delivers itself. */
import { createHash } from "node:crypto";
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { keyLimitsSchema } from "../../schema/key.ts";
import type { LedgerFacts } from "../../schema/ledger.ts";
import { type Ledger, openLedger } from "../../workers/durable/ledger-store.ts";
import { usageMessage } from "../db/usage-message.ts";
import { admitCommand, chargeFacts, creditCommand, KEY_HASH, KEY_ID } from "../ledger/commands.ts";

export interface LedgerAccount {
  id: string;
  facts: LedgerFacts;
  /** The queue message of each entry, by its seq from 1. */
  messages: string[];
  /** Every watermark the account was told, in order. */
  recorded: number[];
  /** Every freeze it was told of, in order. */
  frozen: unknown[];
  /** The worker's bindings with this account in place of the real one. */
  env: Env;
}

const now = Date.UTC(2026, 10, 21, 12, 0, 0);

/**
 * An account after an opening credit and `charges` settled requests of these amounts. `clock` gives the instant of each, the credit's
 * as number 0.
 */
export async function ledgerAccount(
  name: string,
  charges: readonly number[],
  clock: (entry: number) => number = () => now,
): Promise<LedgerAccount> {
  const id = `acc_${name.padEnd(8, "0")}`;
  const stub = env.ACCOUNT.get(env.ACCOUNT.idFromName(`queue-test:${name}`));
  const { facts, messages } = await runInDurableObject(stub, (_instance, { storage }) => {
    let entry = 0;
    const ledger = openLedger(storage, { now: () => clock(entry), hash: (text) => createHash("sha256").update(text).digest("hex") });
    ledger.createKey({ key_id: KEY_ID, key_hash: KEY_HASH, name: "first", limits: keyLimitsSchema.parse({}) });
    ledger.credit(creditCommand("opening", 1_000_000));
    for (const [index, charge] of charges.entries()) {
      entry = index + 1;
      settled(ledger, `req_${name}_${index}`, charge);
    }
    const { seq } = ledger.facts();
    const seqs = Array.from({ length: seq }, (_, index) => index + 1);
    return { facts: ledger.facts(), messages: ledger.resend(id, seqs).map((message) => message.body) };
  });
  const account: LedgerAccount = { id, facts, messages, recorded: [], frozen: [], env };
  account.env = { ...env, ACCOUNT: standIn(account) };
  return account;
}

function settled(ledger: Ledger, requestId: string, charge: number): void {
  ledger.admit(admitCommand(requestId, charge));
  ledger.settle({ request_id: requestId, facts: chargeFacts(charge), record: recordText(requestId, charge) });
}

function recordText(requestId: string, charge: number): string {
  return JSON.stringify({ ...usageMessage(1).record, request_id: requestId, cost_micro_rub: String(charge) });
}

/** What the consumer and reconciliation ask of an account. Its watermark is the last one it was told. */
function standIn(account: LedgerAccount): Env["ACCOUNT"] {
  const watermark = (): number => account.recorded.at(-1) ?? 0;
  const stub = {
    kick: async () => undefined,
    facts: async () => ({ ...account.facts, recorded_seq: watermark() }),
    messages: async (seqs: number[]) => seqs.flatMap((seq) => account.messages[seq - 1] ?? []),
    watermark: async () => ({ seq: account.facts.seq, recorded_seq: watermark() }),
    recorded: async (through: number) => void account.recorded.push(through),
    entryOf: async (requestId: string) => {
      const seq = account.messages.findIndex((message) => message.includes(`"request_id":"${requestId}"`)) + 1;
      return seq === 0 ? null : { entry: { seq } };
    },
    freeze: async (freeze: unknown) => void account.frozen.push(freeze),
  };
  return { idFromName: (name: string) => name, get: () => stub } as unknown as Env["ACCOUNT"];
}

/** One row of D1 as the test asks for it. */
export async function rows(sql: string, ...bound: string[]): Promise<Record<string, unknown>[]> {
  const result = await env.DB.prepare(sql)
    .bind(...bound)
    .all();
  return result.results;
}
