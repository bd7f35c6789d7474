"""WAHA's labels where the provider has none: wagate's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import httpx2
import pytest

from tests.provider_sites import THEM, Dialog360, Infobip, Meta, Sessions, Site, Twilio, Waha, gateway
from wagate.storage.database import FILE
from wagate.web.waha.labels import COLORS

CHAT = f"{THEM}@c.us"
PATH = "/api/main/labels"


def told(answer: httpx2.Response, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


@pytest.mark.parametrize("kind", [Meta, Dialog360, Infobip, Twilio, Sessions], ids=lambda kind: kind.provider)
async def test_labels_are_kept_in_wahas_shapes_and_reach_no_provider(kind: type[Site]) -> None:
    site = kind()
    async with gateway(site) as found:
        http = found.http
        assert told(await http.get(PATH)) == []
        lead = told(await http.post(PATH, json={"name": "Lead", "color": 19, "colorHex": None}), 201)
        assert lead == {"id": "1", "name": "Lead", "color": 19, "colorHex": COLORS[19]}
        late = told(await http.post(PATH, json={"name": "Late", "colorHex": COLORS[3].upper(), "color": None}), 201)
        assert (late["id"], late["color"]) == ("2", 3)
        plain = told(await http.post(PATH, json={"name": "Plain"}), 201)
        assert (plain["color"], plain["colorHex"]) == (0, COLORS[0])
        changed = told(await http.put(f"{PATH}/2", json={"name": "Too late"}))
        assert changed == late | {"name": "Too late"}
        assert told(await http.get(PATH)) == [lead, changed, plain]

        chat = f"{PATH}/chats/{CHAT}"
        told(await http.put(chat, json={"labels": [{"id": "1"}, {"id": "2"}]}))
        assert told(await http.get(chat)) == [lead, changed]
        assert told(await http.get(f"{PATH}/1/chats")) == [{"id": CHAT}]
        told(await http.put(chat, json={"labels": [{"id": "3"}]}))
        assert told(await http.get(chat)) == [plain]
        assert told(await http.delete(f"{PATH}/3")) == {"result": True}
        assert told(await http.get(chat)) == []
        assert all("label" not in each.path.lower() for each in site.server.seen)
        with closing(sqlite3.connect(found.folder / "data" / FILE)) as db:
            acts = db.execute("SELECT action, object FROM audit ORDER BY id").fetchall()
        words = ["create label"] * 3 + ["change label"] + ["label chat"] * 2 + ["delete label"]
        assert acts == [(each, "main") for each in words]


NO_LABELS: list[Any] = [
    ({"name": "A", "color": 20}, "color"),
    ({"name": "A", "color": -1}, "color"),
    ({"name": "A", "color": "red"}, "color"),
    ({"name": "A", "colorHex": "#123456"}, "colorHex"),
    ({"name": "A", "colorHex": "red"}, "colorHex"),
    ({"name": " "}, "name"),
    ({"name": "A" * 101}, "name"),
    ({"color": 1}, "name"),
]
"""(body, field)"""


async def test_a_label_that_can_not_be_is_refused_with_the_field() -> None:
    async with gateway(Meta()) as found:
        told(await found.http.post(PATH, json={"name": "There"}), 201)
        for body, field in NO_LABELS:
            for answer in (await found.http.post(PATH, json=body), await found.http.put(f"{PATH}/1", json=body)):
                assert [each["field"] for each in told(answer, 422)["errors"]] == [field], body
        assert [each["name"] for each in told(await found.http.get(PATH))] == ["There"]


async def test_what_is_not_there_is_refused_and_another_client_sees_nothing() -> None:
    async with gateway(Meta()) as found:
        http = found.http
        for number in range(20):
            told(await http.post(PATH, json={"name": f"Label {number}"}), 201)
        assert "20 labels" in told(await http.post(PATH, json={"name": "One more"}), 409)["message"]
        for answer in (
            await http.put(f"{PATH}/77", json={"name": "A"}),
            await http.delete(f"{PATH}/77"),
            await http.get(f"{PATH}/77/chats"),
        ):
            assert told(answer, 404)["message"] == "Label not found"
        answer = told(await http.put(f"{PATH}/chats/{CHAT}", json={"labels": [{"id": "77"}]}), 422)
        assert [each["field"] for each in answer["errors"]] == ["labels"]
        theirs = {"Authorization": f"Bearer {(await found.client('theirs'))['token']}"}
        told(await http.get(PATH, headers=theirs), 404)
        told(await http.delete(f"{PATH}/1", headers=theirs), 404)


async def test_with_waha_behind_labels_are_wahas() -> None:
    site = Waha()
    site.fake.phone.labels.clear()
    async with gateway(site) as found:
        made = told(await found.http.post(PATH, json={"name": "Late", "color": 4}), 201)
        assert site.fake.phone.labels[made["id"]]["name"] == "Late"
        assert [each["name"] for each in told(await found.http.get(PATH))] == ["Late"]
        with closing(sqlite3.connect(found.folder / "data" / FILE)) as db:
            assert db.execute("SELECT COUNT(*) FROM labels").fetchall() == [(0,)]
