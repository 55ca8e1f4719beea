-- People, how they sign in, and the organisations they belong to. The tables whose names begin with `person` are better-auth's, under names of
-- ours; their columns have the library's own names, so that an update of the library needs no map. Instants in them are ISO 8601 text, and
-- booleans are 0 and 1. The tables below them are ours, with instants in milliseconds.

CREATE TABLE person (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  email TEXT NOT NULL UNIQUE,
  emailVerified INTEGER NOT NULL DEFAULT 0,
  image TEXT,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL,
  twoFactorEnabled INTEGER DEFAULT 0
) STRICT;

CREATE TABLE person_session (
  id TEXT PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  userId TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  expiresAt TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL,
  ipAddress TEXT,
  userAgent TEXT
) STRICT;
CREATE INDEX person_session_person ON person_session (userId);

-- One way of signing in: a password (its hash), or an account with an outside provider.
CREATE TABLE person_credential (
  id TEXT PRIMARY KEY,
  accountId TEXT NOT NULL,
  providerId TEXT NOT NULL,
  userId TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  accessToken TEXT,
  refreshToken TEXT,
  idToken TEXT,
  accessTokenExpiresAt TEXT,
  refreshTokenExpiresAt TEXT,
  scope TEXT,
  password TEXT,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL
) STRICT;
CREATE INDEX person_credential_person ON person_credential (userId);
CREATE UNIQUE INDEX person_credential_account ON person_credential (providerId, accountId);

-- What a step of signing in leaves for the next one: a challenge, the state of a redirect.
CREATE TABLE person_verification (
  id TEXT PRIMARY KEY,
  identifier TEXT NOT NULL,
  value TEXT NOT NULL,
  expiresAt TEXT NOT NULL,
  createdAt TEXT NOT NULL,
  updatedAt TEXT NOT NULL
) STRICT;
CREATE INDEX person_verification_identifier ON person_verification (identifier);
CREATE INDEX person_verification_expires ON person_verification (expiresAt);

CREATE TABLE person_second_factor (
  id TEXT PRIMARY KEY,
  userId TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  -- Both encrypted by the library under the deployment's secret.
  secret TEXT NOT NULL,
  backupCodes TEXT NOT NULL,
  verified INTEGER,
  failedVerificationCount INTEGER,
  lockedUntil TEXT
) STRICT;
CREATE INDEX person_second_factor_person ON person_second_factor (userId);

CREATE TABLE person_passkey (
  id TEXT PRIMARY KEY,
  name TEXT,
  publicKey TEXT NOT NULL,
  userId TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  credentialID TEXT NOT NULL UNIQUE,
  counter INTEGER NOT NULL,
  deviceType TEXT NOT NULL,
  backedUp INTEGER NOT NULL,
  transports TEXT,
  createdAt TEXT,
  aaguid TEXT
) STRICT;
CREATE INDEX person_passkey_person ON person_passkey (userId);

-- Who runs the installation: sees every organisation, the configuration, the queues.
CREATE TABLE operator (
  person_id TEXT PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
  since INTEGER NOT NULL
) STRICT;

-- An organisation owns one account, which has the balance and the keys.
CREATE TABLE organisation (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  account_id TEXT NOT NULL UNIQUE,
  created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE membership (
  organisation_id TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  person_id TEXT NOT NULL REFERENCES person (id) ON DELETE CASCADE,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'billing', 'read-only')),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (organisation_id, person_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX membership_person ON membership (person_id);

-- Only the hash of an invitation's token is kept. An e-mail address, where one is given, must be that of who accepts.
CREATE TABLE invitation (
  id TEXT PRIMARY KEY,
  organisation_id TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,
  email TEXT,
  role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'billing', 'read-only')),
  invited_by TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER,
  used_by TEXT,
  revoked_at INTEGER
) STRICT;
CREATE INDEX invitation_organisation ON invitation (organisation_id, created_at);

CREATE TABLE project (
  id TEXT PRIMARY KEY,
  organisation_id TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (organisation_id, name)
) STRICT;

-- Which project a key belongs to and who made it; the key itself is in the account's object. A key without a row is the organisation's own.
CREATE TABLE project_key (
  key_id TEXT PRIMARY KEY,
  organisation_id TEXT NOT NULL REFERENCES organisation (id) ON DELETE CASCADE,
  project_id TEXT NOT NULL REFERENCES project (id),
  created_by TEXT NOT NULL,
  -- The last characters of the key, by which people tell keys apart.
  ending TEXT NOT NULL,
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX project_key_organisation ON project_key (organisation_id);

-- Links that sign somebody in, printed where the installation is started. Only the hash of the token is kept.
CREATE TABLE sign_in_link (
  token_hash TEXT PRIMARY KEY,
  purpose TEXT NOT NULL CHECK (purpose IN ('first-owner', 'demo')),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at INTEGER
) STRICT;

-- Tries of something that can be guessed, counted in windows of time.
CREATE TABLE sign_in_attempt (
  bucket TEXT PRIMARY KEY,
  window_start INTEGER NOT NULL,
  attempts INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What people changed, and where: one row for each change that went through.
CREATE TABLE audit_event (
  id INTEGER PRIMARY KEY,
  organisation_id TEXT,
  person_id TEXT NOT NULL,
  action TEXT NOT NULL,
  target TEXT,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX audit_event_organisation ON audit_event (organisation_id, id);

-- An organisation's orders, the newest first.
CREATE INDEX payment_order_account ON payment_order (account_id, created_at);
