-- depends: 0007.sealed-accounts

-- A verification also corrects a mistyped address (AUTH-023).
ALTER TABLE user_service.spent_identity_verifications
  DROP CONSTRAINT spent_identity_verifications_purpose_check,
  ADD CONSTRAINT spent_identity_verifications_purpose_check CHECK (purpose IN ('register', 'reset', 'email'));
