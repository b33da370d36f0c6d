-- depends: 0008.sessions 0009.login-history

-- As users_oldest_seal: what resealing looks for (functions/auth/adapters/sealed_row_repository.py). Nearly all entries
-- are the same five bytes, which a B-tree keeps once a page.
CREATE INDEX dormant_oldest_seal
  ON user_service.dormant_personal_data (substring(LEAST(email_sealed, name_sealed, phone_sealed, ci_sealed) FOR 5));
CREATE INDEX login_history_oldest_seal ON user_service.login_history (substring(LEAST(client_sealed) FOR 5));
