/**
 * Finished requests on to the queue `telemetry`, once D1 has them. A queue of its own, so that a collector that is down holds up no bill;
 * what the queue does not take is said in the log and lost, since a bill never waits for its telemetry.
 */
import { LIMITS } from "../../schema/limits.ts";
import type { AppliedEntry } from "./entry-row.ts";
import { collectorOf, keepsAuditLog } from "./telemetry-settings.ts";

export async function tellTelemetry(rows: readonly AppliedEntry[], env: Env): Promise<void> {
  if (collectorOf(env) === null && !keepsAuditLog(env)) return;
  const messages = rows.flatMap(({ entry, usage, source }) => {
    const record = source?.["record"] ?? null;
    if (usage === null || record === null) return [];
    return [{ body: `{"account_id":${JSON.stringify(entry["account_id"])},"seq":${entry["seq"]},"record":${record}}` }];
  });
  try {
    for (let from = 0; from < messages.length; from += LIMITS.telemetryMessagesPerBatch)
      await env.TELEMETRY_QUEUE.sendBatch(messages.slice(from, from + LIMITS.telemetryMessagesPerBatch));
  } catch (error) {
    console.error("the telemetry of these requests is lost", messages.length, error);
  }
}
