-- The texts an entry's hash covers beside its columns: with them a ledger that was restored to an earlier time can be made whole again
-- from D1 alone. Kept longer than any object can be restored back to, then removed.

CREATE TABLE entry_source (
  account_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  at INTEGER NOT NULL,
  facts TEXT,
  record TEXT,
  PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;
