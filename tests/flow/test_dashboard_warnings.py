"""The log's last warnings on the dashboard, of a process that has a log."""

from __future__ import annotations

from tests.flow.dashboard import browser
from tests.gateway import gateway


async def test_the_admin_sees_them_once_each_and_a_client_does_not() -> None:
    async with gateway({"accounts.main": {"provider": "session"}}) as running:
        made = await running.http.post("/api/clients/default/tokens", json={"name": "shop"})
        async with browser(running) as http, running.client("x") as stranger:  # type: ignore[arg-type]
            for _ in range(2):
                wrong = await stranger.post("/ui/signin", data={"token": "wrong"})
                assert wrong.status_code == 401
            for page in ("/ui/", "/ui/system"):
                text = (await http.get(page)).text
                line = text.partition("Last warnings")[2].partition("sign-in failed")[2].partition("</tr>")[0]
                assert line.startswith("</b>, 2 times<small>address=127.0.0.1 path=/ui/signin</small>"), text
                assert "wagate.ui" in line
        async with browser(running, made.json()["token"]) as http:  # type: ignore[arg-type]
            overview = (await http.get("/ui/")).text
            assert ("Refused webhooks" in overview, "Last warnings" in overview) == (True, False)
            assert (await http.get("/ui/system")).status_code == 403
