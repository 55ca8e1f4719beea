-- Money that comes in. A webhook names a payment, never an account, and may name nothing we know, so what it says is kept here until it
-- has had its effect. The effect itself, the credit, is one transaction in the account's object under the payment's own id.

-- What a payment page refers to, stored before anybody can pay. Amounts are millionths of the currency.
CREATE TABLE payment_order (
  id TEXT PRIMARY KEY,
  account_id TEXT NOT NULL,
  provider TEXT NOT NULL,
  reference TEXT NOT NULL,
  amount_micro INTEGER NOT NULL CHECK (amount_micro > 0),
  currency TEXT NOT NULL,
  -- What the balance gets, and for another currency than RUB the rate it was computed with.
  credit_micro_rub INTEGER NOT NULL CHECK (credit_micro_rub > 0),
  fx_micro_rub_per_usd INTEGER,
  -- pending, claimed (a payment is bound to it, its credit is under way), paid.
  state TEXT NOT NULL,
  payment_id TEXT,
  created_at INTEGER NOT NULL,
  paid_at INTEGER,
  polled_at INTEGER
) STRICT;

CREATE UNIQUE INDEX payment_order_reference ON payment_order (account_id, reference);
-- One payment pays one order, and (by the column) one order is paid by one payment.
CREATE UNIQUE INDEX payment_order_payment ON payment_order (provider, payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX payment_order_open ON payment_order (provider, created_at) WHERE state = 'pending';

-- Every proven notice about money, written before its effect. The id is the hash of what it says, so the same word said again, in
-- whatever bytes, is the same row.
CREATE TABLE payment_inbox (
  id TEXT PRIMARY KEY,
  provider TEXT NOT NULL,
  payment_id TEXT NOT NULL,
  notice TEXT NOT NULL,
  -- SHA-256 of the body it first came in; empty for one the poller found.
  body_hash TEXT NOT NULL,
  -- received, parked (with the reason), done.
  state TEXT NOT NULL,
  reason TEXT,
  deliveries INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX payment_inbox_open ON payment_inbox (updated_at) WHERE state <> 'done';
CREATE INDEX payment_inbox_payment ON payment_inbox (provider, payment_id);

-- Parts of a payment that went back: refunds and chargebacks. Together never more than the payment.
CREATE TABLE payment_return (
  provider TEXT NOT NULL,
  fact_id TEXT NOT NULL,
  order_id TEXT NOT NULL,
  amount_micro INTEGER NOT NULL CHECK (amount_micro > 0),
  debit_micro_rub INTEGER NOT NULL CHECK (debit_micro_rub >= 0),
  at INTEGER NOT NULL,
  PRIMARY KEY (provider, fact_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX payment_return_order ON payment_return (order_id);
