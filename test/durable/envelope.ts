/** What the Worker sends to the object that will own a request, with every fact a test does not care about filled in. */
import { env } from "cloudflare:workers";
import { type ServeEnvelope, serveEnvelopeSchema } from "../../schema/plan.ts";
import { hashText } from "../../workers/http/authenticate.ts";
import { type Account, send } from "../http/gateway.ts";
import { usageMessage } from "../db/usage-message.ts";

/** A streamed completion at the offline provider; `commands` as after the `@` of a model name. */
export function envelope(account: Account, requestId: string, commands: string): ServeEnvelope {
  const body = { model: `gpt-5-mini@${commands}`, stream: true, messages: [{ role: "user", content: "Tell me of the sea." }] };
  const snapshot = (usageMessage(1).record as { snapshot: unknown } | null)?.snapshot;
  return serveEnvelopeSchema.parse({
    request_id: requestId,
    account_id: account.id,
    key_hash: hashText(account.key),
    protocol: "openai-chat",
    stream: true,
    wants_stream_usage: false,
    embedding_encoding: null,
    plan: {
      version: 1,
      model: "alpha/one",
      reason: "slug",
      attempts: [
        {
          provider: "alpha",
          model: "gpt-5-mini",
          protocol: "openai-chat",
          url: "http://offline.test/v1/chat/completions",
          auth: { kind: "bearer" },
          headers: {},
          passed_headers: [],
          abort_stops_billing: true,
          quirks: {},
        },
      ],
      output_tokens_max: 4096,
    },
    bodies: [new Uint8Array(new TextEncoder().encode(JSON.stringify(body)))],
    credentials: ["test-credential"],
    caller_headers: {},
    answer_headers: {},
    snapshot: JSON.stringify(snapshot),
    hold_micro_rub: "5000",
    tokens_bound: 5000,
    measure: { text_bytes: 20, blocks: 2, images: 0, file_bytes: 0, files_unsized: 0 },
    idempotency_key: null,
    body_hash: null,
    on_disconnect: "cancel",
    raw: false,
    received_at: Date.now(),
    evidence: "offline",
  });
}

export function accountStub(account: Account): ReturnType<Env["ACCOUNT"]["get"]> {
  return env.ACCOUNT.get(env.ACCOUNT.idFromName(account.id));
}

export function laneStub(account: Account, lane: number): ReturnType<Env["REQUEST"]["get"]> {
  return env.REQUEST.get(env.REQUEST.idFromName(`${account.id}:${lane}`));
}

/** Reconciles twice: what the second finds is wrong, not merely late. */
export async function reconciled(account: Account): Promise<unknown> {
  await send("/admin/reconcile", { body: { account_id: account.id } });
  return (await send("/admin/reconcile", { body: { account_id: account.id } })).json;
}
