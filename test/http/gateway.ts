/** The worker from outside, inside workerd: calls over HTTP, and accounts made the way an operator makes them. */
import { env, exports } from "cloudflare:workers";
import { z } from "zod";

export const ADMIN_KEY = env.PLYRUM_ADMIN_KEY;

export interface Sent {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; null when it is none. */
  json: Record<string, unknown> | null;
}

export interface SendInit {
  method?: string;
  /** Sent as it is when a text, else as JSON. */
  body?: unknown;
  key?: string | null;
  headers?: Record<string, string>;
}

const bodySchema = z.record(z.string(), z.unknown());

function jsonOf(text: string): Record<string, unknown> | null {
  try {
    const parsed = bodySchema.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** The call itself, for answers that are read piece by piece. `key` null sends none. */
export function open(path: string, { method, body, key = ADMIN_KEY, headers = {} }: SendInit = {}): Promise<Response> {
  const hasBody = body !== undefined;
  return exports.default.fetch(
    new Request(`http://gateway.test${path}`, {
      method: method ?? (hasBody ? "POST" : "GET"),
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(hasBody ? { "content-type": "application/json" } : {}),
        ...headers,
      },
      ...(hasBody ? { body: typeof body === "string" ? body : JSON.stringify(body) } : {}),
    }),
  );
}

export async function send(path: string, init: SendInit = {}): Promise<Sent> {
  const response = await open(path, init);
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: jsonOf(text) };
}

export interface Account {
  id: string;
  key: string;
  keyId: string;
}

/** A new account with that much money and one key. */
export async function newAccount(creditMicroRub: number): Promise<Account> {
  const id = String((await send("/admin/accounts", { body: { name: "test" } })).json?.["id"]);
  const created = (await send(`/admin/accounts/${id}/keys`, { body: { name: "first" } })).json;
  if (creditMicroRub > 0) await send(`/admin/accounts/${id}/credits`, { body: { amount_micro_rub: creditMicroRub, reference: "opening" } });
  return { id, key: String(created?.["key"]), keyId: String(created?.["id"]) };
}

/** Asks again until the answer is one. Throws when none came in time. */
export async function until<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  for (const end = Date.now() + 10_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 25))) {
    const answer = await ask();
    if (answer !== null) return answer;
  }
  throw new Error(`${what}: not in time`);
}

const entriesSchema = z.object({
  entries: z.array(z.looseObject({ seq: z.number(), kind: z.string(), request_id: z.string().nullable(), amount_micro_rub: z.number() })),
});

/** The ledger's entries as [kind, request], without the opening credit. */
export async function endings(accountId: string): Promise<{ kind: string; request_id: string | null; amount_micro_rub: number }[]> {
  const { entries } = entriesSchema.parse((await send(`/admin/accounts/${accountId}/ledger?limit=500`)).json);
  return entries
    .filter((entry) => entry.kind !== "credit")
    .map(({ kind, request_id, amount_micro_rub }) => ({ kind, request_id, amount_micro_rub }));
}

export async function balanceOf(accountId: string): Promise<{ balance: number; held: number }> {
  const shown = z
    .looseObject({ balance_micro_rub: z.number(), held_micro_rub: z.number() })
    .parse((await send(`/admin/accounts/${accountId}`)).json);
  return { balance: shown.balance_micro_rub, held: shown.held_micro_rub };
}
