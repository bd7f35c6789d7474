"""Sample payloads of the providers: the committed ones always, and those beside the repository when they are there.

``expected.json`` says what each committed sample means, ``samples/outside/<provider>.json`` the same of the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

SAMPLES = Path(__file__).parent / "samples"
OUTSIDE = SAMPLES.parents[1].parent / "shared" / "samples"
FORM = ".form.txt"
NOT_SAMPLES = {"expected.json", "signature_vector.json", "signature_vectors.json"}


@dataclass(frozen=True)
class Corpus:
    """The samples of one provider from one origin."""

    origin: str
    """ours | outside."""
    folder: Path
    expected: dict[str, Any]
    """What each sample means, in groups that are the provider's own."""

    def bytes_of(self, name: str) -> bytes:
        path = self.folder / f"{name}.json"
        return (path if path.is_file() else self.folder / f"{name}{FORM}").read_bytes()

    def json_of(self, name: str) -> Any:
        return msgspec.json.decode(self.bytes_of(name))

    def names(self) -> set[str]:
        """All samples but what is signed; of files by the names before their endings."""
        found = {path.name for path in self.folder.iterdir()} - NOT_SAMPLES
        return {name.removesuffix(FORM).removesuffix(".json") for name in found}


@cache
def corpora(provider: str) -> list[Corpus]:
    """Ours first; those outside only when they are there."""
    ours = SAMPLES / provider
    found = [Corpus("ours", ours, msgspec.json.decode((ours / "expected.json").read_bytes()))]
    if (OUTSIDE / provider).is_dir():
        expected = msgspec.json.decode((SAMPLES / "outside" / f"{provider}.json").read_bytes())
        found.append(Corpus("outside", OUTSIDE / provider, expected))
    return found


def each_corpus(*providers: str) -> pytest.MarkDecorator:
    """Run a test with every ``corpus`` of the providers."""
    found = [pytest.param(one, id=f"{one.origin}-{one.folder.name}") for each in providers for one in corpora(each)]
    return pytest.mark.parametrize("corpus", found)


def each_sample(group: str, *providers: str) -> pytest.MarkDecorator:
    """Run a test with every ``name`` in a group of the expectations, and its ``corpus``."""
    found = [
        pytest.param(corpus, name, id=f"{corpus.origin}-{corpus.folder.name}-{name}")
        for provider in providers
        for corpus in corpora(provider)
        for name in corpus.expected[group]
    ]
    return pytest.mark.parametrize(("corpus", "name"), found)
