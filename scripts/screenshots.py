"""Take the pictures of the dashboard in docs/pictures, from the gateway that the browser tests look at.

Usage: .venv/bin/python -m scripts.screenshots     (needs Chromium)
"""

from __future__ import annotations

from pathlib import Path

from tests.browser.browsing import a_browser, a_site, sign_in

FOLDER = Path(__file__).parents[1] / "docs/pictures"
SIZE = {"width": 1180, "height": 760}


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
        }
        for name, path in pages.items():
            page.goto(site.url + path)
            page.screenshot(path=FOLDER / f"{name}.png")
            print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
