/**
 * Recomputes the cost of every stored usage row from its stored inputs, in SQL alone, and gives the rows that differ: the check that
 * an auditor can run without any of our code.
 *
 * cost = ⌈(Σ tokens·price + fee) · fx · (10000 + bps) / 10^16⌉ (contract §5). The product reaches 122 bits and SQLite has 64, so both
 * factors are split into limbs of 10^9 and multiplied as on paper: provider cost P = p2·10^18 + p1·10^9 + p0, rate K = fx·(10000+bps)
 * likewise. Every intermediate stays below 3·10^18. Since 10^18 is a multiple of 10^16, only the two lowest limbs have a remainder.
 *
 * A row of several calls has its inputs in `usage_leg`: its provider cost is the sum of theirs, rounded up once like any other, and their
 * shares of the cost sum to it.
 */

/** P of one row, from columns of `usage` or `usage_leg`. */
const PROVIDER_COST = `coalesce(input_tokens, 0) * input_pico_usd + coalesce(cache_read_tokens, 0) * cache_read_pico_usd
    + coalesce(cache_write_5m_tokens, 0) * cache_write_5m_pico_usd + coalesce(cache_write_1h_tokens, 0) * cache_write_1h_pico_usd
    + coalesce(output_tokens, 0) * output_pico_usd + request_pico_usd`;

/** The calls of each row: their sum, their shares' sum, and how many of them have another cost than their inputs give. */
const LEGS = `SELECT account_id, seq, sum(p) AS p, sum(cost_micro_rub) AS share, sum(p IS NOT provider_cost_pico_usd) AS wrong FROM (
    SELECT account_id, seq, cost_micro_rub, provider_cost_pico_usd, CASE WHEN usage_source IS NULL THEN 0 ELSE ${PROVIDER_COST} END AS p
    FROM usage_leg) GROUP BY account_id, seq`;

/** The multiplication, from a table `factor(p, k, …)` to `cost`; `rest` names the columns to carry along. */
function multiplied(rest: string): string {
  return `
  limb AS (SELECT ${rest}, p, p % 1000000000 AS p0, p / 1000000000 % 1000000000 AS p1, p / 1000000000000000000 AS p2,
    k % 1000000000 AS k0, k / 1000000000 % 1000000000 AS k1, k / 1000000000000000000 AS k2 FROM factor),
  c01 AS (SELECT *, p0 * k0 AS c0, p0 * k1 + p1 * k0 AS c1 FROM limb),
  t1 AS (SELECT *, c1 + c0 / 1000000000 AS s1 FROM c01),
  t2 AS (SELECT *, p0 * k2 + p1 * k1 + p2 * k0 + s1 / 1000000000 AS s2 FROM t1),
  t3 AS (SELECT *, p1 * k2 + p2 * k1 + s2 / 1000000000 AS s3 FROM t2),
  low AS (SELECT *, (s1 % 1000000000) * 1000000000 + c0 % 1000000000 AS low_part FROM t3),
  recomputed AS (SELECT *, s3 * 100000000000 + (s2 % 1000000000) * 100 + low_part / 10000000000000000
    + (low_part % 10000000000000000 > 0) AS recomputed_micro_rub FROM low)`;
}

/** Rows whose stored cost or provider cost is not what their inputs give. Empty when the books are right. */
export const RECOMPUTE_USAGE = `
WITH leg AS (${LEGS}),
row AS (SELECT account_id, seq, legs, cost_micro_rub, provider_cost_pico_usd, ${PROVIDER_COST} AS p,
  fx_micro_rub_per_usd * (10000 + markup_bps) AS k FROM usage WHERE cost_micro_rub IS NOT NULL),
factor AS (SELECT row.account_id, row.seq, row.cost_micro_rub, row.provider_cost_pico_usd, row.k,
  CASE WHEN row.legs IS NULL THEN row.p ELSE coalesce(leg.p, 0) END AS p,
  row.legs IS NOT NULL AND (leg.wrong IS NOT 0 OR leg.share IS NOT row.cost_micro_rub) AS wrong
  FROM row LEFT JOIN leg ON leg.account_id = row.account_id AND leg.seq = row.seq),
${multiplied("account_id, seq, cost_micro_rub, provider_cost_pico_usd, wrong")}
SELECT account_id, seq, CAST(cost_micro_rub AS TEXT) AS stored, CAST(recomputed_micro_rub AS TEXT) AS recomputed
FROM recomputed WHERE recomputed_micro_rub IS NOT cost_micro_rub OR p IS NOT provider_cost_pico_usd OR wrong LIMIT 100`;

/** The same arithmetic on two given integers, as text: ?1 the provider cost in pico-USD, ?2 fx · (10000 + bps). For tests of the SQL itself. */
export const RECOMPUTE_ONE = `
WITH factor AS (SELECT 1 AS one, CAST(?1 AS INTEGER) AS p, CAST(?2 AS INTEGER) AS k),
${multiplied("one")}
SELECT CAST(recomputed_micro_rub AS TEXT) AS cost FROM recomputed`;
