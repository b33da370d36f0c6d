"""The sender's address in SES (moto, locally), which sends for none that was not verified."""

import boto3


def verify_sender(address: str) -> None:
    ses = boto3.client("sesv2")
    try:
        ses.create_email_identity(EmailIdentity=address)
    except ses.exceptions.AlreadyExistsException:
        return
