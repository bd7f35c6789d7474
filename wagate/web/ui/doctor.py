"""What ``wagate doctor`` says, and who did what."""

from __future__ import annotations

from collections import Counter, defaultdict

from quart import Blueprint, request

from wagate.storage.audit import list_acts
from wagate.web.api.doctor import DoctorLine
from wagate.web.ui import words
from wagate.web.ui.parts import Parts, admin_only, viewer

PAGE = 50
MARKS = {"ok": ("ok", "ok"), "warn": ("wait", "WARN"), "fail": ("bad", "FAIL")}


def pages(parts: Parts) -> Blueprint:
    """``/ui/doctor``, ``/ui/audit``, ``/ui/more``."""
    routes = Blueprint("doctor", __name__)

    @routes.get("/doctor")
    async def doctor() -> str:
        admin_only()
        lines = await parts.examine()
        groups: defaultdict[str, list[DoctorLine]] = defaultdict(list)
        for each in lines:
            groups[each.part].append(each)
        count = Counter(each.level for each in lines)
        return parts.page("doctor", "doctor", groups=groups, marks=MARKS, heading=heading(count["fail"], count["warn"]))

    @routes.get("/audit")
    async def audit() -> str:
        about, who = (request.args.get(name, "").strip()[:200] for name in ("about", "who"))
        page = await parts.database.browse(
            list_acts,
            client_id=viewer().client_id,
            about=about,
            who=who,
            limit=PAGE,
            cursor=request.args.get("before") or None,
        )
        # Never the name of what was asked about: it may be somebody else's.
        targets = {act.object for act in page.data if ":" in act.object}
        names = await parts.targets.names(sorted(targets))
        return parts.page("audit", "audit", page=page, about=about, who=who, names=names)

    @routes.get("/more")
    async def more() -> str:
        return parts.page("more", "more")

    return routes


def heading(bad: int, doubtful: int) -> str:
    """That all works, or how much does not."""
    if bad:
        return f"{words.number(bad).capitalize()} {'things do' if bad > 1 else 'thing does'} not work"
    return f"Nothing is broken, with {words.plural(doubtful, 'warning')}" if doubtful else "Everything works"
