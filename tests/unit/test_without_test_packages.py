"""What users install has no pytest: nothing that runs may ask for a package that only the tests bring."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

from tests.test_docs import ROOT

IMPORT_ALL = """
import importlib, pkgutil, sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[1:]:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
import wagate

for_tests = {"wagate.__main__", "wagate.pytest_plugin", "wagate.testing.contracts"}
for module in pkgutil.walk_packages(wagate.__path__, "wagate."):
    if module.name not in for_tests:
        importlib.import_module(module.name)
"""


def names(requirements: list[str]) -> set[str]:
    """Their packages, as they are imported."""
    found = [re.match(r"[A-Za-z0-9_.-]+", each) for each in requirements]
    return {each[0].lower().replace("-", "_") for each in found if each}


def test_every_module_can_be_imported_without_the_packages_of_the_tests() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras: dict[str, list[str]] = project["optional-dependencies"]
    there = names([*project["dependencies"], *(each for name in extras if name != "test" for each in extras[name])])
    absent = names(extras["test"]) - there
    assert "pytest" in absent
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *absent], capture_output=True, text=True, check=False, timeout=250
    )
    assert ran.returncode == 0, ran.stderr
