"""A real broker that asks who one is: SASL with and without TLS, and access by lists (ACLs).

Its plain listener is the administrator's: there a test makes users and gives them topics. The
listener `login` has SASL_PLAINTEXT, the listener `tls` SASL_SSL with a certificate of its own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from marquee.settings import Settings, load_settings
from tests.plugins.free_ports import free_port
from tests.plugins.kafka_broker import Broker

PLAIN_USER = {"ada": "ada's pass"}
"""Known by PLAIN, from the broker's own settings."""
PROPERTIES = """
listeners=BROKER://127.0.0.1:{port},LOGIN://127.0.0.1:{login},TLS://127.0.0.1:{tls},\
CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{port},LOGIN://127.0.0.1:{login},TLS://127.0.0.1:{tls}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT,LOGIN:SASL_PLAINTEXT,TLS:SASL_SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.login.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {plain};
listener.name.login.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.tls.plain.sasl.jaas.config={module}.plain.PlainLoginModule required {plain};
listener.name.tls.scram-sha-512.sasl.jaas.config={module}.scram.ScramLoginModule required;
listener.name.tls.ssl.keystore.type=PEM
listener.name.tls.ssl.keystore.location={keystore}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""
MODULE = "org.apache.kafka.common.security"
LONG_AGO, LATER = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=30)


class SecureBroker(Broker):
    """One node with three listeners; `settings` are those of a client of one of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.login, self.tls = free_port(), free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self.authority = write_certificates(folder / "broker.pem", folder / "authority.pem")

    def properties(self) -> str:
        plain = " ".join(f'user_{name}="{text}"' for name, text in PLAIN_USER.items())
        return PROPERTIES.format(
            port=self.port,
            login=self.login,
            tls=self.tls,
            controller=self._controller,
            keystore=self.folder / "broker.pem",
            module=MODULE,
            plain=plain,
        )

    def settings(self, topic: str, **values: Any) -> Settings:
        """Settings of a client: SCRAM without TLS, where `values` say no other."""
        ours = {
            "bootstrap": f"127.0.0.1:{self.login}",
            "security": "sasl_plaintext",
            "mechanism": "SCRAM-SHA-512",
            "feedback_topic": topic,
            "refused_topic": f"{topic}.refused",
        }
        settings = load_settings("local")
        kafka = settings.kafka.model_copy(update=ours | values)
        return settings.model_copy(update={"kafka": kafka})

    def set_password(self, user: str, password: str) -> None:
        """Make a user of SCRAM, or give one another password."""
        info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        change = UserScramCredentialUpsertion(user, info, password.encode())
        admin = self._admin()
        admin.alter_user_scram_credentials([change])[user].result(60)

    def allow(self, user: str, *topics: str) -> None:
        """Let a user do all with topics that begin so, and with our transactional ids."""
        prefixed, every = ResourcePatternType.PREFIXED, AclOperation.ALL
        wanted = [(ResourceType.TOPIC, topic) for topic in topics]
        wanted += [(ResourceType.TRANSACTIONAL_ID, "marquee-"), (ResourceType.GROUP, "marquee")]
        allow = AclPermissionType.ALLOW
        made = [
            AclBinding(kind, name, prefixed, f"User:{user}", "*", every, allow)
            for kind, name in wanted
        ]
        admin = self._admin()
        for one in admin.create_acls(made).values():
            one.result(60)

    def refuse(self, user: str, topic: str) -> None:
        """Deny a user one topic, whatever else it may."""
        made = _denial(AclBinding, user, topic, "*", AclOperation.ALL)
        admin = self._admin()
        admin.create_acls([made])[made].result(60)

    def forgive(self, user: str, topic: str) -> None:
        """Take the denial of one topic back."""
        wanted = _denial(AclBindingFilter, user, topic, None, AclOperation.ANY)
        admin = self._admin()
        admin.delete_acls([wanted])[wanted].result(60)

    def _admin(self) -> AdminClient:
        """To be held until the answer is there: it takes its questions with it."""
        return AdminClient({"bootstrap.servers": self.address})


def _denial(made: Any, user: str, topic: str, host: str | None, operation: AclOperation) -> Any:
    """Of one topic to one user, as a binding or as a filter of bindings."""
    literal, whom = ResourcePatternType.LITERAL, f"User:{user}"
    deny = AclPermissionType.DENY
    return made(ResourceType.TOPIC, topic, literal, whom, host, operation, deny)


def write_certificates(keystore: Path, authority: Path) -> Path:
    """An authority, and a broker's key and certificate from it for 127.0.0.1; the former's file."""
    signer, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    own = _certificate("test authority", signer, "test authority", signer, True)
    brokers = _certificate("broker", key, "test authority", signer, False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    keystore.write_bytes(private + brokers.public_bytes(Encoding.PEM))
    authority.write_bytes(own.public_bytes(Encoding.PEM))
    return authority


def _certificate(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    signer: ec.EllipticCurvePrivateKey,
    signs: bool,
) -> x509.Certificate:
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(LONG_AGO)
        .not_valid_after(LATER)
        .add_extension(x509.BasicConstraints(ca=signs, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(signer, hashes.SHA256())
    )
