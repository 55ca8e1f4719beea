/** `POST /admin/demo`: the account that `npm start` shows. Repeating it changes nothing; a changed demo key is added beside the old. */
import type { Context, Hono } from "hono";
import { insertAccount } from "../../../db/accounts.ts";
import { keyIdOf, NO_KEY_LIMITS } from "../../../schema/key.ts";
import type { AppEnv } from "../app-env.ts";
import { hashText } from "../authenticate.ts";

const DEMO_ACCOUNT = "demo";
/** 100 RUB. */
const DEMO_GRANT_MICRO_RUB = "100000000";

export function registerDemo(app: Hono<AppEnv>): void {
  app.post("/admin/demo", createDemo);
}

async function createDemo(context: Context<AppEnv>): Promise<Response> {
  const { env } = context;
  await insertAccount(env.DB, { id: DEMO_ACCOUNT, name: "Demo", created_at: Date.now() });
  const account = env.ACCOUNT.get(env.ACCOUNT.idFromName(DEMO_ACCOUNT));
  await account.credit({ kind: "credit", external_id: "demo-grant", amount_micro_rub: DEMO_GRANT_MICRO_RUB, record: null });
  if (env.PLYRUM_DEMO_KEY !== undefined) {
    const hash = hashText(env.PLYRUM_DEMO_KEY);
    await account.createKey({ key_id: keyIdOf(DEMO_ACCOUNT, hash.slice(0, 16)), key_hash: hash, name: "demo", limits: NO_KEY_LIMITS });
  }
  return context.json({ id: DEMO_ACCOUNT });
}
