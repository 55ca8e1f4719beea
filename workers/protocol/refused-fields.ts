/** Fields that a provider is declared to refuse (`refusedFields` of its quirks), taken out of a rendered body. */
import type { ProtocolId } from "../../schema/protocol.ts";
import type { Quirks } from "../../schema/provider.ts";
import type { Loss } from "./canonical.ts";
import { restLosses } from "./losses.ts";

/** Takes the refused fields out of `body`; each one that was there and asked for something is a loss of its class in the table. */
export function leaveOutRefused(body: Record<string, unknown>, quirks: Quirks, losses: Loss[], protocol: ProtocolId): void {
  for (const field of quirks.refusedFields ?? []) {
    if (!(field in body)) continue;
    losses.push(...restLosses({ rest: { [field]: body[field] } }, protocol));
    delete body[field];
  }
}
