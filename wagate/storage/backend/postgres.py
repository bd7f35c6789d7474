"""PostgreSQL through psycopg 3."""

from __future__ import annotations

from typing import Any, Literal

import peewee

from wagate.config.redact import redact
from wagate.errors import ConfigError
from wagate.storage.backend.dialect import TOO_SLOW, chain

try:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
except ImportError:  # the extra ``postgres`` is not installed
    psycopg = None  # type: ignore[assignment]

CONNECT_SECONDS = 5
SETTINGS = "SET timezone = 'UTC'; SET statement_timeout = '30s'; SET lock_timeout = '10s'"
READ_ONLY = "; SET default_transaction_read_only = on"
CONFLICTS = {"40001", "40P01"}
"""Serialization failure, deadlock (https://www.postgresql.org/docs/current/errcodes-appendix.html)."""
LOST = {"57P01", "57P02", "57P03"}
"""The server is stopping, has crashed, or is starting."""
REASONS = {
    "23": "a value breaks a rule of its table",
    "25006": "read-only: is this a standby?",
    "28": "the user or password is wrong",
    "3D000": "no such database",
    "53100": "the server's disk is full",
    "53200": "the server is out of memory",
    "53300": "the server has no connection left",
    "55P03": "locked for more than 10 s",
    "57014": TOO_SLOW,
    "57P": "the server is stopping or starting",
    "08": "the connection is lost",
}


class Postgres:
    """A PostgreSQL database, by URL."""

    dialect: Literal["sqlite", "postgres"] = "postgres"
    begin = "BEGIN"
    snapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

    def __init__(self, url: str) -> None:
        """Raises ConfigError: psycopg is not installed, or the URL can't be read."""
        if psycopg is None:
            raise ConfigError("database.url names PostgreSQL, which needs: pip install 'wagate[postgres]'")
        self._url = url.replace("postgres://", "postgresql://", 1)
        try:
            parts: dict[str, Any] = conninfo_to_dict(self._url)
        except psycopg.Error:
            # The driver's message repeats the URL, password and all.
            raise ConfigError("database.url can't be read; write postgresql://user:password@host:5432/name") from None
        self._password = str(parts.get("password") or "")
        self.where = f"PostgreSQL {parts.get('host', 'localhost')}/{parts.get('dbname', '')}"

    def open(self, *, writer: bool) -> peewee.Database:
        """See `Engine.open`."""
        return _Connection(
            self._url,
            settings=SETTINGS if writer else SETTINGS + READ_ONLY,
            thread_safe=False,
            prefer_psycopg3=True,
            connect_timeout=CONNECT_SECONDS,
            tcp_user_timeout=30_000,
            application_name="wagate",
        )

    def limit(self, db: peewee.Database, seconds: float | None) -> None:
        """See `Engine.limit`. It ends with the transaction by itself."""
        if seconds is not None:
            db.execute_sql(f"SET LOCAL statement_timeout = {round(seconds * 1000)}")

    def reason(self, error: BaseException) -> str | None:
        """See `Engine.reason`."""
        if not isinstance(error, peewee.PeeweeException | psycopg.Error):
            return None
        driver = next((each for each in chain(error) if isinstance(each, psycopg.Error)), error)
        state = str(getattr(driver, "sqlstate", None) or "")
        known = next((REASONS[prefix] for prefix in (state, state[:3], state[:2]) if prefix in REASONS), "")
        # The whole message shows values of the row; its first line does not.
        primary = driver.diag.message_primary if isinstance(driver, psycopg.Error) else None
        first = " ".join((primary or str(driver)).split())[:300]
        if self._password:
            first = redact(first, frozenset({self._password}))
        known = known or ("can't be reached" if self.lost(error) else "failed")
        return f"{known} ({first})"

    def conflict(self, error: BaseException) -> bool:
        """See `Engine.conflict`."""
        return any(getattr(each, "sqlstate", None) in CONFLICTS for each in chain(error))

    def lost(self, error: BaseException) -> bool:
        """See `Engine.lost`."""
        for each in chain(error):
            if isinstance(each, psycopg.OperationalError):
                state = each.sqlstate or ""
                # An error without a state was made by the client library: the connection broke or was never there.
                return not state or state in LOST or state.startswith("08")
        return isinstance(error, peewee.InterfaceError)


class _Connection(peewee.PostgresqlDatabase):
    """Sets what every connection needs, also through a pooler that takes no start-up options."""

    def __init__(self, url: str, *, settings: str, **options: Any) -> None:
        self._settings = settings
        super().__init__(url, **options)

    def _initialize_connection(self, conn: Any) -> None:
        conn.execute(self._settings)
