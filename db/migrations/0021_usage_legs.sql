-- Requests of several calls (ensembles). `legs` of a usage row is the JSON text of its calls as they came; the table below is made from it, so
-- that whatever inserts, archives or restores a row carries its calls along. NULL: a single call, whose prices are in the row itself.
ALTER TABLE usage ADD COLUMN legs TEXT;

-- One call: its tokens, the prices they were counted at, its exact cost, and its share of the request's rounded cost. Exchange rate and markup
-- are the row's. A call that nothing is owed for has no usage_source, and costs nothing.
CREATE TABLE usage_leg (
  account_id TEXT NOT NULL,
  seq INTEGER NOT NULL,
  leg INTEGER NOT NULL,
  node TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  protocol TEXT NOT NULL,
  state TEXT NOT NULL,
  error_code TEXT,
  finish_reason TEXT,
  input_tokens INTEGER,
  cache_read_tokens INTEGER,
  cache_write_5m_tokens INTEGER,
  cache_write_1h_tokens INTEGER,
  output_tokens INTEGER,
  reasoning_tokens INTEGER,
  usage_source TEXT,
  price_key TEXT NOT NULL,
  input_pico_usd INTEGER NOT NULL,
  cache_read_pico_usd INTEGER NOT NULL,
  cache_write_5m_pico_usd INTEGER NOT NULL,
  cache_write_1h_pico_usd INTEGER NOT NULL,
  output_pico_usd INTEGER NOT NULL,
  request_pico_usd INTEGER NOT NULL,
  provider_cost_pico_usd INTEGER NOT NULL,
  cost_micro_rub INTEGER NOT NULL,
  PRIMARY KEY (account_id, seq, leg)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER usage_legs_inserted AFTER INSERT ON usage WHEN NEW.legs IS NOT NULL BEGIN
  INSERT INTO usage_leg SELECT NEW.account_id, NEW.seq, key + 1,
    value ->> 'node', value ->> 'model', value ->> 'provider', value ->> 'protocol', value ->> 'state', value ->> 'error_code',
    value ->> 'finish_reason',
    CAST(value ->> 'input_tokens' AS INTEGER), CAST(value ->> 'cache_read_tokens' AS INTEGER),
    CAST(value ->> 'cache_write_5m_tokens' AS INTEGER), CAST(value ->> 'cache_write_1h_tokens' AS INTEGER),
    CAST(value ->> 'output_tokens' AS INTEGER), CAST(value ->> 'reasoning_tokens' AS INTEGER),
    value ->> 'usage_source', value ->> 'price_key',
    CAST(value ->> 'input_pico_usd' AS INTEGER), CAST(value ->> 'cache_read_pico_usd' AS INTEGER),
    CAST(value ->> 'cache_write_5m_pico_usd' AS INTEGER), CAST(value ->> 'cache_write_1h_pico_usd' AS INTEGER),
    CAST(value ->> 'output_pico_usd' AS INTEGER), CAST(value ->> 'request_pico_usd' AS INTEGER),
    CAST(value ->> 'provider_cost_pico_usd' AS INTEGER), CAST(value ->> 'cost_micro_rub' AS INTEGER)
  FROM json_each(NEW.legs);
END;

CREATE TRIGGER usage_legs_deleted AFTER DELETE ON usage WHEN OLD.legs IS NOT NULL BEGIN
  DELETE FROM usage_leg WHERE account_id = OLD.account_id AND seq = OLD.seq;
END;
