/** The ports of workers/topup in this deployment: D1, the account objects, the network, and what the environment sets up. */
import { createHash, createHmac } from "node:crypto";
import { paymentStore } from "../../db/payments.ts";
import { LIMITS } from "../../schema/limits.ts";
import type { Digests } from "../payment/bytes.ts";
import { PAYMENT_PROVIDER_KINDS } from "../payment/index.ts";
import type { ApiAnswer, ApiCall } from "../payment/payment-provider.ts";
import { readBytesBounded } from "../runtime/read-bounded.ts";
import type { TopupPorts } from "../topup/ports.ts";

const digests: Digests = {
  hmacSha256: (key, message) => new Uint8Array(createHmac("sha256", key).update(message).digest()),
  sha256: (message) => new Uint8Array(createHash("sha256").update(message).digest()),
};

export function topupPorts(env: Env): TopupPorts {
  const setting = (name: string): string | null => {
    const value: unknown = Reflect.get(env, name);
    return typeof value === "string" && value !== "" ? value : null;
  };
  return {
    store: paymentStore(env.DB),
    credit: (accountId, command) => env.ACCOUNT.get(env.ACCOUNT.idFromName(accountId)).credit(command),
    provider: (id) => PAYMENT_PROVIDER_KINDS[id].open(setting, digests),
    call: (call) => callApi(call, env),
    digests,
    now: () => Date.now(),
    testAllowed: setting("PAYMENTS_TEST_MODE") === "allow",
    warn: (message, ...facts) => console.error(message, ...facts),
  };
}

/** One call, bounded in time and size. Redirects are not followed: our key goes to the address it was given for. */
async function callApi({ method, url, headers, body }: ApiCall, env: Env): Promise<ApiAnswer | null> {
  try {
    const response = await (env.UPSTREAM ?? globalThis).fetch(url, {
      method,
      headers,
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(LIMITS.paymentApiMilliseconds),
    });
    const bytes = await readBytesBounded(response, LIMITS.paymentApiBodyBytes);
    return bytes === null ? null : { status: response.status, text: new TextDecoder().decode(bytes) };
  } catch (error) {
    console.error("a payment provider's API did not answer", error);
    return null;
  }
}
