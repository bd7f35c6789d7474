"""Outside judges of the provider for Meta: pywa (a client library of Meta's API), and Meta's own OpenAPI document."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import trio
from openapi_schema_validator import OAS31Validator
from pywa import WhatsApp, handlers
from pywa.utils import webhook_updates_validator

from tests.corpus import Corpus, each_corpus
from tests.meta import OURS, SETTINGS, account, outgoing, request
from tests.openapi_documents import openapi
from wagate.errors import UnauthorizedError
from wagate.hooks import OutFile, OutLocation, OutReaction
from wagate.testing.providers.meta import FakeMeta, fake_meta, signed_webhook
from wagate_meta import sign, verify
from wagate_meta.bodies import message_body
from wagate_meta.parse import parse

BSUID = "US.13491208655302741918"


def test_pywa_believes_the_signatures_that_our_fake_makes() -> None:
    fake = FakeMeta()
    body, headers = fake.signed(fake.incoming(fake.text("café 😀")))
    signature = headers["X-Hub-Signature-256"]
    assert webhook_updates_validator(fake.app_secret, body, signature)
    assert not webhook_updates_validator("another", body, signature)
    assert sign(body, fake.app_secret) == signature


@each_corpus("meta")
def test_we_believe_the_vector_and_no_other_bytes(corpus: Corpus) -> None:
    vector = corpus.json_of("signature_vector")
    body, secret = vector["raw_body"].encode(), vector["app_secret"]
    believing = account(msgspec.structs.replace(SETTINGS, app_secret=secret))
    verify(request(body, vector["headers"]), believing)
    assert webhook_updates_validator(secret, body, vector["headers"]["X-Hub-Signature-256"])
    with pytest.raises(UnauthorizedError):
        verify(request(json.dumps(json.loads(body), ensure_ascii=False).encode(), vector["headers"]), believing)


def pywa_reads(document: dict[str, Any], kind: type[Any]) -> list[Any]:
    """The updates that pywa hands to its handlers."""
    found: list[Any] = []
    take: Callable[[WhatsApp, Any], None] = lambda _client, update: found.append(update)  # noqa: E731
    client = WhatsApp(phone_id="100000000000001", token="t", server=None, validate_updates=False)
    client.add_handlers(kind(take))
    body, _ = signed_webhook(document, "s")
    assert client.webhook_update_handler(body) == ("ok", 200)
    return found


def test_pywa_reads_the_messages_of_our_fake_as_we_do() -> None:
    fake = FakeMeta()
    message = fake.text("Hello 😀", context={"id": "wamid.0", "from": OURS})
    # pywa drops messages whose contact has no user_id.
    document = fake.incoming(message, user_id=BSUID)
    [theirs] = pywa_reads(document, handlers.MessageHandler)
    [ours] = parse(request(signed_webhook(document, "s")[0]), account())
    assert (theirs.id, theirs.text, theirs.from_user.name) == (ours.message_id, ours.content, ours.contact_name)
    assert theirs.from_user.wa_id == ours.sender.removesuffix("@c.us")
    assert f"{theirs.from_user.bsuid}@user" in ours.aliases
    assert theirs.reply_to_message.id == ours.reply_to
    assert theirs.timestamp == ours.timestamp


def test_pywa_reads_the_statuses_of_our_fake_as_we_do() -> None:
    fake = FakeMeta()
    sent = {"wamid": "wamid.7", "to": "15550002222", "biz_opaque_callback_data": "our-id"}
    document = fake.statuses(sent, "delivered", "read")
    for change in document["entry"][0]["changes"]:
        person = {"profile": {"name": "Ana"}, "wa_id": "15550002222", "user_id": BSUID}
        change["value"]["contacts"] = [person]
    theirs = pywa_reads(document, handlers.MessageStatusHandler)
    ours = parse(request(msgspec.json.encode(document)), account())
    assert theirs
    for one, other in zip(theirs, ours, strict=False):
        assert (one.id, one.status.value, one.tracker) == (other.message_id, other.variant, other.reference)


class ToFake(httpx.HTTPTransport):
    """pywa insists on Meta's host: its requests are led to the fake."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._to = httpx.URL(url)

    def handle_request(self, asked: httpx.Request) -> httpx.Response:
        asked.url = asked.url.copy_with(scheme=self._to.scheme, host=self._to.host, port=self._to.port)
        return super().handle_request(asked)


async def test_pywa_sends_through_our_fake(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"jpeg")
    async with fake_meta() as fake:

        def send() -> tuple[str, str, bytes]:
            with httpx.Client(transport=ToFake(fake.url), timeout=60) as session:
                client = WhatsApp(phone_id=fake.phone_number_id, token=fake.token, session=session, api_version=23.0)
                text = client.send_message(to="15550002222", text="Hi", tracker="ours")
                image = client.send_image(to="15550002222", image=path, caption="Look")
                return text.id, image.id, client.get_media_url(fake.hold(b"x", "image/jpeg")).url.encode()

        text, image, url = await trio.to_thread.run_sync(send)
    assert [message["wamid"] for message in fake.messages] == [text, image]
    assert [upload.content for upload in fake.uploads.values()] == [b"jpeg"]
    assert url.startswith(fake.url.encode())
    ours = message_body(outgoing(account(), text="Hi", preview_url=False))
    assert fake.messages[0].keys() - {"wamid"} == ours.keys()


LINK = OutFile(mimetype="image/jpeg", filename="a.jpg", url="https://files.example/a.jpg")
BUTTONS = {
    "type": "button",
    "body": {"text": "b"},
    "action": {"buttons": [{"type": "reply", "reply": {"id": "1", "title": "t"}}]},
}
LIST = {
    "type": "list",
    "body": {"text": "b"},
    "action": {"button": "x", "sections": [{"title": "s", "rows": [{"id": "1", "title": "t"}]}]},
}
CARD = {"name": {"formatted_name": "Bo", "first_name": "Bo"}, "phones": [{"phone": "+1 555", "type": "WORK"}]}


@pytest.mark.parametrize(
    "message",
    [
        {"text": "Hi"},
        {"text": "Hi", "reply_to": "wamid.0"},
        {"type": "image", "text": "Look", "file": LINK},
        {"type": "video", "file": LINK},
        {"type": "audio", "file": LINK},
        {"type": "document", "file": LINK, "text": "Read"},
        {"type": "sticker", "file": LINK},
        {"type": "reaction", "reaction": OutReaction(message_id="wamid.0", emoji="👍")},
        {"type": "location", "location": OutLocation(latitude=1.5, longitude=2.5, name="Cafe", address="1 Rd")},
        {"type": "contacts", "contacts": (CARD,)},
        {"type": "interactive", "interactive": BUTTONS},
        {"type": "interactive", "interactive": LIST},
    ],
    ids=lambda message: f"{message.get('type', 'text')}-{len(message)}",
)
def test_what_we_send_is_valid_by_metas_openapi_document(message: dict[str, Any]) -> None:
    validate("Message", message_body(outgoing(account(), **message)))


def validate(schema: str, value: dict[str, Any]) -> None:
    whole = {"$ref": f"#/components/schemas/{schema}", "components": openapi("meta")["components"]}
    errors = OAS31Validator(whole).iter_errors(value)
    assert not [f"{list(error.absolute_path)}: {error.message[:300]}" for error in errors]


def test_the_document_refuses_what_is_wrong() -> None:
    wrong = message_body(outgoing(account(), text="Hi")) | {"type": "nothing"}
    with pytest.raises(AssertionError):
        validate("Message", wrong)
