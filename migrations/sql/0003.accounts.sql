-- depends: 0001.roles-and-schemas

CREATE TABLE user_service.users (
  id            uuid PRIMARY KEY,
  email         text NOT NULL,
  email_key     text NOT NULL UNIQUE,      -- the address as it is compared: case folded
  password_hash text NOT NULL,             -- bcrypt (AUTH-014)
  name          text NOT NULL,
  phone         text,
  ci            text NOT NULL UNIQUE,      -- one person, one account (AUTH-004)
  role          text NOT NULL DEFAULT 'USER' CHECK (role IN ('USER', 'ADMIN')),
  created_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE user_service.agreements (
  user_id   uuid NOT NULL REFERENCES user_service.users,
  code      text NOT NULL,
  version   text NOT NULL,
  agreed    boolean NOT NULL,
  agreed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (user_id, code, version)
);

-- Refresh tokens by hash; a family is one sign-in, and dies whole when a spent token comes back (AUTH-009).
CREATE TABLE user_service.auth_tokens (
  token_hash bytea PRIMARY KEY,
  family_id  uuid NOT NULL,
  user_id    uuid NOT NULL REFERENCES user_service.users,
  expires_at timestamptz NOT NULL,
  spent_at   timestamptz,
  revoked_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX auth_tokens_family ON user_service.auth_tokens (family_id);
CREATE INDEX auth_tokens_user ON user_service.auth_tokens (user_id);
