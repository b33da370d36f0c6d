-- depends: 0007.sealed-accounts

-- Which account a person at Kakao, Naver or Google signs in to (AUTH-007). Of the provider's id only a keyed hash is kept.
CREATE TABLE user_service.social_identities (
  provider     text NOT NULL CHECK (provider IN ('kakao', 'naver', 'google')),
  subject_hash bytea NOT NULL,
  user_id      uuid NOT NULL REFERENCES user_service.users,
  linked_at    timestamptz NOT NULL,
  PRIMARY KEY (provider, subject_hash),  -- a person of theirs has one account
  UNIQUE (user_id, provider)             -- and an account one person of each
);
