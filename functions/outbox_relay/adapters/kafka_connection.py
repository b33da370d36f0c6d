"""How Kafka is reached: one group of settings for every client."""

from typing import Any

from common.runtime.settings import Settings


class KafkaSettings(Settings):
    """`AWS_MSK_IAM` logs in with the function's own role, `SCRAM` with the secret `kafka`, `TLS` with nothing."""

    kafka_bootstrap_servers: str
    kafka_security: str = "AWS_MSK_IAM"  # or SCRAM, TLS, PLAINTEXT
    kafka_ca_file: str = ""  # for a broker whose certificate no public authority signed


def kafka_options(settings: KafkaSettings, password: dict[str, str] | None = None) -> dict[str, Any]:
    """What every kafka-python client takes to connect. `password` is `{"username", "password"}`, for SCRAM."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap_servers.split(",")}
    if settings.kafka_security == "PLAINTEXT":
        return options
    if settings.kafka_ca_file:
        options["ssl_cafile"] = settings.kafka_ca_file
    if settings.kafka_security == "TLS":
        return options | {"security_protocol": "SSL"}
    options["security_protocol"] = "SASL_SSL"
    if settings.kafka_security == "SCRAM":
        if password is None:
            raise ValueError("SCRAM needs a name and a password")
        return options | {
            "sasl_mechanism": "SCRAM-SHA-512",  # the only one MSK has
            "sasl_plain_username": password["username"],
            "sasl_plain_password": password["password"],
        }
    if settings.kafka_security == "AWS_MSK_IAM":
        return options | {"sasl_mechanism": "AWS_MSK_IAM"}
    raise ValueError(f"KAFKA_SECURITY={settings.kafka_security} is not one of AWS_MSK_IAM, SCRAM, TLS, PLAINTEXT")
