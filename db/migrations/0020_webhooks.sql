-- Events for whoever integrates with us: which addresses want which, and the log of their deliveries, from which they are sent and
-- sent again. Events are made from the entries they tell of; workers/queue/announce.ts says how.

-- Below this balance `balance.low` is sent; NULL never.
ALTER TABLE account ADD COLUMN low_balance_micro_rub INTEGER;

CREATE TABLE webhook_endpoint (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  url TEXT NOT NULL,
  -- JSON array of event types.
  events TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  -- Why nothing is sent any more (`gone`, `operator`); NULL while it is on.
  disabled_reason TEXT,
  disabled_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX webhook_endpoint_account ON webhook_endpoint (account_id);

CREATE TABLE webhook_delivery (
  id INTEGER PRIMARY KEY,
  endpoint_id TEXT NOT NULL,
  -- The `webhook-id`: the same for every attempt and every replay.
  event_id TEXT NOT NULL,
  account_id TEXT NOT NULL,
  type TEXT NOT NULL,
  -- The exact body that is signed and sent.
  body TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed', 'stopped')),
  attempts INTEGER NOT NULL DEFAULT 0,
  -- When the next attempt is due; while one is under way, when it is taken for lost.
  next_at INTEGER NOT NULL,
  -- JSON array: what became of the latest attempts.
  log TEXT NOT NULL DEFAULT '[]',
  ended_at INTEGER,
  UNIQUE (endpoint_id, event_id)
) STRICT;
CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (endpoint_id, id);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX webhook_delivery_due ON webhook_delivery (next_at) WHERE state = 'pending';
