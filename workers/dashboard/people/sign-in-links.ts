/** The links that `npm start` prints: one makes the first owner of an empty installation, one signs the demo owner in. */
import { hasOperator } from "../../../db/people.ts";
import { insertLink } from "../../../db/sign-in.ts";
import { failed, gatewayError, type Outcome } from "../../../schema/error.ts";
import type { LinkPurpose } from "../../../schema/dashboard.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { publicOrigin } from "./auth.ts";
import { hashOf, newToken } from "./secrets.ts";

export interface SignInLink {
  url: string;
  expires_at: number;
}

/** Makes a link; the one of the same purpose before it is worthless from then on. */
export async function makeSignInLink(request: Request, purpose: LinkPurpose, env: Env): Promise<Outcome<SignInLink>> {
  if (purpose === "demo" && env.PLYRUM_DEMO_KEY === undefined)
    return failed(gatewayError("invalid_transition", "This installation has no demo account.", { param: "purpose" }));
  if (purpose === "first-owner" && (await hasOperator(env.DB)))
    return failed(gatewayError("invalid_transition", "This installation has an owner already.", { param: "purpose" }));
  const token = newToken();
  const now = Date.now();
  const expiresAt = now + (purpose === "demo" ? LIMITS.demoLinkMilliseconds : LIMITS.ownerLinkMilliseconds);
  await insertLink(env.DB, { tokenHash: hashOf(token), purpose, now, expiresAt });
  const path = purpose === "demo" ? "/sign-in/demo" : "/welcome";
  return { ok: true, value: { url: `${publicOrigin(request, env)}${path}?token=${token}`, expires_at: expiresAt } };
}
