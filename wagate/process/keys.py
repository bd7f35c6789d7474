"""At the start: does what is stored fit the keys that there are?"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from wagate.config.secrets import KEY_FILE
from wagate.errors import ConfigError
from wagate.process.assemble import Gateway
from wagate.storage.upkeep.unreadable import Row, sealed_accounts, sealed_endpoints

TRIED: Final = 20
"""Of each table, the newest."""
CURE: Final = (
    "put the old key back (`wagate backup` keeps the file secret_key), or set auth.secret_key = [new, old]; "
    "if it is lost for good, `wagate forget-secrets` makes new secrets"
)

log = structlog.get_logger("wagate.process.keys")


async def check_keys(gateway: Gateway) -> None:
    """Before anything is encrypted.

    Raises:
        ConfigError: what is stored was encrypted with a key that is not here. Else each delivery to a webhook would
            fail, and be given up after a day. A key that was made a moment ago is taken away again.
    """
    decrypt = gateway.vault.decrypt
    endpoints = await gateway.database.read(sealed_endpoints, decrypt, most=TRIED)
    accounts = await gateway.database.read(sealed_accounts, decrypt, most=TRIED)
    lost = [each for each in endpoints if not each.readable]
    if lost and len(lost) < len(endpoints):  # some fit: it is not the key
        log.warning("secrets of webhooks can't be decrypted", webhooks=[each.id for each in lost])
        lost = []
    _refuse(gateway, "webhooks", lost)
    # The start could not take up a single one that is like that.
    _refuse(gateway, "accounts made by API", [each for each in accounts if not each.readable])


def _refuse(gateway: Gateway, what: str, lost: list[Row]) -> None:
    if not lost:
        return
    made = KEY_FILE in gateway.secrets.made
    file = gateway.config.data.dir / KEY_FILE
    if made:
        file.unlink(missing_ok=True)  # Nothing was encrypted with it, and the old one belongs there.
    raise ConfigError(
        f"the database has secrets of {what} ({lost[0].name!r}, say) that can't be decrypted with {_key(gateway, file)}"
        f"{', which was missing' if made else ''}: {CURE}"
    )


def _key(gateway: Gateway, file: Path) -> str:
    return "auth.secret_key" if any(gateway.config.auth.secret_key) else f"the key in {file}"
