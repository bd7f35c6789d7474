"""``/media`` and ``/api/media`` over HTTP: uploads, links, owners, ranges."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.api_site import ACME, ADMIN, OTHER, ApiSite, api_site
from wagate.config.tables import Media, Server
from wagate.config.units import Size

FORM = "multipart/form-data; boundary=b"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 1000


async def upload(site: ApiSite, token: str | None = ACME, expected: int = 201, **options: object) -> dict[str, object]:
    given = {"content": PNG, "headers": {"Content-Type": "image/png"}, "params": {"filename": "a b.png"}} | options
    async with site.as_(token) as http:
        answer = await http.post("/api/media", **given)  # type: ignore[arg-type]
    assert answer.status_code == expected, answer.text
    made: dict[str, object] = answer.json()
    return made


def path_of(made: dict[str, object]) -> str:
    parts = urlsplit(str(made["url"]))
    return f"{parts.path}?{parts.query}"


async def test_a_file_that_was_uploaded_can_be_fetched_by_its_link_alone(tmp_path: Path) -> None:
    async with api_site(tmp_path, server=Server(public_url="https://wa.example")) as site, site.as_(None) as http:
        made = await upload(site)
        assert {name: made[name] for name in ("mimetype", "filename", "size", "status", "direction")} == {
            "mimetype": "image/png",
            "filename": "a b.png",
            "size": len(PNG),
            "status": "stored",
            "direction": "out",
        }
        assert str(made["url"]).startswith(f"https://wa.example/media/{made['id']}/a%20b.png?exp=")
        got = await http.get(path_of(made))
        assert got.status_code == 200
        assert got.content == PNG
        assert got.headers["content-type"] == "image/png"
        assert got.headers["content-length"] == str(len(PNG))
        assert got.headers["content-disposition"] == "inline; filename=\"a b.png\"; filename*=UTF-8''a%20b.png"
        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["content-security-policy"] == "sandbox"
        assert got.headers["accept-ranges"] == "bytes"
        head = await http.head(path_of(made))
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(PNG))


async def test_a_form_with_a_file_and_more_is_taken(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site:
        form = {"files": {"file": ("bild.png", PNG, "image/png")}, "data": {"note": "x" * 1000}}
        made = await upload(site, content=None, headers={}, params={}, **form)
        assert (made["filename"], made["mimetype"], made["size"]) == ("bild.png", "image/png", len(PNG))
        async with site.as_(ACME) as http:
            assert (await http.get(f"/media/{made['id']}")).content == PNG


async def test_what_the_bytes_say_counts(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site:
        made = await upload(site, headers={"Content-Type": "text/html"}, params={"filename": "../x.html"})
        assert (made["mimetype"], made["filename"]) == ("image/png", "x.html.png")


async def test_pages_are_never_shown_in_place(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        for body, kind in ((b"<html><script>", "text/html"), (b"<svg onload='x'>", "image/svg+xml")):
            made = await upload(site, content=body, headers={"Content-Type": kind}, params={})
            got = await http.get(path_of(made))
            assert got.headers["content-disposition"].startswith("attachment;"), kind
            assert got.headers["content-security-policy"] == "sandbox"


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        (("sig=", "sig=A"), "wrong"),
        (("exp=1", "exp=2"), "wrong"),
        (("exp=", "exp=x"), "wrong"),
    ],
)
async def test_a_link_that_was_tampered_with_is_refused(tmp_path: Path, change: tuple[str, str], detail: str) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        made = await upload(site)
        got = await http.get(path_of(made).replace(*change))
        assert got.status_code == 403
        assert got.headers["content-type"] == "application/problem+json"
        assert detail in got.json()["detail"]


async def test_a_link_expires_and_a_file_without_one_needs_its_owners_token(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as nobody, site.as_(ACME) as acme, site.as_(OTHER) as other:
        made = await upload(site)
        bare = f"/media/{made['id']}/a.png"
        assert (await nobody.get(bare)).status_code == 401
        assert (await acme.get(bare)).status_code == 200
        assert (await other.get(bare)).status_code == 404
        async with site.as_(ADMIN) as admin:
            assert (await admin.get(bare)).status_code == 200
        site.clock.shift(8 * 86400 + 5)
        late = await nobody.get(path_of(made))
        assert (late.status_code, "expired" in late.json()["detail"]) == (403, True)


async def test_rows_are_seen_by_their_owner_only(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(ACME) as acme, site.as_(OTHER) as other:
        made = await upload(site)
        assert (await acme.get(f"/api/media/{made['id']}")).json() == made
        assert (await other.get(f"/api/media/{made['id']}")).status_code == 404
        assert (await acme.get("/api/media/nothing")).status_code == 404
        assert (await other.delete(f"/api/media/{made['id']}")).status_code == 404
        for_acme = await upload(site, ADMIN, params={"tenant_id": "acme"})
        assert (await acme.get(f"/api/media/{for_acme['id']}")).status_code == 200
        await upload(site, ACME, 404, params={"tenant_id": "other"})


PARTS: list[Any] = [
    ("bytes=0-9", 206, 0, 10),
    ("bytes=100-", 206, 100, len(PNG)),
    ("bytes=-5", 206, len(PNG) - 5, len(PNG)),
    ("bytes=0-99999999", 206, 0, len(PNG)),
    ("bytes=65530-65545", 206, 65530, 65546),
    ("bytes=5-2", 200, 0, len(PNG)),
    ("bytes=0-1,5-6", 200, 0, len(PNG)),
    ("lines=1-2", 200, 0, len(PNG)),
    ("bytes=-", 200, 0, len(PNG)),
]
"""(Range, status, first byte, the one behind the last)"""


async def test_a_part_of_a_file(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        made = await upload(site)
        for wanted, status, start, stop in PARTS:
            got = await http.get(path_of(made), headers={"Range": wanted})
            assert (got.status_code, got.content) == (status, PNG[start:stop]), wanted
            if status == 206:
                assert got.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(PNG)}"
            etag = got.headers["etag"]
            stale = {"Range": wanted, "If-Range": '"other"'}
            assert (await http.get(path_of(made), headers=stale)).status_code == 200, wanted
            fresh = {"Range": wanted, "If-Range": etag}
            assert (await http.get(path_of(made), headers=fresh)).status_code == status, wanted


async def test_a_range_behind_the_end_and_a_copy_that_is_fresh(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site, site.as_(None) as http:
        made = await upload(site)
        for wanted in (f"bytes={len(PNG)}-", "bytes=-0"):
            got = await http.get(path_of(made), headers={"Range": wanted})
            assert (got.status_code, got.headers["content-range"]) == (416, f"bytes */{len(PNG)}")
        etag = (await http.head(path_of(made))).headers["etag"]
        fresh = await http.get(path_of(made), headers={"If-None-Match": f'"x", {etag}'})
        assert (fresh.status_code, fresh.content, fresh.headers["etag"]) == (304, b"", etag)


NO_UPLOADS: list[Any] = [
    ({"content": b""}, 422, "file"),
    ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "Content-Type"),
    ({"content": b"no form", "headers": {"Content-Type": FORM}}, 400, ""),
    (
        {"content": b"--b\r\n" + b"x" * 500_000, "headers": {"Content-Type": FORM}},
        400,
        "",
    ),
    ({"content": None, "headers": {}, "files": {"other": ("a", b"x")}}, 422, "file"),
]
"""(request, status, field)"""


async def test_what_is_no_upload_is_told_so_and_leaves_nothing(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site:
        for options, status, field in NO_UPLOADS:
            problem = await upload(site, expected=status, **options)
            assert [each["field"] for each in problem["errors"]] == [field], options  # type: ignore[attr-defined]
            assert not [path for path in (tmp_path / "media").rglob("*") if path.is_file()], options


async def test_a_file_over_the_limit_is_refused_whether_or_not_its_length_is_told(tmp_path: Path) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"x" * 50_000

    small = Media(max_size=Size(100_000))
    async with api_site(tmp_path, media_config=small) as site:
        form = {"content": None, "headers": {}, "files": {"file": ("a", b"x" * 100_001)}}
        for options in ({"content": b"x" * 100_001}, {"content": b"x" * 500_000}, {"content": chunks()}, form):
            problem = await upload(site, expected=413, **options)
            assert "media.max_size" in str(problem["detail"])
        assert (await upload(site, content=b"x" * 100_000))["size"] == 100_000
    assert len([path for path in (tmp_path / "media").rglob("*") if path.is_file()]) == 1


async def test_nobody_uploads_without_a_token(tmp_path: Path) -> None:
    async with api_site(tmp_path) as site:
        await upload(site, None, 401)
        await upload(site, "wrong", 401)


async def test_pages_of_allowed_origins_may_read_files(tmp_path: Path) -> None:
    server = Server(cors_origins=["https://app.example"])
    async with api_site(tmp_path, server=server) as site, site.as_(None, Origin="https://app.example") as http:
        made = await upload(site)
        assert (await http.get(path_of(made))).headers["access-control-allow-origin"] == "https://app.example"
        asked = {"Access-Control-Request-Method": "POST"}
        assert (await http.options("/api/media", headers=asked)).status_code == 204
        other = await http.get(path_of(made), headers={"Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_an_upload_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def half() -> object:
        yield b"\x89PNG" + b"x" * 300_000
        raise ConnectionError

    async with api_site(tmp_path) as site, site.as_(ACME) as http:
        with pytest.raises((ConnectionError, httpx2.HTTPError)):
            await http.post("/api/media", content=half())  # type: ignore[arg-type]
        await upload(site)
    left = [path for path in (tmp_path / "media").rglob("*") if path.is_file()]
    assert len(left) == 1
