"""pretix' settings, but mail is not sent."""

from pretix.settings import *  # noqa: F403

EMAIL_BACKEND = EMAIL_CUSTOM_SMTP_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
