"""Rules of paths that make no URLs until somebody asks for one."""

from __future__ import annotations

from collections.abc import Callable

from quart.routing import QuartRule


class UrlRule(QuartRule):
    """A rule whose functions for ``url_for`` are written when they are first called.

    Werkzeug writes and compiles two for each rule as soon as it is there: more than half of what a start computes once
    all is imported. We call none; a plugin's route may.
    """

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        write = super()._compile_builder
        written: Callable[..., tuple[str, str]] | None = None

        def build(rule: UrlRule, /, **values: object) -> tuple[str, str]:
            nonlocal written
            written = written or write(append_unknown)
            return written(rule, **values)

        return build
