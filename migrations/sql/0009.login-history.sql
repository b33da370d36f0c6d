-- depends: 0007.sealed-accounts

-- Sign-ins, and failed ones, for 90 days (AUTH-021). No reference to users: to check one would make a sign-in to an account
-- take longer than one to none.
CREATE TABLE user_service.login_history (
  id            uuid PRIMARY KEY,
  user_id       uuid,                 -- null when nobody has an account under the address
  email_hash    bytea,                -- keyed, of the address that was given; null when a provider was asked
  at            timestamptz NOT NULL,
  method        text NOT NULL CHECK (method IN ('PASSWORD', 'KAKAO', 'NAVER', 'GOOGLE')),
  success       boolean NOT NULL,
  suspicious    boolean NOT NULL,
  client_sealed bytea NOT NULL,       -- functions/auth/adapters/vault.py, of this row: {"ip", "userAgent"}
  network_hash  bytea NOT NULL,       -- keyed, of the address's /24 or /56
  agent_hash    bytea NOT NULL,       -- keyed
  CHECK (user_id IS NOT NULL OR email_hash IS NOT NULL)
);
CREATE INDEX login_history_of_user ON user_service.login_history (user_id, at, id);
CREATE INDEX login_history_networks ON user_service.login_history (user_id, network_hash) WHERE success;
CREATE INDEX login_history_agents ON user_service.login_history (user_id, agent_hash) WHERE success;
CREATE INDEX login_history_age ON user_service.login_history (at);
