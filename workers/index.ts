/** The composition root: HTTP, the queue's consumers, the cron job, and the object classes. */
import { createApp } from "./http/app.ts";
import { consumeDead, replayDeadLetters } from "./queue/consume-dead.ts";
import { consumeUsage } from "./queue/consume-usage.ts";
import { reconcileAccount, reconcileAll } from "./queue/reconcile.ts";
import { scheduled } from "./queue/scheduled.ts";

export { AccountDO } from "./durable/account.ts";
export { RequestDO } from "./durable/request.ts";

const app = createApp({ reconcileAccount, reconcileAll, replayDeadLetters });

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
  queue: (batch, env) => (batch.queue === "usage" ? consumeUsage(batch, env) : consumeDead(batch, env)),
  scheduled: (_event, env) => scheduled(env),
} satisfies ExportedHandler<Env>;
