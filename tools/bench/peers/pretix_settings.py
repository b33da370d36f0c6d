"""pretix' settings, without sending mail: it is composed and dropped."""

from pretix.settings import *  # noqa: F403

EMAIL_BACKEND = EMAIL_CUSTOM_SMTP_BACKEND = "django.core.mail.backends.dummy.EmailBackend"
