/**
 * A session for somebody whom a link has proved: better-auth's own steps, as an endpoint that only our own code can call (auth.ts lets
 * nothing but a few paths in from outside). Who is not known yet becomes a person.
 */
import { createAuthEndpoint } from "better-auth/api";
import { setSessionCookie } from "better-auth/cookies";
import type { BetterAuthPlugin } from "better-auth/types";
import { z } from "zod";

export const OPEN_SESSION_PATH = "/open-session";

export const openSession = {
  id: "plyrum-open-session",
  endpoints: {
    openSession: createAuthEndpoint(
      OPEN_SESSION_PATH,
      { method: "POST", body: z.object({ email: z.string(), name: z.string() }) },
      async (context) => {
        const people = context.context.internalAdapter;
        const { email, name } = context.body;
        const known = await people.findUserByEmail(email);
        const user = known?.user ?? (await people.createUser({ email, name, emailVerified: true }, { method: "link" }));
        const session = await people.createSession(user.id);
        await setSessionCookie(context, { session, user });
        return context.json({ id: user.id });
      },
    ),
  },
} satisfies BetterAuthPlugin;
