"""Files that the dashboard serves: all of them are ours, and light."""

from __future__ import annotations

import gzip

from wagate.web.ui.render import static_files


def test_pages_load_no_file_of_others() -> None:
    """No library is served that no page uses: one of 17 kB was, for as long as nobody looked."""
    assert {*static_files()} == {"docs.css", "docs.js", "icon.svg", "wagate.css", "wagate.js"}


def test_what_every_page_loads_stays_small() -> None:
    """Gzipped, as it travels."""
    sizes = {name: len(gzip.compress(content, 9)) for name, content in static_files().items()}
    assert sizes["wagate.css"] <= 5_000, sizes
    assert sizes["wagate.js"] <= 4_000, sizes
    assert sum(sizes.values()) <= 13_000, sizes
