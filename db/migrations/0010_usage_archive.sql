-- What reports need of a request beside its cost, and the parts of closed months that were moved to the archive. Every database that
-- keeps usage rows has these tables, so that a row's removal and the note of where it went are one transaction.

-- What was held for the request at its admission, and how often a provider was tried. NULL for rows of before.
ALTER TABLE usage ADD COLUMN hold_micro_rub INTEGER;
ALTER TABLE usage ADD COLUMN attempts INTEGER;

-- One object of the archive: an unbroken run of one account's entries of one month. What reconciliation needs of it is here.
CREATE TABLE archive_part (
  account_id TEXT NOT NULL,
  first_seq INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  month TEXT NOT NULL,
  object_key TEXT NOT NULL UNIQUE,
  -- SHA-256 of the JSON lines, before compression.
  sha256 TEXT NOT NULL,
  bytes INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  usage_rows INTEGER NOT NULL,
  amount_micro_rub INTEGER NOT NULL,
  first_prev_hash TEXT NOT NULL,
  last_hash TEXT NOT NULL,
  balance_before_micro_rub INTEGER NOT NULL,
  balance_after_micro_rub INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  archived_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, first_seq)
) STRICT, WITHOUT ROWID;

-- The sums of the usage rows of each part, by everything that rollups and reports group by: they are as exact after the rows have left.
CREATE TABLE archived_usage (
  account_id TEXT NOT NULL,
  part_seq INTEGER NOT NULL,
  day TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  key_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT,
  usage_source TEXT,
  evidence TEXT NOT NULL,
  fx_micro_rub_per_usd INTEGER NOT NULL,
  at INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  flagged INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  provider_cost_high INTEGER NOT NULL,
  provider_cost_low INTEGER NOT NULL,
  cost_micro_rub INTEGER NOT NULL,
  charged_micro_rub INTEGER NOT NULL,
  held_requests INTEGER NOT NULL,
  held_micro_rub INTEGER NOT NULL,
  held_cost_micro_rub INTEGER NOT NULL,
  above_hold INTEGER NOT NULL
) STRICT;

CREATE INDEX archived_usage_part ON archived_usage (account_id, part_seq);

-- The same for the entries of each part, by their kind.
CREATE TABLE archived_entry (
  account_id TEXT NOT NULL,
  part_seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  at INTEGER NOT NULL,
  entries INTEGER NOT NULL,
  amount_micro_rub INTEGER NOT NULL,
  PRIMARY KEY (account_id, part_seq, kind)
) STRICT, WITHOUT ROWID;
