"""One POST: what is sent, how it is signed, and what the answer means."""

from __future__ import annotations

import hashlib
import hmac
import time
from datetime import timedelta
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from wagate.errors import DeliveryError, Reject, Retry
from wagate.events import Media
from wagate.hooks import Delivery, Endpoint, EndpointChange, EndpointSecret, Handler, NewEndpoint, Receipt, TargetLimits
from wagate.http import AddressNotAllowedError, BadUrlError, HttpError, NetworkError, Response, TimedOutError
from wagate.http.signing import new_secret
from wagate.testing import NOW, FakeHttp, Fakes, answered, fake_context, make_delivery, make_event
from wagate_webhook import plugin
from wagate_webhook.checks import rotated
from wagate_webhook.options import Options, to_store

OLD, NEW = new_secret(), new_secret()


async def register(fakes: Fakes, **fields: Any) -> Endpoint:
    given = {
        "client_id": 1,
        "phone_number": "*",
        "name": "",
        "webhook_url": "https://hooks.example/in",
        "max_retries": 3,
        "events": ["message"],
        "metadata": {},
        "secrets": [EndpointSecret(secret=NEW)],
    }
    options = {name: fields.pop(name) for name in Options.__struct_fields__ if name in fields}
    given["options"] = to_store(options, fakes.context.encrypt)
    return await fakes.endpoints.create(NewEndpoint(**(given | fields)))


def handler_of(fakes: Fakes) -> Handler:
    [handler] = plugin.register_handlers(fakes.context)
    return handler


async def send(fakes: Fakes, delivery: Delivery) -> Receipt | None:
    handle = handler_of(fakes).handle
    assert handle is not None
    return await handle(delivery)


async def test_a_receiver_of_waha_checks_with_the_key_that_it_has() -> None:
    fakes, key = fake_context("webhook", http=FakeHttp(200)), "the-key-of-our-receivers"
    found = await register(fakes, format="waha", secrets=[EndpointSecret(secret=key)])
    await send(fakes, make_delivery(target=found.id))
    [sent] = fakes.http.sent
    assert sent.headers["x-webhook-hmac"] == hmac.digest(key.encode(), sent.body, hashlib.sha512).hex()


@pytest.mark.parametrize("options", [{}, {"format": "waha"}])
async def test_nothing_is_sent_unsigned_when_the_secret_cannot_be_decrypted(options: dict[str, str]) -> None:
    fakes = fake_context("webhook", http=FakeHttp(200))
    found = await register(fakes, secrets=[], **options)
    with pytest.raises(Retry, match="can't be decrypted") as caught:
        await send(fakes, make_delivery(target=found.id))
    assert caught.value.down
    assert fakes.http.sent == []


async def outcome(*script: int | Response | HttpError, **fields: Any) -> DeliveryError:
    fakes = fake_context("webhook", http=FakeHttp(*script))
    found = await register(fakes, **fields)
    with pytest.raises(DeliveryError) as caught:
        await send(fakes, make_delivery(target=found.id))
    return caught.value


# What is sent


async def test_an_event_is_posted_once_with_type_id_and_time() -> None:
    fakes = fake_context("webhook", http=FakeHttp(answered(201, b"thanks")))
    found = await register(fakes, headers={"Authorization": "Bearer x"})
    delivery = make_delivery(target=found.id)
    assert await send(fakes, delivery) == Receipt(http_status=201, response="thanks")
    [sent] = fakes.http.sent
    assert (sent.method, sent.url, sent.timeout) == ("POST", "https://hooks.example/in", 10.0)
    assert sent.headers["content-type"] == "application/json"
    assert sent.headers["authorization"] == "Bearer x"
    assert sent.headers["webhook-id"] == delivery.id == sent.json["event_id"]
    assert sent.headers["webhook-timestamp"] == str(int(NOW.timestamp()))


async def test_a_retry_sends_the_same_bytes_and_id_with_a_fresh_time() -> None:
    fakes = fake_context("webhook")
    found = await register(fakes)
    delivery = make_delivery(target=found.id)
    await send(fakes, delivery)
    fakes.clock.shift(3600)
    await send(fakes, delivery)
    first, second = fakes.http.sent
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


async def test_the_published_verifier_accepts_the_old_and_the_new_secret_until_the_old_ends() -> None:
    fakes = fake_context("webhook")
    fakes.clock.shift(time.time() - NOW.timestamp())  # the verifier looks at the machine's clock
    found = await register(fakes, secrets=[EndpointSecret(secret=OLD)])
    secrets = rotated(found.secrets, NEW, now=fakes.clock.now())
    await fakes.endpoints.change(found.id, EndpointChange(secrets=secrets))
    await send(fakes, make_delivery(target=found.id))
    sent = fakes.http.sent[-1]
    for secret in (OLD, NEW):
        Webhook(secret).verify(sent.body, sent.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(sent.body, sent.headers)
    fakes.clock.shift(24 * 3600 + 1)
    await send(fakes, make_delivery(target=found.id))
    assert len(fakes.http.sent[-1].headers["webhook-signature"].split()) == 1


async def test_with_wahas_format_its_hmac_holds_beside_ours() -> None:
    fakes = fake_context("webhook")
    found = await register(fakes, format="waha")
    delivery = make_delivery(target=found.id)
    await send(fakes, delivery)
    [sent] = fakes.http.sent
    assert sent.headers["x-webhook-hmac"] == hmac.new(NEW.encode(), sent.body, hashlib.sha512).hexdigest()
    assert sent.headers["x-webhook-hmac-algorithm"] == "sha512"
    assert sent.headers["x-webhook-request-id"] == delivery.id
    assert sent.headers["x-webhook-timestamp"] == str(sent.json["timestamp"])
    assert sent.headers["webhook-signature"].startswith("v1,")


# What the answer means


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_every_2xx_is_delivered(status: int) -> None:
    fakes = fake_context("webhook", http=FakeHttp(status))
    found = await register(fakes)
    receipt = await send(fakes, make_delivery(target=found.id))
    assert receipt is not None
    assert receipt.http_status == status


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
async def test_5xx_is_tried_again(status: int) -> None:
    failed = await outcome(answered(status, b"oops"))
    assert isinstance(failed, Retry)
    assert (failed.reason, failed.http_status, failed.response) == (f"Server error ({status})", status, "oops")


@pytest.mark.parametrize("status", [408, 425, 429])
async def test_4xx_that_ask_to_come_back_are_tried_again_after_their_time(status: int) -> None:
    failed = await outcome(answered(status, headers={"retry-after": "30"}))
    assert isinstance(failed, Retry)
    assert (failed.reason, failed.after) == (f"Client error ({status})", 30.0)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 422, 451])
async def test_other_4xx_are_never_tried_again(status: int) -> None:
    failed = await outcome(answered(status, b"no"))
    assert isinstance(failed, Reject)
    assert (failed.reason, failed.response, failed.disable) == (f"Client error ({status})", "no", False)


async def test_410_switches_the_webhook_off() -> None:
    failed = await outcome(410)
    assert isinstance(failed, Reject)
    assert (failed.reason, failed.disable) == ("Client error (410)", True)


@pytest.mark.parametrize("status", [300, 301, 302, 304, 307, 308])
async def test_a_redirect_is_a_failure(status: int) -> None:
    failed = await outcome(answered(status, headers={"location": "https://elsewhere.example/"}))
    assert isinstance(failed, Reject)
    assert failed.reason == f"Redirect ({status}) not followed"


@pytest.mark.parametrize(
    "error",
    [TimedOutError(), NetworkError("ECONNREFUSED: refused"), AddressNotAllowedError("Address not allowed: 10.0.0.1")],
)
async def test_what_the_network_does_is_tried_again_in_its_own_words(error: HttpError) -> None:
    failed = await outcome(error)
    assert isinstance(failed, Retry)
    assert (failed.reason, failed.http_status) == (error.reason, None)


async def test_a_url_that_can_no_longer_be_used_is_final() -> None:
    assert isinstance(await outcome(BadUrlError("the URL must begin with https://")), Reject)


async def test_an_answer_that_is_no_text_is_kept_readable() -> None:
    failed = await outcome(answered(500, b"\xff\xfeab"))
    assert failed.response == "\ufffd\ufffdab"


# n8n without an active workflow, and while it starts; bodies as n8n 2.41.1 answers

N8N = "https://n8n.example/webhook/wagate"
NOT_REGISTERED = (
    b'{"code":404,"message":"The requested webhook \\"POST wagate\\" is not registered.",'
    b'"hint":"The workflow must be active for a production URL to run successfully."}'
)
OTHER_METHOD = (
    b'{"code":404,"message":"This webhook is not registered for POST requests. Did you mean to make a GET request?"}'
)
EXPRESS = b'<!DOCTYPE html><html lang="en"><body><pre>Cannot POST /webhook/wagate</pre></body></html>'


@pytest.mark.parametrize(
    ("status", "body", "url", "reason"),
    [
        (404, NOT_REGISTERED, N8N, "n8n has no active workflow at this URL: publish it"),
        (404, OTHER_METHOD, N8N, "n8n has no active workflow at this URL: publish it"),
        (404, NOT_REGISTERED, "https://n8n.example/webhook-test/wagate", "n8n's test URL takes one call"),
        (404, EXPRESS, N8N, "n8n is starting"),
        (200, b"n8n is starting up. Please wait", N8N, "n8n is starting"),
    ],
)
async def test_n8n_that_took_nothing_counts_as_down(status: int, body: bytes, url: str, reason: str) -> None:
    failed = await outcome(answered(status, body), webhook_url=url)
    assert isinstance(failed, Retry)
    assert (failed.down, failed.http_status, failed.response) == (True, status, body.decode())
    assert failed.reason.startswith(reason)


@pytest.mark.parametrize(
    ("body", "url"),
    [
        (b"", N8N),
        (b"not found", N8N),
        (b'{"code":404,"message":"Could not find node to process webhook."}', N8N),
        (b'{"code":"404","message":"The requested webhook \\"x\\" is not registered."}', N8N),
        (b'["code", 404]', N8N),
        (EXPRESS, "https://shop.example/hook"),
    ],
)
async def test_a_404_of_others_is_final_unless_the_webhook_says_to_wait(body: bytes, url: str) -> None:
    assert isinstance(await outcome(answered(404, body), webhook_url=url), Reject)
    waits = await outcome(answered(404, body), webhook_url=url, retry_not_found=True)
    assert isinstance(waits, Retry)
    assert waits.down


async def test_a_webhook_may_say_that_a_404_is_final_even_of_n8n() -> None:
    assert isinstance(await outcome(answered(404, NOT_REGISTERED), webhook_url=N8N, retry_not_found=False), Reject)


# A webhook that changed after the event was routed


async def test_a_deleted_webhook_takes_nothing() -> None:
    fakes = fake_context("webhook")
    with pytest.raises(Reject):
        await send(fakes, make_delivery(target="gone"))
    assert not fakes.http.sent


async def test_a_webhook_that_is_off_waits() -> None:
    fakes = fake_context("webhook")
    found = await register(fakes)
    await fakes.endpoints.change(found.id, EndpointChange(is_active=False))
    with pytest.raises(Retry):
        await send(fakes, make_delivery(target=found.id))
    assert not fakes.http.sent


# Secrets


def test_a_rotation_shortens_lives_and_never_lengthens_them() -> None:
    soon = NOW + timedelta(hours=1)
    before = [
        EndpointSecret(secret="a"),
        EndpointSecret(secret="b", expires_at=soon),
        EndpointSecret(secret="c", expires_at=NOW),
    ]
    assert rotated(before, "n", now=NOW) == [
        EndpointSecret(secret="n"),
        EndpointSecret(secret="a", expires_at=NOW + timedelta(hours=24)),
        EndpointSecret(secret="b", expires_at=soon),
    ]


def test_many_rotations_in_a_day_keep_the_header_short() -> None:
    secrets = [EndpointSecret(secret="0")]
    for number in range(1, 30):
        secrets = rotated(secrets, str(number), now=NOW)
    assert [each.secret for each in secrets] == [str(number) for number in range(29, 19, -1)]


# Who gets an event


async def wanting(event: dict[str, Any], **fields: Any) -> bool:
    fakes = fake_context("webhook")
    found = await register(fakes, **fields)
    targets = list(handler_of(fakes).targets(make_event(**event)))
    assert all((each.id, each.max_retries) == (found.id, 3) for each in targets)
    return bool(targets)


@pytest.mark.parametrize("number", ["*", "5511888888888", "main"])
async def test_a_webhook_is_for_all_numbers_for_one_or_for_an_account(number: str) -> None:
    assert await wanting({}, phone_number=number)


@pytest.mark.parametrize("event", [{"client_id": 2}, {"phone": "1", "account": "b"}, {"phone": "", "account": ""}])
async def test_another_clients_or_numbers_event_is_not_for_it(event: dict[str, Any]) -> None:
    assert not await wanting(event, phone_number="5511888888888")


@pytest.mark.parametrize(
    ("events", "kind", "wanted"),
    [
        (["message"], "message", True),
        (["message"], "message.any", False),
        (["message"], "message.ack", False),
        (["message.any"], "message", True),
        (["message.any"], "message.any", True),
        (["*"], "message.any", False),
        (["*"], "session.status", True),
        (["group.*"], "group.join", True),
        (["group.*"], "message", False),
    ],
)
async def test_the_filter_decides(events: list[str], kind: str, wanted: bool) -> None:
    assert await wanting({"kind": kind}, events=events) is wanted


@pytest.mark.parametrize("kind", ["webhook.failing", "webhook.disabled"])
async def test_word_of_a_failing_webhook_belongs_to_no_number(kind: str) -> None:
    event = {"kind": kind, "phone": "", "account": "", "chat": ""}
    assert await wanting(event, phone_number="5511888888888", events=["*"])
    assert not await wanting(event, phone_number="5511888888888", events=["message"])


async def test_a_number_and_the_star_both_fire_and_one_that_is_off_does_not() -> None:
    fakes = fake_context("webhook")
    star, own = await register(fakes), await register(fakes, phone_number="5511888888888")
    off = await register(fakes, name="off")
    await fakes.endpoints.change(off.id, EndpointChange(is_active=False))
    assert {each.id for each in handler_of(fakes).targets(make_event())} == {star.id, own.id}


async def test_the_core_waits_longer_than_the_request() -> None:
    fakes = fake_context("webhook")
    handler = handler_of(fakes)
    usual, slow = await register(fakes), await register(fakes, name="slow", timeout=60)
    assert handler.timeout > fakes.context.timeout
    assert [handler.limits(each).timeout for each in (usual.id, slow.id, "gone")] == [None, 65.0, None]


async def test_a_webhook_has_its_own_timeout_and_rate() -> None:
    fakes = fake_context("webhook")
    found = await register(fakes, timeout=2.5, rate=0.5, burst=3)
    await send(fakes, make_delivery(target=found.id))
    assert fakes.http.sent[-1].timeout == 2.5
    assert handler_of(fakes).limits(found.id) == TargetLimits(timeout=7.5, rate=0.5, burst=3)


async def test_a_delivery_carries_the_link_to_its_file() -> None:
    fakes = fake_context("webhook")
    found = await register(fakes)
    event = make_event(type="image", media=Media(mimetype="image/jpeg", provider_id="1"))
    await send(fakes, make_delivery(event, target=found.id))
    assert fakes.http.sent[-1].json["media"]["url"] == fakes.media.url(event)
