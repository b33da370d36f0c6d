"""The sender's address in SES (moto, locally), which sends for none that was not verified."""

import boto3


def verify_sender(address: str) -> None:
    # The first version of SES's API: moto loads the second in a sixth of a second, which `up` would wait for.
    boto3.client("ses").verify_email_identity(EmailAddress=address)
