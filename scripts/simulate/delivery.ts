/** D1 under watch: its rows are rows of a ledger, never others, and its rollups are the sums of its rows (I13, I14). */
import type { Books } from "./books.ts";
import type { Statements } from "./storage.ts";

const ROLLUPS = `SELECT account_id, day, model, provider, key_id, count(*), sum(state <> 'settled'), sum(coalesce(input_tokens, 0)),
  sum(coalesce(cache_read_tokens, 0)), sum(coalesce(output_tokens, 0)), sum(coalesce(cost_micro_rub, 0)), sum(charged_micro_rub)
  FROM usage GROUP BY 1, 2, 3, 4, 5`;
const STORED = `SELECT account_id, day, model, provider, key_id, requests, failed, input_tokens, cache_read_tokens, output_tokens, cost_micro_rub,
  charged_micro_rub FROM usage_day`;
const WRONG = `SELECT * FROM (${ROLLUPS} EXCEPT ${STORED}) UNION ALL SELECT * FROM (${STORED} EXCEPT ${ROLLUPS})`;
const ENTRY =
  "kind, request_id, external_id, CAST(amount_micro_rub AS TEXT) AS amount, CAST(balance_after_micro_rub AS TEXT) AS balance_after";

export interface Delivery {
  database: Statements;
  books: ReadonlyMap<string, Books>;
  violated: (invariant: string, detail: string) => void;
}

/** After each commit: every row is of a ledger. Gives how many there are, by account. */
export function checkSubset({ database, books, violated }: Delivery): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of database.all(`SELECT account_id, seq, hash, ${ENTRY} FROM entry`)) {
    const accountId = String(row["account_id"]);
    counts.set(accountId, (counts.get(accountId) ?? 0) + 1);
    const seq = Number(row["seq"]);
    const account = books.get(accountId);
    const entry = account?.auditor.entries[seq - 1];
    const isSame =
      entry !== undefined &&
      account?.hashes[seq - 1] === row["hash"] &&
      [entry.kind, entry.request, entry.external, entry.amount, entry.balanceAfter].join(" ") ===
        [row["kind"], row["request_id"], row["external_id"], row["amount"], row["balance_after"]].join(" ");
    if (!isSame) violated("I13", `row ${seq} of ${accountId} in D1 is not the ledger's`);
  }
  return counts;
}

export function checkRollups({ database, violated }: Delivery): void {
  const wrong = database.all(WRONG);
  if (wrong.length > 0) violated("I14", `${wrong.length} rollups are not the sums of their rows: ${JSON.stringify(wrong[0])}`);
}

/** At rest: D1 is the ledgers, entry for entry, each charge has its usage row, and its cost follows from the row's own inputs. */
export function checkWhole(delivery: Delivery, recompute: string): void {
  const { database, books, violated } = delivery;
  const counts = checkSubset(delivery);
  checkRollups(delivery);
  for (const [accountId, account] of books) {
    const { entries } = account.auditor;
    if ((counts.get(accountId) ?? 0) !== entries.length)
      violated("I13 I16", `D1 has ${counts.get(accountId) ?? 0} of ${entries.length} entries of ${accountId}`);
    const charges = entries.filter((entry) => entry.kind === "settle" || entry.kind === "late_settle");
    const used = database.one(
      "SELECT count(*) AS n, CAST(coalesce(sum(charged_micro_rub), 0) AS TEXT) AS charged FROM usage WHERE account_id = ? AND kind IN ('settle', 'late_settle')",
      accountId,
    );
    const charged = charges.reduce((sum, entry) => sum - entry.amount, 0n);
    if (used["n"] !== charges.length || used["charged"] !== String(charged)) {
      violated(
        "I13",
        `usage of ${accountId}: ${String(used["n"])} rows of ${String(used["charged"])} instead of ${charges.length} of ${charged}`,
      );
    }
  }
  const wrong = database.all(recompute);
  if (wrong.length > 0) violated("I23", `rows of D1 do not recompute: ${JSON.stringify(wrong[0])}`);
}
