"""A Postgres for Airflow's metadata: reached and found fit, or refused in one line with a remedy.

A start asks it before it migrates (`airflow_database`), and so does `marquee doctor --place`. No
error shows an address whole: it holds a password.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from marquee.errors import SettingsError, StackError

if TYPE_CHECKING:
    from sqlalchemy.engine import URL, Connection

DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
DATABASE_VARIABLES = (DATABASE, f"{DATABASE}_CMD", f"{DATABASE}_SECRET")
"""The variables in which Airflow looks for the address of its database."""
OLDEST_POSTGRES = 14
"""The oldest server that Airflow 3.3 supports (its page "Set up a Database Backend")."""
DRIVER = "postgresql+psycopg2"
SECONDS_TO_CONNECT = 10
CREATE = "create it: sudo -u postgres createdb --owner {user} {database}"
GRANT = 'as its owner: GRANT CONNECT ON DATABASE "{database}" TO "{user}"'
CAUSES = (
    ("could not translate host name", "has no address", "correct the host in {variable}"),
    ("authentication failed", "refuses the user or the password", "correct both in {variable}"),
    ("no password supplied", "wants a password", "put it into {variable}"),
    ('role "', "knows no such user", "create it: sudo -u postgres createuser --pwprompt {user}"),
    ("pg_hba.conf", "lets no such user in from here", "add this host to its pg_hba.conf"),
    ("permission denied", "lets {user} not into '{database}'", GRANT),
    ("SSL", "and this host do not agree on SSL", "correct sslmode and sslrootcert in {variable}"),
    ("invalid", "cannot be asked so", "correct the port, or what follows '?', in {variable}"),
    ("on socket", "has no socket there", "start Postgres there, or correct {variable}"),
    ('database "', "has no database '{database}'", CREATE),
    ("Connection refused", "does not listen", "start Postgres there, or correct {variable}"),
    ("timeout expired", "does not answer", "open its port in the firewall, or correct {variable}"),
    ("No route to host", "cannot be reached", "correct the host in {variable}"),
    ("starting up", "is starting", "wait until it accepts connections"),
    ("too many", "has no connection left", "raise its max_connections"),
)
"""What libpq says (in English; else the last line of `_refusal`), what we say, the remedy."""


@contextmanager
def connected(address: str) -> Iterator[Connection]:
    """A connection to a server that is fit; it is kept in no pool, so what it holds ends with it.

    Raises SettingsError for an address that is none, StackError for a server that cannot be
    reached, is too old, lets this user make no table, or breaks off.
    """
    from sqlalchemy import NullPool, create_engine
    from sqlalchemy.exc import SQLAlchemyError

    url, options = _url(address), {"connect_timeout": SECONDS_TO_CONNECT}
    try:
        engine = create_engine(url, connect_args=options, poolclass=NullPool)
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except ImportError as error:
        raise StackError(
            f"Python cannot speak with Postgres: {error}", "run `make setup`"
        ) from None
    except SQLAlchemyError as error:
        raise _refusal(url, str(getattr(error, "orig", ""))) from None
    try:
        with closing(connection):
            _require_fit(connection)
            yield connection
    except SQLAlchemyError as error:
        said = str(getattr(error, "orig", "")).strip().splitlines() or [type(error).__name__]
        raise StackError(
            f"{where(url)} broke off: {said[0]}", "look at its log, then start again"
        ) from None


def _url(address: str) -> URL:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    remedy = f"set {DATABASE}={DRIVER}://user:password@host/airflow (in both, @ is written %40)"
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise SettingsError(f"{DATABASE} is no address of a database", remedy) from None
    # The driver is named: SQLAlchemy 2.1 takes `postgresql://` for another one than before.
    hosts = f"{url.host or ''}{url.query.get('host') or ''}"
    if url.drivername != DRIVER or not url.database or "@" in hosts:
        raise SettingsError(f"{DATABASE} names no database of {DRIVER}://", remedy)
    return url


def _refusal(url: URL, said: str) -> StackError:
    words = {"user": url.username, "database": url.database, "variable": DATABASE}
    for sign, what, remedy in CAUSES:
        if sign in said:
            return StackError(f"{where(url)} {what.format(**words)}", remedy.format(**words))
    return StackError(f"{where(url)} refuses the connection", f"try psql, then correct {DATABASE}")


def _require_fit(connection: Connection) -> None:
    """Refuse a server that is too old, and one where this user may make no table."""
    from sqlalchemy import text

    url = connection.engine.url
    version = int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000
    if version < OLDEST_POSTGRES:
        raise StackError(
            f"{where(url)} is Postgres {version}",
            f"Airflow wants {OLDEST_POSTGRES} or newer: see docs/guides/upgrade.md",
        )
    may = connection.execute(
        text("SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)")
    ).scalar_one()
    if not may:  # since Postgres 15 only the owner of a database may, unless told otherwise
        raise StackError(
            f"{where(url)} lets {url.username} make no table in '{url.database}'",
            f'as its owner: ALTER DATABASE "{url.database}" OWNER TO "{url.username}"',
        )


def where(url: URL) -> str:
    """The server, without user and password."""
    host = url.host or url.query.get("host") or "localhost"
    return f"Postgres at {host}:{url.port or 5432}"
