/** What the cron job does for payments: finishes what was begun, and asks the providers about orders nobody has told of. */
import { LIMITS } from "../../schema/limits.ts";
import { PAYMENT_PROVIDERS } from "../../schema/payment.ts";
import { applyNotice, retryNotice } from "./apply-notice.ts";
import type { TopupPorts } from "./ports.ts";
import { settled } from "./receive-webhook.ts";

export interface Polled {
  /** Notices tried again. */
  retried: number;
  /** Orders asked about. */
  asked: number;
  /** Payments found that way. */
  found: number;
  /** Questions that got no answer, and steps that failed; each is tried again at its next turn. */
  failed: number;
}

/** One pass. Never throws: one order or provider that fails holds up no other. */
export async function pollPayments(ports: TopupPorts, olderThanMilliseconds: number = LIMITS.orderPollAfterMilliseconds): Promise<Polled> {
  const polled: Polled = { retried: 0, asked: 0, found: 0, failed: 0 };
  const attempt = async (what: string, step: () => Promise<void>): Promise<void> => {
    try {
      await step();
    } catch (error) {
      polled.failed += 1;
      ports.warn(`${what} failed and will be tried again`, error);
    }
  };
  await attempt("the retry of payment notices", async () => {
    for (const row of await ports.store.retriable(ports.now())) {
      polled.retried += 1;
      await attempt("a payment notice", () => retryNotice(row, ports));
    }
  });
  for (const id of PAYMENT_PROVIDERS) {
    const provider = ports.provider(id);
    if (provider === null) continue;
    await attempt("a poll of payments", async () => {
      const orders = await ports.store.takePollable(id, ports.now(), olderThanMilliseconds);
      polled.asked += orders.length;
      for (const question of provider.search(orders)) {
        await attempt("a question about payments", async () => {
          const reading = await settled({ ok: true, notices: [], next: question, check: null }, ports);
          if (!reading.ok) {
            polled.failed += 1;
            return;
          }
          polled.found += reading.notices.length;
          for (const notice of reading.notices) await attempt("a found payment", async () => void (await applyNotice(notice, "", ports)));
        });
      }
    });
  }
  return polled;
}
