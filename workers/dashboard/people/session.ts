/** The person behind a request: their session, whether they run the installation, and the organisations they belong to. */
import { z } from "zod";
import { type Membership, membershipsOf } from "../../../db/organisations.ts";
import { isOperator } from "../../../db/people.ts";
import { LIMITS } from "../../../schema/limits.ts";
import { callAuth } from "./auth.ts";

const sessionSchema = z.object({
  session: z.object({ id: z.string(), token: z.string() }),
  user: z.object({ id: z.string(), name: z.string(), email: z.string(), twoFactorEnabled: z.boolean().nullish() }),
});

export interface Person {
  id: string;
  name: string;
  email: string;
  hasSecondFactor: boolean;
  sessionId: string;
  isOperator: boolean;
  memberships: Membership[];
}

export interface Visit {
  person: Person | null;
  /** A session in use is prolonged, which the browser must hear of. */
  cookies: string[];
}

export async function visitOf(request: Request, env: Env): Promise<Visit> {
  if (!/(^|;\s*)(__Secure-)?plyrum\.session_token=/.test(request.headers.get("cookie") ?? "")) return { person: null, cookies: [] };
  const answer = await callAuth({ request, env }, "/get-session");
  const known = sessionSchema.safeParse(answer.body);
  if (!known.success) return { person: null, cookies: answer.cookies };
  const { user, session } = known.data;
  const [operator, memberships] = await Promise.all([
    isOperator(env.DB, user.id),
    membershipsOf(env.DB, user.id, LIMITS.organisationsPerPerson),
  ]);
  const person = {
    id: user.id,
    name: user.name,
    email: user.email,
    hasSecondFactor: user.twoFactorEnabled === true,
    sessionId: session.id,
    isOperator: operator,
    memberships,
  };
  return { person, cookies: answer.cookies };
}
