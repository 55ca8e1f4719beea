/** Accounts as an administrator names them. Their money is in their objects; here is only that they exist. */

export interface AccountRow {
  id: string;
  name: string;
  created_at: number;
}

export interface KnownAccount extends AccountRow {
  /** Below this balance `balance.low` is sent; null never. */
  low_balance_micro_rub: number | null;
}

export async function insertAccount(database: D1Database, account: AccountRow): Promise<void> {
  await database
    .prepare("INSERT INTO account (id, name, created_at) VALUES (?1, ?2, CAST(?3 AS INTEGER)) ON CONFLICT DO NOTHING")
    .bind(account.id, account.name, String(account.created_at))
    .run();
}

export async function findAccount(database: D1Database, id: string): Promise<KnownAccount | null> {
  return database.prepare("SELECT id, name, created_at, low_balance_micro_rub FROM account WHERE id = ?1").bind(id).first<KnownAccount>();
}

/** Changes what is given. */
export async function changeAccount(
  database: D1Database,
  id: string,
  change: { name?: string | undefined; low_balance_micro_rub?: number | null | undefined },
): Promise<void> {
  const { name, low_balance_micro_rub: low } = change;
  const statements = [
    ...(name === undefined ? [] : [database.prepare("UPDATE account SET name = ?2 WHERE id = ?1").bind(id, name)]),
    ...(low === undefined
      ? []
      : [
          database
            .prepare("UPDATE account SET low_balance_micro_rub = CAST(?2 AS INTEGER) WHERE id = ?1")
            .bind(id, low === null ? null : String(low)),
        ]),
  ];
  if (statements.length > 0) await database.batch(statements);
}

/** Accounts above `afterId`, by id. */
export async function accountsPage(database: D1Database, afterId: string, limit: number): Promise<AccountRow[]> {
  const result = await database
    .prepare("SELECT id, name, created_at FROM account WHERE id > ?1 ORDER BY id LIMIT ?2")
    .bind(afterId, limit)
    .all<AccountRow>();
  return result.results;
}
