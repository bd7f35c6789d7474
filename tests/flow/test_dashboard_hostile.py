"""Every route of the dashboard, with others' words everywhere: they are shown, and are nothing but text."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import cycle
from typing import Any, cast
from urllib.parse import quote, urlsplit

import httpx2
import pytest

from tests.flow.dashboard import browser, fields_of
from tests.hostile import ASKED, CURSORS, PAYLOADS, TYPED, Elements, hostile_gateway, is_shown
from wagate.web.ui.app import create_ui
from wagate.web.ui.live import PAGES
from wagate.web.ui.outside import kept_in
from wagate.web.ui.parts import Parts

LIKE = 3
"""Pages of one rule that are looked at: they have one template."""
LISTED = ("text", "contact", "group", "webhook", "token", "figure", "cell", "Finding", "reason")
"""Places whose texts stand on a page that is looked at, all of them."""
SOMEWHERE = (
    "sent",
    "file",
    "answer",
    "provider",
    "engine",
    "link",
    "title",
    "panel",
    "column",
    "client",
    "shelf",
    "refused",
)
FOR_ALL = {"/ui/deliveries", "/ui/deliveries/bulk", "/ui/audit", "/ui/conversations", "/ui/webhooks/new", "/ui/signin"}
"""Pages that show what the query says."""
UNTYPED = {"verb": "cancel", "token_id": "xq7", "link_id": "xq7"}
"""Parts of paths that no page leads to."""
SMALL = {"/ui/signin", "/ui/enter", "/ui/scan"}
OPEN_TO_ALL = {"token", "next", "k", "do", "phone"}
"""Fields of the forms that strangers may send: few bytes are read."""
ENDLESS = {"/ui/live", "/ui/scan/live", "/ui/static/<digest>/<path:name>"}


@cache
def ui() -> Any:
    return create_ui(cast("Parts", None))


def rules(method: str) -> set[str]:
    """All that the dashboard serves with this method."""
    return {rule.rule for rule in ui().url_map.iter_rules() if method in rule.methods} - ENDLESS


class Visit:
    """Looks at answers, and remembers what was to be seen."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.seen: list[str] = []
        self.visited: Counter[str] = Counter()
        self.things: dict[str, str] = dict(UNTYPED)
        """Parts of paths, by their names in the rules."""
        self.paths: dict[str, str] = {}
        """One for each rule."""
        self.live: dict[str, str] = {}
        """A stream for each kind of page."""

    async def crawl(self, *begin: str) -> None:
        """Follow all links, to `LIKE` pages of a kind."""
        todo, known = [*begin], {*begin}
        while todo:
            path = todo.pop(0)
            rule, given = ui().url_map.bind("").match(urlsplit(path).path, method="GET", return_rule=True)
            self.visited[rule.rule + "?" * ("?" in path)] += 1
            if self.visited[rule.rule + "?" * ("?" in path)] > LIKE:
                continue
            self.paths.setdefault(rule.rule, path.partition("?")[0])
            self.things.update({name: str(value) for name, value in given.items()})
            answer = await self.http.get(path)
            found = [each for each in self.look(path, answer) if each not in known]
            todo += found
            known.update(found)

    def look(self, path: str, answer: httpx2.Response) -> list[str]:
        """Nothing of it is made by others' words; where it leads."""
        assert answer.status_code < 500, (path, answer.text)
        if not answer.headers.get("content-type", "").startswith("text/html"):
            assert answer.headers.get("content-type", "text/plain").startswith(("text/plain", "text/javascript"))
            return []
        found = Elements(answer.text)
        assert found.strange == [], (path, found.strange[:5])
        assert "60481729" not in found.text, path
        self.seen.append(found.text)
        self.live |= {re.findall(r"page=(\w+)", each)[0]: each for each in found.live}
        return found.led

    def filled(self, rule: str) -> str:
        """A path of this rule."""
        return re.sub(r"<(?:any\((\w+)[^)]*\):|\w+:)?(\w+)>", lambda each: each[1] or quote(self.things[each[2]]), rule)


def test_what_turns_text_ends_with_it() -> None:
    assert kept_in("\u2068شركة\u2069 and \u202a+1 202\u202c") == "\u2068شركة\u2069 and \u202a+1 202\u202c"
    for text in ("a\u202efdp.exe", "\u2066a", "a\u2069", "\u202aa\u2069", "\u202da\u202c", "\u2066\u202aa\u2069\u202c"):
        shown = kept_in(text)
        assert "\ufffd" in shown
        assert Elements(shown).strange == []
        assert Elements(text).strange != []


@pytest.mark.timeout(900)
async def test_others_words_are_text_on_every_page_and_after_every_form() -> None:
    async with hostile_gateway() as gateway, browser(gateway) as http:
        visit = Visit(http)
        all_of_it = next(
            each for each in (await gateway.ask("GET", "/api/targets?limit=200"))["data"] if each["name"] == "all of it"
        )
        jobs = await gateway.deliveries(target=all_of_it["id"].partition(":")[2], state="failed", limit=1)
        await visit.crawl(
            *(f"/ui/{each}" for each in ("", "more", "signin", "enter?k=x", "scan?k=x", "numbers/broken-0", "bulk")),
            f"/ui/deliveries/{jobs[0]['id']}",
        )
        assert rules("GET") - {*visit.paths} == set(), "no link leads there"
        for rule in sorted(rules("GET")):
            for number, each in enumerate(PAYLOADS[::5] if rule in FOR_ALL else PAYLOADS[:1]):
                query = dict.fromkeys(ASKED - CURSORS - {"client"}, each[:100]) | {"do": "retry-all"}
                found = await http.get(visit.paths[rule], params=query)
                if found.status_code == 303:  # there is one receiver of this name
                    found = await http.get(found.headers["location"])
                visit.look(f"{rule} {number}", found)
                if rule in {"/ui/deliveries", "/ui/audit", "/ui/conversations"}:
                    assert is_shown("", each, Elements(found.text).text), (rule, each)
            for alone in (CURSORS, {"client"}):
                visit.look(rule, await http.get(visit.paths[rule], params=dict.fromkeys(alone, PAYLOADS[0])))
        # Only one that runs is followed by its page.
        visit.live["bulk"] = f"/ui/live?page=bulk&thing={visit.paths['/ui/bulk/<bulk_id>'].rpartition('/')[2]}"
        for page, path in visit.live.items():
            async with http.stream("GET", path) as answer:
                told = await anext(answer.aiter_text())
            assert all(
                line.startswith(("event: patch", "event: over", "data: ")) for line in told.split("\n") if line
            ), told
            assert Elements(told).strange == [], page
        assert {*visit.live} == {*PAGES}
        visit.things["webhook_id"] = all_of_it["id"].partition(":")[2]
        form = fields_of(await http.get("/ui/more"))
        for rule, each in zip(sorted(rules("POST") - {"/ui/signout"}), cycle(PAYLOADS)):
            path, fields = visit.filled(rule), OPEN_TO_ALL if rule in SMALL else TYPED
            done = await http.post(path, data=dict.fromkeys(fields, each[:100]) | form)
            visit.look(f"POST {path}", done)
            if done.status_code == 303:
                visit.look(f"POST {path}, then", await http.get(done.headers["location"]))
        text = "\n".join(visit.seen)
        assert [(place, each) for place in LISTED for each in PAYLOADS if not is_shown(place, each, text)] == []
        assert [place for place in SOMEWHERE if not any(is_shown(place, each, text) for each in PAYLOADS)] == []
