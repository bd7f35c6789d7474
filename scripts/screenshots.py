"""Take the pictures of the dashboard in docs/pictures, from the gateway that the browser tests look at.

Usage: .venv/bin/python -m scripts.screenshots     (needs Chromium)
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.browsing import a_browser, a_site, made_link, sign_in

COLOURS = 128
"""Of a picture: a third of its size, and the eye sees no difference on flat pages."""
PHONE = {"width": 360, "height": 640}
FOLDER = Path(__file__).parents[1] / "docs/pictures"
SIZE = {"width": 1180, "height": 760}


def take(page: Page, name: str) -> None:
    """What the window shows."""
    whole = Image.open(BytesIO(page.screenshot()))
    whole.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(FOLDER / f"{name}.png", optimize=True)
    print(FOLDER / f"{name}.png")


def main() -> None:
    with a_site() as site, a_browser() as browser:
        context = browser.new_context(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        sign_in(context, site)
        page = context.new_page()
        failed = site.run(site.scene.jobs, "?state=failed")[0]
        pages = {
            "overview": "",
            "receiver": site.scene.page("Customer care"),
            "delivery": f"deliveries/{failed}",
            "add": "add",
        }
        for name, path in pages.items():
            page.goto(site.url + path)
            take(page, name)
        site.run(site.scene.shows_a_code, "2@A,CODE,TO,SCAN")
        link = made_link(page, f"{site.url}numbers/front-desk")
        phone = browser.new_context(viewport=PHONE, color_scheme="light", reduced_motion="reduce").new_page()
        phone.goto(link)
        take(phone, "scan")


if __name__ == "__main__":
    main()
