"""Java trusts what this machine trusts: its certificate authorities, as a store Java reads.

A Java from PyPI carries the public authorities only; behind a proxy with an authority of its own,
the machine's store (or SSL_CERT_FILE) knows better.
"""

from __future__ import annotations

import ssl
import warnings
from pathlib import Path

from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PKCS12Certificate,
    serialize_java_truststore,
)
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509 import load_der_x509_certificate

PASSWORD = "changeit"  # Java's own convention: the store holds nothing secret


def trust_options(store: Path) -> list[str]:
    """Write the store and return the options that make a JVM use it; none where we know nothing."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    if not found:
        return []
    with warnings.catch_warnings():
        # Some public authorities have serial numbers that newer rules forbid.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        certificates = [
            PKCS12Certificate(load_der_x509_certificate(der), f"authority-{number}".encode())
            for number, der in enumerate(found)
        ]
    store.write_bytes(
        serialize_java_truststore(certificates, BestAvailableEncryption(PASSWORD.encode()))
    )
    name = "-Djavax.net.ssl.trustStore"
    return [f"{name}={store}", f"{name}Type=PKCS12", f"{name}Password={PASSWORD}"]
