/** Accounts as an administrator names them. Their money is in their objects; here is only that they exist. */

export interface AccountRow {
  id: string;
  name: string;
  created_at: number;
}

export async function insertAccount(database: D1Database, account: AccountRow): Promise<void> {
  await database
    .prepare("INSERT INTO account (id, name, created_at) VALUES (?1, ?2, CAST(?3 AS INTEGER)) ON CONFLICT DO NOTHING")
    .bind(account.id, account.name, String(account.created_at))
    .run();
}

export async function findAccount(database: D1Database, id: string): Promise<AccountRow | null> {
  return database.prepare("SELECT id, name, created_at FROM account WHERE id = ?1").bind(id).first<AccountRow>();
}

/** Accounts above `afterId`, by id. */
export async function accountsPage(database: D1Database, afterId: string, limit: number): Promise<AccountRow[]> {
  const result = await database
    .prepare("SELECT id, name, created_at FROM account WHERE id > ?1 ORDER BY id LIMIT ?2")
    .bind(afterId, limit)
    .all<AccountRow>();
  return result.results;
}
