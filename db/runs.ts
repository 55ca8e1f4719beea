/**
 * An account's entries as unbroken runs of numbers, wherever they are kept: rows of one or more databases, and parts of the archive.
 * Everything reconciliation asks (how far is it complete, what is missing, do sums and hashes agree) is answered from the runs. Pure.
 */

/** Entries `first_seq` to `last_seq` without a gap, of one place. Amounts as exact text. */
export interface Run {
  first_seq: number;
  last_seq: number;
  sum: string;
  /** What the first entry follows, and what follows the last: neighbours in different places must agree on it. */
  first_prev_hash: string;
  balance_before: string;
  last_hash: string;
  balance_after: string;
}

/** What is known of one account's ledger. `sum` as exact text; `hash` is that of the highest entry. */
export interface StoredFacts {
  seq: number;
  count: number;
  sum: string;
  hash: string;
}

export function inOrder(runs: readonly Run[]): Run[] {
  return runs.toSorted((left, right) => left.first_seq - right.first_seq);
}

export function factsOf(runs: readonly Run[]): StoredFacts {
  let last: Run | null = null;
  let count = 0;
  let sum = 0n;
  for (const run of runs) {
    count += run.last_seq - run.first_seq + 1;
    sum += BigInt(run.sum);
    if (last === null || run.last_seq > last.last_seq) last = run;
  }
  return { seq: last?.last_seq ?? 0, count, sum: sum.toString(), hash: last?.last_hash ?? "" };
}

/** The highest number up to which nothing is missing, from one already known to be complete. `runs` in order. */
export function completeThrough(runs: readonly Run[], knownSeq: number): number {
  let through = knownSeq;
  for (const run of runs) {
    if (run.first_seq > through + 1) return through;
    through = Math.max(through, run.last_seq);
  }
  return through;
}

/** Numbers missing between 1 and `throughSeq`, the lowest first, at most `limit`. `runs` in order. */
export function missingIn(runs: readonly Run[], throughSeq: number, limit: number): number[] {
  const missing: number[] = [];
  let next = 1;
  const gapTo = (last: number): void => {
    for (let seq = next; seq <= last && missing.length < limit; seq++) missing.push(seq);
  };
  for (const run of runs) {
    gapTo(Math.min(run.first_seq - 1, throughSeq));
    next = Math.max(next, run.last_seq + 1);
  }
  gapTo(throughSeq);
  return missing;
}

/** Numbers of the entries that begin a run and do not follow the run before it, or that are kept in two places. `runs` in order. */
export function unchainedBetween(runs: readonly Run[]): number[] {
  const unchained: number[] = [];
  let before: Run | null = null;
  for (const run of runs) {
    const start = before ?? { last_seq: 0, last_hash: "", balance_after: "0" };
    const isDouble = run.first_seq <= start.last_seq;
    const isNext = run.first_seq === start.last_seq + 1;
    const follows = run.first_prev_hash === start.last_hash && run.balance_before === start.balance_after;
    if (isDouble || (isNext && !follows)) unchained.push(run.first_seq);
    before = run;
  }
  return unchained;
}
