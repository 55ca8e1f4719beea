/**
 * Recomputes the cost of every stored usage row from its stored inputs, in SQL alone, and gives the rows that differ: the check that
 * an auditor can run without any of our code.
 *
 * cost = ⌈(Σ tokens·price + fee) · fx · (10000 + bps) / 10^16⌉ (contract §5). The product reaches 122 bits and SQLite has 64, so both
 * factors are split into limbs of 10^9 and multiplied as on paper: provider cost P = p2·10^18 + p1·10^9 + p0, rate K = fx·(10000+bps)
 * likewise. Every intermediate stays below 3·10^18. Since 10^18 is a multiple of 10^16, only the two lowest limbs have a remainder.
 */

/** P and K of one row, from columns of `usage`. */
const FACTORS = `
  coalesce(input_tokens, 0) * input_pico_usd + coalesce(cache_read_tokens, 0) * cache_read_pico_usd
    + coalesce(cache_write_5m_tokens, 0) * cache_write_5m_pico_usd + coalesce(cache_write_1h_tokens, 0) * cache_write_1h_pico_usd
    + coalesce(output_tokens, 0) * output_pico_usd + request_pico_usd AS p,
  fx_micro_rub_per_usd * (10000 + markup_bps) AS k`;

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
WITH factor AS (SELECT account_id, seq, cost_micro_rub, provider_cost_pico_usd, ${FACTORS} FROM usage WHERE cost_micro_rub IS NOT NULL),
${multiplied("account_id, seq, cost_micro_rub, provider_cost_pico_usd")}
SELECT account_id, seq, CAST(cost_micro_rub AS TEXT) AS stored, CAST(recomputed_micro_rub AS TEXT) AS recomputed
FROM recomputed WHERE recomputed_micro_rub IS NOT cost_micro_rub OR p IS NOT provider_cost_pico_usd LIMIT 100`;

/** The same arithmetic on two given integers, as text: ?1 the provider cost in pico-USD, ?2 fx · (10000 + bps). For tests of the SQL itself. */
export const RECOMPUTE_ONE = `
WITH factor AS (SELECT 1 AS one, CAST(?1 AS INTEGER) AS p, CAST(?2 AS INTEGER) AS k),
${multiplied("one")}
SELECT CAST(recomputed_micro_rub AS TEXT) AS cost FROM recomputed`;
