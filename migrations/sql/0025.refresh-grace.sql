-- depends: 0008.sessions

-- Tabs that refresh at once get siblings: tokens of one generation of a session, spent together (AUTH-009, ADR 0100).
ALTER TABLE user_service.auth_tokens
  ADD COLUMN generation int NOT NULL DEFAULT 0,  -- of its session: the login's is 0
  ADD COLUMN spent_by   bytea;                   -- the device that spent it, as a hash
