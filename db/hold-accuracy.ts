/** How well an account's holds fitted what its requests came to: the sums over its newest charges, a bounded walk along the primary key. */

export interface HoldAccuracy {
  requests: number;
  held_micro_rub: number;
  cost_micro_rub: number;
  /** Requests that cost more than was held for them at admission. */
  above: number;
}

export const HOLD_ACCURACY = `SELECT count(*) AS requests, coalesce(sum(hold_micro_rub), 0) AS held_micro_rub,
    coalesce(sum(cost_micro_rub), 0) AS cost_micro_rub, coalesce(sum(cost_micro_rub > hold_micro_rub), 0) AS above
  FROM (SELECT hold_micro_rub, cost_micro_rub FROM usage WHERE account_id = ?1 ORDER BY seq DESC LIMIT ?2)
  WHERE hold_micro_rub IS NOT NULL AND cost_micro_rub IS NOT NULL`;

export async function holdAccuracy(databases: readonly D1Database[], accountId: string, rows: number): Promise<HoldAccuracy> {
  const total: HoldAccuracy = { requests: 0, held_micro_rub: 0, cost_micro_rub: 0, above: 0 };
  for (const database of databases) {
    const found = await database.prepare(HOLD_ACCURACY).bind(accountId, rows).first<HoldAccuracy>();
    if (found === null) continue;
    total.requests += found.requests;
    total.held_micro_rub += found.held_micro_rub;
    total.cost_micro_rub += found.cost_micro_rub;
    total.above += found.above;
  }
  return total;
}
