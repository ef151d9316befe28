"""Which process is given which secret: one table, for every way in which a process is started.

Everything that is Airflow's goes to Airflow's processes alone, for an operator may keep passwords
in any of its variables (connections, a secrets backend); what is in the table goes to fewer. The
local stack's supervisord, the daemons of a cluster's host and the steps start their processes with
`variables_for`; our `spark-submit` drops the same names.

Secrets that are files (`airflow/passwords.json`, `airflow/keys.json`, `tokens.json`, Spark's) are
readable for their owner alone; no environment holds them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from marquee.daemon_settings import (
    KAFKA_CONNECTION,
    KAFKA_PASSWORD,
    KAFKA_USERNAME,
    STREAM,
    KafkaSettings,
)
from marquee.document_settings import DOCUMENTS_PASSWORD, DOCUMENTS_USER
from marquee.errors import SettingsError
from marquee.place_settings import SparkSettings

AIRFLOW_PREFIX = "AIRFLOW_"
SPARK_SECRET = "_SPARK_AUTH_SECRET"
"""Where Spark's daemons and drivers look for their secret (`SecurityManager.ENV_AUTH_SECRET`)."""
CONNECT_TOKEN, CONNECT_SECRET = "SPARK_CONNECT_AUTHENTICATE_TOKEN", "MARQUEE_CONNECT_SECRET"
CONNECT_SECRETS = CONNECT_TOKEN, CONNECT_SECRET
"""What our worker shows to the Spark Connect server, and the API to our worker."""
KAFKA_LOGIN = f"{KAFKA_USERNAME} and {KAFKA_PASSWORD} (of a run: its connection {KAFKA_CONNECTION})"
"""Where a person finds the login of Kafka."""
SHORTEST_SECRET = 20
OWNERS: Mapping[str, tuple[str, ...]] = {
    # The API issues and checks the tokens of people, the scheduler issues those of tasks.
    "AIRFLOW__API__SECRET_KEY": ("airflow-api",),
    "AIRFLOW__API_AUTH__JWT_SECRET": ("airflow-api", "airflow-scheduler"),
    # The scheduler runs the task that starts the publication.
    DOCUMENTS_USER: ("airflow-scheduler", "documents"),
    DOCUMENTS_PASSWORD: ("airflow-scheduler", "documents"),
    SPARK_SECRET: ("spark-master", "spark-worker", "spark-driver"),
    CONNECT_TOKEN: ("connect-server", "connect-worker"),
    CONNECT_SECRET: ("connect-worker", "serving"),
    # Serving publishes feedback; a run's load_feedback, below the scheduler, reads it; a stream
    # reads questions. Where Airflow has a connection for it, the scheduler needs neither variable.
    KAFKA_USERNAME: ("serving", "airflow-scheduler", STREAM),
    KAFKA_PASSWORD: ("serving", "airflow-scheduler", STREAM),
}
"""By variable, the processes that need it; `_CMD` and `_SECRET` behind a name are the same."""


def variables_for(process: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without the secrets that this process has no use for.

    `process` is a name of `Procfile`, a daemon of a cluster's host, or "spark-driver"; any other
    ("" too) is given none.
    """
    return {name: text for name, text in environment.items() if process in _owners(name, process)}


def is_reserved(name: str) -> bool:
    """Whether a variable is given to some processes only."""
    return name.startswith(AIRFLOW_PREFIX) or name in OWNERS


def spark_secret(settings: SparkSettings) -> str:
    """The secret of the place's Standalone cluster; "" where its daemons and jobs show none.

    Raises SettingsError for a file that is missing, that anybody may read, or whose text is short.
    """
    if not (settings.authenticate and settings.masters):
        return ""
    path = Path(settings.secret_file)
    remedy = f"make one, and copy it to every host: openssl rand -base64 32 > {path}"
    try:
        text, mode = path.read_text("ascii").strip(), path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:  # the latter's text shows a byte of it
        reason = getattr(error, "strerror", None) or "it is not ASCII"
        raise SettingsError(f"Spark's secret {path} cannot be read: {reason}", remedy) from None
    if mode & 0o007:
        raise SettingsError(f"anybody may read Spark's secret {path}", f"chmod o= {path}")
    if len(text) < SHORTEST_SECRET:
        raise SettingsError(
            f"Spark's secret {path} is shorter than {SHORTEST_SECRET} signs", remedy
        )
    return text


def spark_authentication(settings: SparkSettings) -> dict[str, str]:
    """Spark's settings of a place whose daemons and jobs authenticate; the secret is not one.

    A driver of Standalone wants the key `spark.authenticate.secret`, and then reads SPARK_SECRET
    first (Spark 4.1, `SecurityManager.initializeAuth` and `getSecretKey`).
    """
    if not settings.authenticate:
        return {}
    names = ("spark.authenticate", "spark.network.crypto.enabled", "spark.acls.enable")
    instead = {"spark.authenticate.secret": f"in-{SPARK_SECRET}"} if settings.masters else {}
    return dict.fromkeys(names, "true") | instead


def kafka_security(settings: KafkaSettings, given: Mapping[str, str]) -> dict[str, str]:
    """The security of Kafka's clients, in the words of its C library; `given` has the login.

    Raises SettingsError where the login is missing, or the authority's file cannot be read.
    """
    found: dict[str, str] = {"security.protocol": settings.security}
    if settings.ca_file:
        try:
            Path(settings.ca_file).read_bytes()
        except OSError as error:
            raise SettingsError(
                f"[kafka] ca_file {settings.ca_file} cannot be read: {error.strerror}",
                "name the file with the certificate of the brokers' authority, in PEM",
            ) from None
        found["ssl.ca.location"] = settings.ca_file
    if not settings.security.startswith("sasl"):
        return found
    user, password = given.get(KAFKA_USERNAME), given.get(KAFKA_PASSWORD)
    if not user or not password:
        raise SettingsError(
            f"[kafka] security is {settings.security}, and {KAFKA_USERNAME} or {KAFKA_PASSWORD} is "
            "not set",
            "set both in the environment of serving and of Airflow's scheduler; a run's may be in "
            f"Airflow's connection {KAFKA_CONNECTION}",
        )
    login = {"sasl.username": user, "sasl.password": password}
    return {**found, "sasl.mechanism": settings.mechanism, **login}


def java_kafka_security(settings: KafkaSettings) -> dict[str, str]:
    """The same for Kafka's clients in Java, such as Spark's; the login is the environment's."""
    found = {"kafka.security.protocol": settings.security.upper()}
    if settings.ca_file:
        found["kafka.ssl.truststore.type"] = "PEM"
        found["kafka.ssl.truststore.location"] = settings.ca_file
    if settings.security.startswith("sasl"):
        plain = settings.mechanism == "PLAIN"
        module = "plain.PlainLoginModule" if plain else "scram.ScramLoginModule"
        names = (KAFKA_USERNAME, KAFKA_PASSWORD)
        user, password = (_quoted(os.environ.get(name, "")) for name in names)
        login = f"org.apache.kafka.common.security.{module} required"
        found["kafka.sasl.mechanism"] = settings.mechanism
        found["kafka.sasl.jaas.config"] = f"{login} username={user} password={password};"
    return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def write_private(path: Path, text: str) -> None:
    """Write a secret to a file that only its owner can read, from its creation on.

    A file that is there already, from older code or a person, is closed to others first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        os.fchmod(out.fileno(), 0o600)
        out.write(text)


def _owners(name: str, process: str) -> tuple[str, ...]:
    for plain in (name, name.removesuffix("_CMD"), name.removesuffix("_SECRET")):
        if plain in OWNERS:
            return OWNERS[plain]
    from marquee.host_needs import AIRFLOW  # each parse of the DAG loads this module

    return AIRFLOW if name.startswith(AIRFLOW_PREFIX) else (process,)
