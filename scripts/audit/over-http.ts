/** The books of a running system, read through its admin API and recomputed here. */
import { z } from "zod";
import type { AccountReport } from "./report.ts";
import { ChainReader } from "./chain.ts";

const PAGE_ROWS = 500;

const accountsSchema = z.object({ accounts: z.array(z.object({ id: z.string() })) });
const entrySchema = z.looseObject({
  seq: z.number(),
  amount_micro_rub: z.number(),
  balance_after_micro_rub: z.number(),
  held_after_micro_rub: z.number(),
});
const pageSchema = z.object({ entries: z.array(entrySchema), chain: z.unknown() });
const accountSchema = z.looseObject({ balance_micro_rub: z.number(), held_micro_rub: z.number(), state: z.string() });
const auditSchema = z.looseObject({
  ledger: z.looseObject({ seq: z.number(), open_holds: z.number(), incidents: z.number(), held_micro_rub: z.string() }),
  chain: z.looseObject({ ok: z.boolean() }),
  postings: z.record(z.string(), z.string()),
  d1: z.looseObject({ seq: z.number(), count: z.number(), sum: z.string(), hash: z.string() }),
  missing: z.array(z.number()),
  gaps: z.array(z.looseObject({ kind: z.string(), detail: z.string() })),
});

export interface Target {
  url: string;
  adminKey: string;
}

async function get<S extends z.ZodType>(target: Target, path: string, schema: S): Promise<z.output<S>> {
  const response = await fetch(`${target.url}${path}`, { headers: { authorization: `Bearer ${target.adminKey}` } });
  if (!response.ok) throw new Error(`GET ${path} answered ${response.status}: ${(await response.text()).slice(0, 300)}`);
  return schema.parse(await response.json());
}

/** Every account of the system, one after the other. */
export async function* auditOverHttp(target: Target): AsyncGenerator<AccountReport> {
  for (let after = ""; ;) {
    const { accounts } = await get(target, `/admin/accounts?after=${encodeURIComponent(after)}`, accountsSchema);
    for (const { id } of accounts) yield await auditAccount(target, id);
    const last = accounts.at(-1);
    if (last === undefined) return;
    after = last.id;
  }
}

async function auditAccount(target: Target, id: string): Promise<AccountReport> {
  const chain = new ChainReader();
  const path = `/admin/accounts/${encodeURIComponent(id)}`;
  const findings: string[] = [];
  for (;;) {
    const page = await get(target, `${path}/ledger?include=source&after_seq=${chain.seq}&limit=${PAGE_ROWS}`, pageSchema);
    if (page.chain !== "ok") findings.push(`the system itself says that its chain is broken: ${JSON.stringify(page.chain)}`);
    for (const entry of page.entries) {
      chain.read({
        ...entry,
        amount: String(entry.amount_micro_rub),
        balance_after: String(entry.balance_after_micro_rub),
        held_after: String(entry.held_after_micro_rub),
      });
    }
    if (page.entries.length < PAGE_ROWS) break;
  }
  const shown = await get(target, path, accountSchema);
  const audit = await get(target, `${path}/audit`, auditSchema);
  // What was written while the pages were read is not compared.
  const isStill = audit.ledger.seq === chain.seq;
  if (isStill && BigInt(shown.balance_micro_rub) !== chain.balance)
    findings.push(`the balance shown is ${shown.balance_micro_rub}, the entries sum to ${chain.balance}`);
  if (!audit.chain.ok) findings.push(`its whole chain: ${JSON.stringify(audit.chain)}`);
  for (const gap of audit.gaps) findings.push(`${gap.kind}: ${gap.detail}`);
  if (
    isStill &&
    audit.d1.seq === chain.seq &&
    audit.missing.length === 0 &&
    (audit.d1.hash !== chain.hash || audit.d1.sum !== String(chain.balance))
  )
    findings.push(`D1 ends with ${audit.d1.hash} and ${audit.d1.sum}, the ledger with ${chain.hash} and ${chain.balance}`);
  return {
    account: id,
    chain,
    state: shown.state,
    heldMicroRub: BigInt(audit.ledger.held_micro_rub),
    openHolds: audit.ledger.open_holds,
    incidents: audit.ledger.incidents,
    notInD1: isStill ? audit.missing.length : 0,
    findings,
  };
}
