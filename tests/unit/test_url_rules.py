"""Paths are matched by rules that make no URL; who asks for one, a plugin's route, gets it."""

from __future__ import annotations

from pathlib import Path

import pytest
from quart import url_for
from quart.testing import QuartClient
from quart_trio import QuartTrio
from werkzeug.routing import BuildError

from wagate.web.http.url_rules import UrlRule


def site() -> QuartTrio:
    app = QuartTrio("site", static_folder=None, template_folder=None)
    app.url_rule_class = UrlRule

    @app.get("/rooms/<int:room>/<path:rest>", defaults={"page": 1})
    @app.get("/rooms/<int:room>/<path:rest>/<int:page>")
    async def room(room: int, rest: str, page: int) -> str:
        return url_for("room", room=room + 1, rest=rest, page=page + 1, q="ä b")

    return app


async def asked(client: QuartClient, path: str) -> str:
    return (await (await client.get(path)).get_data()).decode()


async def test_a_route_may_ask_for_a_url() -> None:
    client = site().test_client()
    assert await asked(client, "/rooms/4/a/b/2") == "/rooms/5/a/b/3?q=%C3%A4+b"
    assert await asked(client, "/rooms/4/a%20b") == "/rooms/5/a%20b/2?q=%C3%A4+b"


async def test_a_url_that_lacks_a_value_is_refused() -> None:
    app = site()
    async with app.test_request_context("/"):
        with pytest.raises(BuildError):
            url_for("room", room=4)


async def test_nothing_is_compiled_before() -> None:
    rules = list(site().url_map.iter_rules())
    assert len(rules) == 2
    for rule in rules:
        made_in = rule._build.__func__.__code__.co_filename  # type: ignore[attr-defined]
        assert Path(made_in).name == "url_rules.py"
