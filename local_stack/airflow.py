"""Airflow's four components on SQLite: their environment, secrets and database.

Passwords and keys are made here, kept in files only the owner reads, and never printed.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

from marquee.errors import StackError
from marquee.settings import REPOSITORY, Settings

USER = "admin"


def airflow_environment(settings: Settings, home: Path) -> dict[str, str]:
    """Every variable Airflow's processes read; connections included."""
    port = settings.stack.port("airflow")
    keys = _keys(home / "keys.json")
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(REPOSITORY / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(REPOSITORY / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "6",
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / "passwords.json"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__API__SECRET_KEY": keys["secret"],
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt"],
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "30",
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "30",
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "AIRFLOW_CONN_SPARK_CLUSTER": json.dumps(_spark_connection(settings)),
        "AIRFLOW_CONN_HDFS_LAKE": json.dumps(_lake_connection(settings)),
        "PYTHONPATH": str(REPOSITORY),
        "PYTHONWARNINGS": "ignore",
    }


def migrate(environment: dict[str, str]) -> None:
    """Bring the database to Airflow's schema; the passwords file is made beside it."""
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip().splitlines()
        raise StackError(
            f"Airflow's database could not be made: {said[-1] if said else 'no word'}",
            f"look at {environment['AIRFLOW_HOME']}",
        )


def password(home: Path) -> str:
    """The admin's password, made when first asked for; the file is the owner's alone."""
    path = home / "passwords.json"
    if not path.is_file():
        write_private(path, json.dumps({USER: secrets.token_urlsafe(18)}))
    return str(json.loads(path.read_text())[USER])


def write_private(path: Path, text: str) -> None:
    """Create a file that only its owner reads, before the secret is in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)


def _keys(path: Path) -> dict[str, str]:
    if not path.is_file():
        made = {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "secret": secrets.token_urlsafe(32),
            "jwt": secrets.token_urlsafe(48),
        }
        write_private(path, json.dumps(made))
    keys: dict[str, str] = json.loads(path.read_text())
    return keys


def _spark_connection(settings: Settings) -> dict[str, object]:
    extra = {"deploy-mode": "client", "spark-binary": "spark-submit"}
    return {"conn_type": "spark", "host": settings.spark.master, "extra": extra}


def _lake_connection(settings: Settings) -> dict[str, object]:
    """The provider reads host, port and login; the lake's root is ours, in the extras."""
    address = settings.lake.webhdfs.removeprefix("http://")
    host, _, port = address.partition(":")
    return {
        "conn_type": "webhdfs",
        "host": host,
        "port": int(port or 9870),
        "login": settings.lake.user,
        "extra": {"root": settings.lake.root},
    }
