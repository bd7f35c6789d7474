"""Files of others that the dashboard serves: as they were published, each with its licence."""

from __future__ import annotations

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
