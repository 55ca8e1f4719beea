/** What the composition root hands to the dashboard: the rest of the HTTP surface, which it may not import (design.md §2). */

import type { Context } from "hono";

export type Waiting = Context["executionCtx"];

export interface DashboardPorts {
  /** Answers a call of `/v1/*` as the account's own, without any key: whoever asks has checked that the person may see this account. */
  asAccount: (request: Request, accountId: string, env: Env, context: Waiting) => Promise<Response>;
  /** Answers a call exactly as if it had come from outside, with whatever credential it carries. */
  asCaller: (request: Request, env: Env, context: Waiting) => Promise<Response>;
}
