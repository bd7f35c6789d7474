"""A new gateway's SQLite file: of the newest form, without a row."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from wagate.config.secrets import make_folder
from wagate.storage.backend.migrate import migrate
from wagate.storage.backend.sqlite import Sqlite
from wagate.storage.database import FILE


def put_database(data: Path) -> None:
    """Put one into a data folder that has none: to make its tables takes a third of what a start computes."""
    file = data / FILE
    if not file.exists():
        make_folder(data)
        file.write_bytes(_newest())


@cache
def _newest() -> bytes:
    engine = Sqlite(Path(":memory:"))
    db = engine.open(writer=True)
    with db.atomic():
        migrate(db, engine.dialect, engine.where)
    db.execute_sql("VACUUM")
    content: bytes = db.connection().serialize()
    db.close()
    return content
