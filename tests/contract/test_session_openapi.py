"""What we ask of a session engine fits the OpenAPI document of avoylenko/wwebjs-api."""

from __future__ import annotations

from typing import Any

from openapi_core import Config, OpenAPI
from openapi_core.testing import MockRequest

from tests.openapi_documents import openapi
from tests.unit.test_session_send import THEM, engine, send
from wagate.hooks import Edit, OutFile, OutLocation, OutPoll, OutReaction, Signal
from wagate.testing.providers.session import FakeSessions


def document() -> OpenAPI:
    spec = openapi("wwebjs-api")
    spec["servers"] = [{"url": "http://engine.example"}]
    body = spec["paths"]["/client/sendMessage/{sessionId}"]["post"]["requestBody"]["content"]["application/json"]
    # Its defect: content is said to be an object, "can be a string or an object".
    del body["schema"]["properties"]["content"]["type"]
    return OpenAPI.from_dict(spec, config=Config(spec_validator_cls=None))


async def test_every_request_fits_the_engines_document() -> None:
    spec = document()
    fake = FakeSessions(api_key="k")
    url = OutFile(mimetype="image/jpeg", filename="a.jpg", url="https://files.example/a.jpg")
    messages: list[dict[str, Any]] = [
        {"kind": "text", "text": "hi", "reply_to": f"false_{THEM}_AA"},
        {"kind": "image", "file": url, "text": "look"},
        {"kind": "location", "location": OutLocation(latitude=1.5, longitude=2.5)},
        {"kind": "poll", "poll": OutPoll(name="When?", options=("now", "later"))},
        {"kind": "reaction", "reaction": OutReaction(message_id=f"false_{THEM}_3EB0IN01", emoji="👍")},
    ]
    async with engine(fake, api_key="k") as (provider, to):
        for fields in messages:
            await send(provider, to, **fields)
        assert provider.signal is not None
        assert provider.check is not None
        for kind in ("seen", "typing", "recording", "paused"):
            await provider.signal(Signal(kind=kind, chat=THEM), to)
        assert provider.revoke is not None
        await provider.revoke(fake.sent[0]["_id"], THEM, to)
        assert provider.edit is not None
        await provider.edit(Edit(message_id=fake.sent[0]["_id"], chat=THEM, type="text", text="hello"), to)
        await provider.check(to)
        assert provider.control is not None
        assert provider.qr is not None
        for action in ("restart", "stop", "start", "logout"):
            await provider.control(action, to)
        await provider.qr(to)
    assert len(fake.seen) == len(messages) + 13
    for seen in fake.seen:
        request = MockRequest(
            "http://engine.example",
            seen.method.lower(),
            seen.path,
            data=seen.body or None,
            content_type=seen.headers.get("content-type", ""),
            headers={"x-api-key": seen.headers.get("x-api-key", "")},
        )
        spec.validate_request(request)
