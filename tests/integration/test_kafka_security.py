"""How the relay connects to MSK, as far as that can be tested here: TLS and SASL with a local Apache Kafka.

Only AWS can verify an IAM signature. Apache Kafka does not support the mechanism, so the test reads what would be sent.
"""

import datetime
import ipaddress
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from kafka import KafkaAdminClient
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from common.messaging.messages import DEAD_LETTERS
from emulator.ports import HOST, free_port
from emulator.processes import ProcessRegistry
from emulator.services.apache_kafka import ApacheKafka
from functions.outbox_relay.adapters.kafka_connection import KafkaSettings, kafka_options
from functions.outbox_relay.adapters.kafka_publisher import KafkaPublisher
from functions.outbox_relay.domain.outbox_row import OutboxRow
from functions.outbox_relay.domain.publisher import BrokerUnavailable
from tools.simulation.topic import Topic

TOPIC = "dlq.payment"
PASSWORD = {"username": "relay", "password": "test-only"}


class SecureBroker(ApacheKafka):
    """A node with a second listener: SASL over TLS, like MSK's ports 9096 (SCRAM) and 9098 (IAM)."""

    secure_port = 0
    keystore: Path

    def _settings(self) -> Mapping[str, object]:
        settings = dict(super()._settings())
        listener = f"SASL_SSL://{HOST}:{self.secure_port}"
        return settings | {
            "listeners": f"{settings['listeners']},{listener}",
            "advertised.listeners": f"{settings['advertised.listeners']},{listener}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512",
            "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": (
                "org.apache.kafka.common.security.scram.ScramLoginModule required;"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.keystore,
        }


@dataclass(frozen=True)
class SecureServer:
    plain: list[str]
    server: str
    ca_file: str

    def settings(self, security: str, *, ca_file: str | None = None) -> KafkaSettings:
        return KafkaSettings(
            kafka_bootstrap_servers=self.server,
            kafka_security=security,
            kafka_ca_file=self.ca_file if ca_file is None else ca_file,
        )


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for this machine: (key and certificate, certificate)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(HOST))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    ).public_bytes(serialization.Encoding.PEM)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "broker.pem").write_bytes(pem + certificate)
    (folder / "ca.pem").write_bytes(certificate)
    return folder / "broker.pem", folder / "ca.pem"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureServer]:
    if os.environ.get("EMULATOR_KAFKA") != "apache" or not (shutil.which("java") and shutil.which("mvn")):
        pytest.skip("TLS and SASL need Apache Kafka: make test-apache, with Java and Maven")
    folder = tmp_path_factory.mktemp("secure")
    port = free_port()
    broker = SecureBroker(
        {"topics": {TOPIC: 1}}, folder / "kafka", port, folder / "kafka.log", ProcessRegistry(folder / "registry.json")
    )
    broker.secure_port = free_port(exclude=frozenset({port}))
    broker.keystore, ca_file = _certificate(folder)
    try:
        broker.prepare(lambda _: None)
        broker.spawn()
        broker.wait_ready(120)
        admin = KafkaAdminClient(bootstrap_servers=[broker.url])
        admin.alter_user_scram_credentials(
            [
                UserScramCredentialUpsertion(
                    PASSWORD["username"], ScramMechanism.SCRAM_SHA_512, PASSWORD["password"], iterations=4096
                )
            ]
        )
        admin.close()
        yield SecureServer([broker.url], f"{HOST}:{broker.secure_port}", str(ca_file))
    finally:
        if broker.child:
            broker.child.kill()


def row(number: int) -> OutboxRow:
    return OutboxRow(number, TOPIC, "k", f"message {number}", {}, 0)


def assert_connection_fails(publisher: KafkaPublisher, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every attempt to connect fails, and one of them logs the reason.

    The broker closes the connection right after its answer. kafka-python 3.0.12 drops an answer that it reads together
    with the end of the connection, and logs only "socket disconnected" then.
    """
    deadline = time.monotonic() + 60
    while reason not in caplog.text and time.monotonic() < deadline:
        with pytest.raises(BrokerUnavailable):
            publisher.connect()
    assert reason in caplog.text


def test_the_relay_logs_in_with_scram_over_tls_and_publishes(secure: SecureServer) -> None:
    assert TOPIC in DEAD_LETTERS.values()
    publisher = KafkaPublisher(kafka_options(secure.settings("SCRAM"), PASSWORD))
    with Topic(secure.plain, TOPIC) as topic:
        assert publisher.publish([row(1), row(2)]) == [None, None]
        publisher.close()
        assert [record.value for record in topic.read()] == [b"message 1", b"message 2"]


def test_with_a_wrong_password_the_broker_is_unavailable_and_nothing_is_published(
    secure: SecureServer, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = KafkaPublisher(kafka_options(secure.settings("SCRAM"), PASSWORD | {"password": "wrong"}), 3)
    with Topic(secure.plain, TOPIC) as topic:
        assert_connection_fails(publisher, "SaslAuthenticationFailed", caplog)
        assert topic.read() == []


def test_a_broker_with_an_untrusted_certificate_is_not_connected_to(
    secure: SecureServer, caplog: pytest.LogCaptureFixture
) -> None:
    publisher = KafkaPublisher(kafka_options(secure.settings("SCRAM", ca_file=""), PASSWORD), 3)
    assert_connection_fails(publisher, "CERTIFICATE_VERIFY_FAILED", caplog)


def test_iam_requests_its_sasl_mechanism_over_tls(
    secure: SecureServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """After the TLS handshake, a broker other than MSK answers that it does not support the mechanism."""
    _set_role_credentials(monkeypatch)
    publisher = KafkaPublisher(kafka_options(secure.settings("AWS_MSK_IAM")), 3)
    assert_connection_fails(publisher, "UnsupportedSaslMechanism", caplog)


def test_iam_signs_the_host_name_with_the_role_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is the one that AWS's own client sends (aws-msk-iam-auth, 2020_10_22)."""
    from kafka.net.sasl.msk import SaslMechanismAwsMskIam

    _set_role_credentials(monkeypatch)
    options = kafka_options(KafkaSettings(kafka_bootstrap_servers="b-1.example:9098", kafka_security="AWS_MSK_IAM"))
    mechanism = SaslMechanismAwsMskIam(host="b-1.example", **options)
    sent = json.loads(mechanism.auth_bytes())
    assert sent["host"] == "b-1.example"
    assert sent["action"] == "kafka-cluster:Connect"
    assert sent["x-amz-credential"].startswith("AKIDROLE/")
    assert sent["x-amz-credential"].endswith("/ap-northeast-2/kafka-cluster/aws4_request")
    assert sent["x-amz-security-token"] == "role-session"
    assert int(sent["x-amz-expires"]) <= 900
    assert len(sent["x-amz-signature"]) == 64


def _set_role_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials that Lambda gives a function."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDROLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "role-secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "role-session")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-northeast-2")
