-- What D1 knows of every account's ledger: one row an entry, one row a finished request, and rollups kept by a trigger, so that a
-- row that is inserted once is counted once, however often its message comes.

CREATE TABLE account (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE entry (
  account_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  kind TEXT NOT NULL,
  request_id TEXT,
  external_id TEXT,
  amount_micro_rub INTEGER NOT NULL,
  postings TEXT NOT NULL,
  balance_after_micro_rub INTEGER NOT NULL,
  held_after_micro_rub INTEGER NOT NULL,
  at INTEGER NOT NULL,
  prev_hash TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

-- A message that claims a known (account, seq) with another hash: kept as evidence, never applied.
CREATE TABLE entry_conflict (
  account_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  hash TEXT NOT NULL,
  known_hash TEXT NOT NULL,
  PRIMARY KEY (account_id, seq, hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE usage (
  account_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  request_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  key_id TEXT NOT NULL,
  protocol TEXT NOT NULL,
  upstream_protocol TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  stream INTEGER NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT,
  -- Tokens by class; NULL is unknown, never zero.
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_5m_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  usage_source TEXT,
  -- The inputs of the formula: effective prices in pico-USD per token, the fee in pico-USD, micro-RUB per USD, basis points.
  price_version TEXT NOT NULL,
  input_pico_usd INTEGER NOT NULL,
  cache_read_pico_usd INTEGER NOT NULL,
  cache_write_5m_pico_usd INTEGER NOT NULL,
  cache_write_1h_pico_usd INTEGER NOT NULL,
  output_pico_usd INTEGER NOT NULL,
  request_pico_usd INTEGER NOT NULL,
  fx_micro_rub_per_usd INTEGER NOT NULL,
  markup_bps INTEGER NOT NULL,
  -- NULL for a released request: nothing was priced.
  provider_cost_pico_usd INTEGER,
  cost_micro_rub INTEGER,
  charged_micro_rub INTEGER NOT NULL,
  flagged TEXT,
  finish_reason TEXT,
  ttft_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  output_tokens_per_second REAL,
  evidence TEXT NOT NULL,
  at INTEGER NOT NULL,
  day TEXT NOT NULL,
  PRIMARY KEY (account_id, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX usage_request ON usage (account_id, request_id);
CREATE INDEX usage_day_page ON usage (account_id, day, seq);

CREATE TABLE usage_day (
  account_id TEXT NOT NULL,
  day TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  key_id TEXT NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cache_read_tokens INTEGER NOT NULL,
  cache_write_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost_micro_rub INTEGER NOT NULL,
  charged_micro_rub INTEGER NOT NULL,
  PRIMARY KEY (account_id, day, model, provider, key_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_rollup AFTER INSERT ON usage BEGIN
  INSERT INTO usage_day VALUES (
    NEW.account_id, NEW.day, NEW.model, NEW.provider, NEW.key_id, 1, NEW.state <> 'settled',
    coalesce(NEW.input_tokens, 0), coalesce(NEW.cache_read_tokens, 0),
    coalesce(NEW.cache_write_5m_tokens, 0) + coalesce(NEW.cache_write_1h_tokens, 0), coalesce(NEW.output_tokens, 0),
    coalesce(NEW.cost_micro_rub, 0), NEW.charged_micro_rub)
  ON CONFLICT (account_id, day, model, provider, key_id) DO UPDATE SET
    requests = requests + 1,
    failed = failed + excluded.failed,
    input_tokens = input_tokens + excluded.input_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cost_micro_rub = cost_micro_rub + excluded.cost_micro_rub,
    charged_micro_rub = charged_micro_rub + excluded.charged_micro_rub;
END;

CREATE TABLE dead_letter (
  id TEXT PRIMARY KEY,
  queue TEXT NOT NULL,
  body TEXT NOT NULL,
  reason TEXT NOT NULL,
  parked_at INTEGER NOT NULL,
  replayed_at INTEGER
) STRICT;

-- Prices and configuration, versioned: the highest number of a kind is in force.
CREATE TABLE document (
  kind TEXT NOT NULL,
  number INTEGER NOT NULL,
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (kind, number)
) STRICT, WITHOUT ROWID;
