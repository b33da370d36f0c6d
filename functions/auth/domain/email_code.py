"""Limits of e-mail codes (AUTH-022): guessing within them finds one of a million codes in one case of 20,000, and a
mailbox gets ten mails a day at most."""

VALID_SECONDS = 600
PAUSE_SECONDS = 60  # until the next code may be mailed
TRIES = 5
CODES_A_DAY = 10
