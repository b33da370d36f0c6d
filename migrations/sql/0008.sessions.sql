-- depends: 0007.sealed-accounts

-- A session is one family of refresh tokens; its id is the claim `sid` of its access tokens. Each row remembers the access
-- token that was issued with it, so that ending a session can end those still alive. Whoever was signed in signs in again.
TRUNCATE user_service.auth_tokens;
ALTER TABLE user_service.auth_tokens
  ADD COLUMN access_token_id   uuid NOT NULL,               -- its jti
  ADD COLUMN access_expires_at timestamptz NOT NULL;
CREATE INDEX auth_tokens_expiry ON user_service.auth_tokens (expires_at);

-- The personal data of accounts nobody has used for a year, apart from the others' (AUTH-019). Sealed as they were.
CREATE TABLE user_service.dormant_personal_data (
  user_id      uuid PRIMARY KEY REFERENCES user_service.users,
  email_sealed bytea NOT NULL,
  name_sealed  bytea NOT NULL,
  phone_sealed bytea,
  ci_sealed    bytea NOT NULL,
  separated_at timestamptz NOT NULL
);

-- What the batch looks for: accounts in use, by their last sign-in, and withdrawn ones not yet destroyed.
CREATE INDEX users_idle ON user_service.users (coalesce(last_login_at, created_at)) WHERE status = 'ACTIVE';
CREATE INDEX users_to_destroy ON user_service.users (withdrawn_at) WHERE status = 'WITHDRAWN' AND ci_hash IS NOT NULL;
