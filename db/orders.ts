/** The orders of one account, the newest first. Walks `payment_order_account`. */
import type { z } from "zod";
import { orderRowSchema } from "../schema/payment.ts";

const listedOrderSchema = orderRowSchema.pick({
  id: true,
  provider: true,
  amount_micro: true,
  currency: true,
  credit_micro_rub: true,
  state: true,
  payment_id: true,
  created_at: true,
  paid_at: true,
});
export type ListedOrder = z.output<typeof listedOrderSchema>;

export async function ordersOf(database: D1Database, accountId: string, limit: number): Promise<ListedOrder[]> {
  const found = await database
    .prepare(
      `SELECT id, provider, CAST(amount_micro AS TEXT) AS amount_micro, currency, CAST(credit_micro_rub AS TEXT) AS credit_micro_rub, state,
        payment_id, created_at, paid_at FROM payment_order WHERE account_id = ?1 ORDER BY created_at DESC LIMIT ?2`,
    )
    .bind(accountId, limit)
    .all();
  return found.results.map((row) => listedOrderSchema.parse(row));
}
