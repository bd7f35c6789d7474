"""Files of others that the dashboard serves: as they were published, each with its licence."""

from __future__ import annotations

import gzip
import hashlib
import tomllib
from importlib.resources import files

VENDOR = files("wagate.web.ui") / "static" / "vendor"


def test_every_vendored_file_is_the_one_that_the_manifest_names() -> None:
    named = {each["name"]: each for each in tomllib.loads((VENDOR / "manifest.toml").read_text("utf-8"))["file"]}
    found = {file.name: file.read_bytes() for file in VENDOR.iterdir() if file.name != "manifest.toml"}
    assert named.keys() == found.keys()
    for name, content in found.items():
        assert hashlib.sha256(content).hexdigest() == named[name]["sha256"], name
        assert {"package", "version", "license", "homepage"} <= named[name].keys()
        assert named[name]["version"] in name


def test_what_every_page_loads_stays_small() -> None:
    """Gzipped, as it travels: 60 kB for a first page, of which the HTML may take half."""
    static = files("wagate.web.ui") / "static"
    sizes = {
        each.name: len(gzip.compress(each.read_bytes(), 9))
        for folder in (static, VENDOR)
        for each in folder.iterdir()
        if each.name.endswith((".css", ".js"))
    }
    assert sizes["wagate.css"] <= 5_000, sizes
    assert sizes["wagate.js"] <= 4_000, sizes
    assert sum(sizes.values()) <= 30_000, sizes
