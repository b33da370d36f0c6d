"""What speaks to Postgres, Redis, KMS and libraries of cryptography."""
