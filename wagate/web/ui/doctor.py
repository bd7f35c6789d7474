"""What ``wagate doctor`` says, who did what, and this machine."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict

import trio
from quart import Blueprint, request

from wagate.errors import ForbiddenError
from wagate.storage.audit import list_acts
from wagate.storage.upkeep.copies import last_backup
from wagate.web.api.doctor import DoctorLine
from wagate.web.ui import words
from wagate.web.ui.parts import Parts, viewer

PAGE = 50
MARKS = {"ok": ("ok", "ok"), "warn": ("wait", "WARN"), "fail": ("bad", "FAIL")}


def pages(parts: Parts) -> Blueprint:
    """``/ui/doctor``, ``/ui/audit``, ``/ui/system``, ``/ui/more``."""
    routes = Blueprint("doctor", __name__)

    @routes.get("/doctor")
    async def doctor() -> str:
        _admin()
        lines = await parts.examine()
        groups: defaultdict[str, list[DoctorLine]] = defaultdict(list)
        for each in lines:
            groups[each.part].append(each)
        count = Counter(each.level for each in lines)
        return parts.page("doctor", "doctor", groups=groups, marks=MARKS, heading=heading(count["fail"], count["warn"]))

    @routes.get("/audit")
    async def audit() -> str:
        about, before = request.args.get("about", "")[:200], request.args.get("before") or None
        page = await parts.database.browse(
            list_acts, client_id=viewer().client_id, about=about, limit=PAGE, cursor=before
        )
        # Never the name of what was asked about: it may be somebody else's.
        targets = {act.object for act in page.data if ":" in act.object}
        return parts.page("audit", "audit", page=page, about=about, names=await parts.targets.names(sorted(targets)))

    @routes.get("/system")
    async def system() -> str:
        _admin()
        disk = await trio.to_thread.run_sync(shutil.disk_usage, parts.folder)
        report = await parts.health.report()
        return parts.page(
            "system",
            "system",
            disk=disk,
            report=report,
            uptime=parts.health.uptime(),
            folder=parts.folder,
            backup=await trio.to_thread.run_sync(last_backup, parts.folder),
        )

    @routes.get("/more")
    async def more() -> str:
        return parts.page("more", "more")

    return routes


def heading(bad: int, doubtful: int) -> str:
    """That all works, or how much does not."""
    if bad:
        return f"{words.number(bad).capitalize()} {'things do' if bad > 1 else 'thing does'} not work"
    return f"Nothing is broken, with {words.plural(doubtful, 'warning')}" if doubtful else "Everything works"


def _admin() -> None:
    if not viewer().identity.admin:
        raise ForbiddenError("this page is for the admin")
