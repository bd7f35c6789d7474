"""Guessing: secrets, and names of accounts."""

from __future__ import annotations

import statistics
import time

from tests.attack.case import MB, Case, Target

FORGED = {"X-Hub-Signature-256": "sha256=" + "0" * 64}


async def names_of_accounts(target: Target) -> str:
    """Whether main (which there is) and nobody (which there is not) can be told apart."""
    said: dict[str, list[str]] = {}
    took: dict[tuple[str, int], list[float]] = {}
    for size in (100, 4 * MB):
        body = target.random.randbytes(size)
        for _ in range(target.times(20, 6)):
            for name in ("main", "nobody"):
                headers = target.stranger() | FORGED
                began = time.perf_counter()
                answer = await target.process.http.post(f"/webhooks/{name}", content=body, headers=headers)
                took.setdefault((name, size), []).append((time.perf_counter() - began) * 1000)
                said.setdefault(name, []).append(f"{answer.status_code} {answer.text}")
    for query in ("", "?hub.mode=subscribe&hub.challenge=1&hub.verify_token=x", "?a=b"):
        for name in ("main", "phone", "nobody"):
            answer = await target.process.http.get(f"/webhooks/{name}{query}", headers=target.stranger())
            said.setdefault(f"look{query}", []).append(f"{answer.status_code} {answer.text.replace(name, '')}")
    assert set(said["main"]) == set(said["nobody"]), said["main"] + said["nobody"]
    assert all(len(set(each)) == 1 for each in said.values()), said
    medians = {key: statistics.median(each) for key, each in took.items()}
    for size in (100, 4 * MB):
        known, unknown = medians["main", size], medians["nobody", size]
        # Of a few tries on a busy machine the medians say little.
        assert target.short or max(known, unknown) < 2 * min(known, unknown) + 5, f"{known:.1f} ms and {unknown:.1f} ms"
    return ", ".join(f"{name} {median:.1f} ms" for (name, _), median in medians.items())


async def guessing_secrets(target: Target) -> str:
    doors = ("/webhooks/main", "/webhooks/nobody", "/api/whatsapp/webhook/phone", "/webhook/inbound")
    found = []
    for door in doors:
        headers = target.stranger() | FORGED | {"X-Api-Key": "a wrong token"}
        statuses = [
            (await target.process.http.post(door, content=b"{}", headers=headers)).status_code for _ in range(30)
        ]
        assert set(statuses) == {401, 429}, f"{door}: {statuses}"
        found.append(statuses.index(429))
    return f"429 after {found} tries"


CASES = (
    Case("names of accounts", "an unknown account is answered as a wrong secret is", names_of_accounts),
    Case("guessed secrets", "wrong secrets at doors count against limits.auth", guessing_secrets),
)
