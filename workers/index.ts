/** The composition root: HTTP, the queue's consumers, the cron job, and the object classes. */
import { refreshRate } from "./http/admin/exchange-rate.ts";
import type { Dashboard } from "./dashboard/index.ts";
import { createApp } from "./http/app.ts";
import type { PagePorts } from "./http/dashboard.ts";
import { trustCaller } from "./http/trusted-callers.ts";
import { archiveAccount, archiveAll, firstKeptMonth, verifyArchive } from "./queue/archive.ts";
import { auditAccount } from "./queue/audit-account.ts";
import { consumeDead, replayDeadLetters } from "./queue/consume-dead.ts";
import { consumeTelemetry } from "./queue/consume-telemetry.ts";
import { consumeUsage } from "./queue/consume-usage.ts";
import { consumeWebhooks } from "./queue/consume-webhooks.ts";
import { reconcileAccount, reconcileAll } from "./queue/reconcile.ts";
import { restoreAccount } from "./queue/restore.ts";
import { scheduled } from "./queue/scheduled.ts";
import { topupPorts } from "./queue/topup-ports.ts";

export { AccountDO } from "./durable/account.ts";
export { ConversationDO } from "./durable/conversation.ts";
export { RequestDO } from "./durable/request.ts";

/**
 * The pages, loaded when somebody first asks for one: sign-in and rendering are heavier than all of the stream path. Kept as a value and
 * not as a promise: what one request waits for can never settle once the request that began it was cancelled.
 */
let dashboard: Dashboard | null = null;

async function loadDashboard(): Promise<Dashboard> {
  const module = await import("./dashboard/index.ts");
  return (dashboard ??= module.createDashboard({
    asAccount: async (request, accountId, env, context) => {
      trustCaller(request, accountId);
      return app.fetch(request, env, context);
    },
    asCaller: async (request, env, context) => app.fetch(request, env, context),
  }));
}

const pages: PagePorts = {
  answer: async (request, env, context) => (await loadDashboard()).answer(request, env, context),
  makeSignInLink: async (request, purpose, env) => (await loadDashboard()).makeSignInLink(request, purpose, env),
};

const reliability = { auditAccount, reconcileAccount, reconcileAll, replayDeadLetters, restoreAccount };
const app = createApp({ ...reliability, firstKeptMonth, archiveAccount, archiveAll, verifyArchive }, topupPorts, pages);

const CONSUMERS: Readonly<Record<string, typeof consumeDead>> = {
  usage: consumeUsage,
  webhooks: consumeWebhooks,
  telemetry: consumeTelemetry,
};

export default {
  fetch: (request, env, context) => app.fetch(request, env, context),
  queue: (batch, env) => (CONSUMERS[batch.queue] ?? consumeDead)(batch, env),
  scheduled: (event, env) => scheduled(env, event.scheduledTime, refreshRate),
} satisfies ExportedHandler<Env>;
