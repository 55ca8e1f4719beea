/** A crowd of callers against a running system: accounts with many keys, many requests at once, and what became of each. */
import { z } from "zod";
import type { System } from "../start/system.ts";

export interface CrowdAccount {
  id: string;
  keys: { id: string; key: string }[];
}

export interface Answered {
  /** Index of the key that asked. */
  key: number;
  status: number;
  code: string | null;
  retryAfter: number | null;
  startedAt: number;
  endedAt: number;
  costMicroRub: number | null;
}

/** What one request asks for; `commands` are the offline provider's. */
export interface Ask {
  commands: string;
  maxTokens: number;
  stream?: boolean;
}

const idSchema = z.object({ id: z.string() });
const keySchema = z.object({ id: z.string(), key: z.string() });
const errorSchema = z.object({ error: z.object({ code: z.string() }) });
const shownSchema = z.looseObject({
  balance_micro_rub: z.number(),
  held_micro_rub: z.number(),
  available_micro_rub: z.number(),
  spent_today_micro_rub: z.string().nullable(),
  keys: z.array(z.looseObject({ key_id: z.string(), spent_today_micro_rub: z.string().nullable() })),
});
export type Shown = z.infer<typeof shownSchema>;
const reconciledSchema = z.object({
  accounts: z.array(
    z.looseObject({ ledger: z.looseObject({ open_holds: z.number(), held_micro_rub: z.number() }), gaps: z.array(z.unknown()) }),
  ),
});
const tokens = z.number().nullable();
const usageSchema = z.object({
  rows: z.array(z.looseObject({ input_tokens: tokens, cache_read_tokens: tokens, output_tokens: tokens })),
});
const ledgerSchema = z.object({
  entries: z.array(
    z.looseObject({
      seq: z.number(),
      kind: z.string(),
      amount_micro_rub: z.number(),
      held_after_micro_rub: z.number(),
      balance_after_micro_rub: z.number(),
    }),
  ),
});
export type LedgerEntry = z.infer<typeof ledgerSchema>["entries"][number];

const PAGE_ROWS = 500;
const REST_MILLISECONDS = 60_000;
/** A crowd that has not met its limits by then asks too slowly to say anything of them. */
const DRAIN_MILLISECONDS = 120_000;

export class Crowd {
  readonly #system: System;

  constructor(system: System) {
    this.#system = system;
  }

  async admin(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.#system.url}/admin${path}`, {
      method,
      headers: { authorization: `Bearer ${this.#system.adminKey}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  }

  /** An account with money and keys, each key with these limits. */
  async account(creditMicroRub: number, keys: number, limits: object = {}): Promise<CrowdAccount> {
    const { id } = idSchema.parse(await this.admin("POST", "/accounts", { name: "crowd" }));
    if (creditMicroRub > 0) await this.admin("POST", `/accounts/${id}/credits`, { amount_micro_rub: creditMicroRub, reference: "opening" });
    const made = await Promise.all(
      Array.from({ length: keys }, async (_, index) =>
        keySchema.parse(await this.admin("POST", `/accounts/${id}/keys`, { name: `key ${index}` })),
      ),
    );
    await Promise.all(made.map((key) => this.admin("PATCH", `/keys/${key.id}`, { limits })));
    return { id, keys: made };
  }

  async show(account: CrowdAccount): Promise<Shown> {
    return shownSchema.parse(await this.admin("GET", `/accounts/${account.id}`));
  }

  async entries(account: CrowdAccount): Promise<LedgerEntry[]> {
    const all: LedgerEntry[] = [];
    for (;;) {
      const after = all.at(-1)?.seq ?? 0;
      const { entries } = ledgerSchema.parse(
        await this.admin("GET", `/accounts/${account.id}/ledger?after_seq=${after}&limit=${PAGE_ROWS}`),
      );
      all.push(...entries);
      if (entries.length < PAGE_ROWS) return all;
    }
  }

  /** Waits until no hold is open and D1 has every entry. False: it did not come to rest. */
  async comesToRest(account: CrowdAccount): Promise<boolean> {
    const deadline = Date.now() + REST_MILLISECONDS;
    for (;;) {
      const { accounts } = reconciledSchema.parse(await this.admin("POST", "/reconcile", { account_id: account.id }));
      const [found] = accounts;
      if (found !== undefined && found.ledger.open_holds === 0 && found.ledger.held_micro_rub === 0 && found.gaps.length === 0) return true;
      if (Date.now() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** One request by one key, read to its end. */
  async ask(account: CrowdAccount, key: number, ask: Ask): Promise<Answered> {
    const startedAt = performance.now();
    const response = await fetch(`${this.#system.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${account.keys[key]?.key ?? ""}`, "content-type": "application/json" },
      body: JSON.stringify({
        model: `openai/gpt-5-mini@${ask.commands}`,
        max_tokens: ask.maxTokens,
        stream: ask.stream === true,
        messages: [{ role: "user", content: "Say something short." }],
      }),
    });
    const text = await response.text();
    const retryAfter = response.headers.get("retry-after");
    const cost = response.headers.get("x-plyrum-cost-micro-rub");
    return {
      key,
      status: response.status,
      code: response.ok ? null : errorSchema.parse(JSON.parse(text)).error.code,
      retryAfter: retryAfter === null ? null : Number(retryAfter),
      startedAt,
      endedAt: performance.now(),
      costMicroRub: cost === null ? null : Number(cost),
    };
  }

  /** The tokens such a request uses, by its own usage. */
  async tokensOf(account: CrowdAccount, key: number, ask: Ask): Promise<number> {
    await this.ask(account, key, ask);
    if (!(await this.comesToRest(account))) throw new Error("the probe does not come to rest");
    const response = await fetch(`${this.#system.url}/v1/usage?limit=1`, {
      headers: { authorization: `Bearer ${account.keys[key]?.key ?? ""}` },
    });
    const [row] = usageSchema.parse(await response.json()).rows;
    return (row?.input_tokens ?? 0) + (row?.cache_read_tokens ?? 0) + (row?.output_tokens ?? 0);
  }

  /** So many requests at once, the keys in turn. */
  all(account: CrowdAccount, requests: number, ask: Ask): Promise<Answered[]> {
    return Promise.all(Array.from({ length: requests }, (_, index) => this.ask(account, index % account.keys.length, ask)));
  }

  /** Every key keeps `parallel` requests going until each was refused once, so that its full bucket is gone, and then for so long. */
  async steadily(account: CrowdAccount, parallel: number, milliseconds: number, ask: Ask): Promise<Answered[]> {
    const fresh = new Set(account.keys.keys());
    let until = performance.now() + DRAIN_MILLISECONDS;
    const answered: Answered[] = [];
    const caller = async (key: number): Promise<void> => {
      while (performance.now() < until) {
        const answer = await this.ask(account, key, ask);
        answered.push(answer);
        if (answer.status !== 429) continue;
        if (fresh.delete(key) && fresh.size === 0) until = performance.now() + milliseconds;
        // A crowd that hammers at a closed door only measures the door.
        await new Promise((resolve) => setTimeout(resolve, 40));
      }
    };
    await Promise.all(account.keys.flatMap((_, key) => Array.from({ length: parallel }, () => caller(key))));
    return answered;
  }
}
