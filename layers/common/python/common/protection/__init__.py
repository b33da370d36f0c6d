"""Rate limits, the bot check, the captcha, the circuit breaker, and revoked tokens."""
