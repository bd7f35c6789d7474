"""What else lives on the machine."""

from __future__ import annotations

import stat

from tests.attack.case import Case, Target


async def files_of_others(target: Target) -> str:
    """The data folder was open to all before the start."""
    data = target.process.folder / "data"
    target.process.kill()
    target.process.kill_valkey()
    data.chmod(0o755)
    for each in data.glob("wagate.db*"):
        each.chmod(0o644)
    await target.process.start()
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in data.glob("wagate.db*")}
    assert modes
    assert not any(mode & 0o077 for mode in modes.values()), modes
    return ", ".join(sorted(modes))


CASES = (
    Case("other users", "data folder 0700, database files 0600, also when they were open before", files_of_others),
)
