"""What the queue and the admitter share in Redis, and the tokens that an admission gives."""
