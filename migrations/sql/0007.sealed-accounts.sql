-- depends: 0003.accounts

-- No release had accounts, so none in the clear are converted: they go, and a local stack's come back with its seed.
TRUNCATE user_service.users, user_service.agreements, user_service.auth_tokens;

-- *_sealed: functions/auth/adapters/vault.py. Its bytes 2 to 5 are the data key's id.
ALTER TABLE user_service.users
  DROP COLUMN email,
  DROP COLUMN email_key,
  DROP COLUMN name,
  DROP COLUMN phone,
  DROP COLUMN ci,
  ADD COLUMN email_sealed      bytea,
  ADD COLUMN name_sealed       bytea,
  ADD COLUMN phone_sealed      bytea,
  ADD COLUMN ci_sealed         bytea,
  ADD COLUMN email_hash        bytea CONSTRAINT users_email_hash_key UNIQUE,  -- keyed; of the address in one case
  ADD COLUMN ci_hash           bytea CONSTRAINT users_ci_hash_key UNIQUE,     -- one person, one account (AUTH-004)
  ADD COLUMN status            text NOT NULL DEFAULT 'ACTIVE' CHECK (status IN ('ACTIVE', 'DORMANT', 'WITHDRAWN')),
  ADD COLUMN withdrawn_at      timestamptz,
  ADD COLUMN last_login_at     timestamptz,
  ADD COLUMN email_verified_at timestamptz,
  ALTER COLUMN password_hash DROP NOT NULL,
  -- A dormant account's personal data are elsewhere, a destroyed one's nowhere; until then all of it is there.
  ADD CONSTRAINT users_active_whole
    CHECK (status <> 'ACTIVE' OR (email_sealed IS NOT NULL AND name_sealed IS NOT NULL AND ci_sealed IS NOT NULL)),
  ADD CONSTRAINT users_found_until_destroyed
    CHECK (status = 'WITHDRAWN' OR (email_hash IS NOT NULL AND ci_hash IS NOT NULL AND password_hash IS NOT NULL)),
  ADD CONSTRAINT users_withdrawn_when CHECK ((status = 'WITHDRAWN') = (withdrawn_at IS NOT NULL));

-- What the re-sealing looks for: the row whose data key is the oldest.
CREATE INDEX users_oldest_seal
  ON user_service.users (substring(LEAST(email_sealed, name_sealed, phone_sealed, ci_sealed) FOR 5));

-- Data keys as KMS sealed them. The newest seals; none is ever deleted, for what it sealed would be lost.
CREATE TABLE user_service.data_keys (
  id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  sealed_key bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- An identity verification serves once a purpose: who overhears its id can do nothing with it (AUTH-004, AUTH-015).
CREATE TABLE user_service.spent_identity_verifications (
  verification_hash bytea NOT NULL,          -- keyed
  purpose           text NOT NULL CHECK (purpose IN ('register', 'reset')),
  spent_at          timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (verification_hash, purpose)
);
