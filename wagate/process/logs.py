"""Structured logs: one line each, console on a terminal, JSON otherwise, secrets taken out."""

from __future__ import annotations

import contextlib
import logging
import re
import sys
import time
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Literal, cast

import msgspec
import structlog

from wagate.config import redact
from wagate.parsing.printable import printable
from wagate.web.ui.warnings import LastWarnings, Warned

Hide = Callable[[frozenset[str]], None]
"""Keeps further secrets out of the log."""
_KEY_IN_URL = re.compile(r"(x-api-key=)[^&\s\"'\\]+", re.IGNORECASE)
"""A token in the query of ``/ws``: clients' tokens are stored as hashes, so that it can't be known by its value."""
_LONGEST = 1000
"""Characters of a value in a line that could not be written as it is."""
MOST_LINES: Final = 300
"""Lines of one plugin …"""
PERIOD: Final = 10.0
"""… in so many seconds."""
_APART: Final = frozenset({"event", "level", "timestamp", "logger", "exc_info", "stack_info"})
_REMEMBERED: Final = 1000
"""Names that are remembered."""
_KEPT: Final = frozenset({"warning", "error", "critical"})
"""Levels that the dashboard shows."""
_LONGEST_KEPT: Final = 500
"""Characters of such a line's text, and of its fields."""
LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logs(
    level: str,
    form: Literal["auto", "console", "json"],
    secrets: frozenset[str],
    *,
    warnings: LastWarnings | None = None,
) -> Hide:
    """Set up logging for the process. What other libraries log with the standard library comes out the same way.

    ``warnings`` get what is a warning or worse. What is returned hides further secrets.
    """
    redactor = _Redactor(secrets)
    console = form == "console" or (form == "auto" and sys.stderr.isatty())
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        LogLimit(),
        structlog.processors.add_log_level,
        _stamp,
    ]
    if warnings is not None:
        processors.append(_Keeper(warnings, redactor))
    if console:
        processors += [structlog.processors.format_exc_info, _tame, structlog.dev.ConsoleRenderer(pad_event_to=0)]
    else:
        processors += [
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            _render_json,
        ]
    processors.append(redactor)
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(file=cast(BinaryIO, _Lossy(sys.stderr.buffer))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_ToStructlog()], level=logging.WARNING, force=True)
    return redactor.hide


@dataclass(slots=True)
class _Window:
    began: float
    lines: int = 0


class LogLimit:
    """A processor of structlog's: for lines with a key ``plugin``, or ``logger`` when a library of its writes them.

    The first line too many becomes ``log limited``; the next line of the plugin that is let through says how many were
    ``suppressed``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def __call__(self, _logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """The line, or the one in its place. structlog.DropEvent: none."""
        name = event.get("plugin") or event.get("logger")
        if name is None:
            return event
        window = self._window(str(name).partition(".")[0], event)
        window.lines += 1
        if window.lines <= MOST_LINES:
            return event
        if window.lines > MOST_LINES + 1:
            raise structlog.DropEvent
        return {"event": "log limited", "plugin": name, "lines": MOST_LINES, "seconds": PERIOD}

    def _window(self, name: str, event: MutableMapping[str, Any]) -> _Window:
        now = self._clock()
        window = self._windows.get(name)
        if window is not None and now - window.began < PERIOD:
            return window
        if window is not None and window.lines > MOST_LINES:
            event["suppressed"] = window.lines - MOST_LINES
        if len(self._windows) >= _REMEMBERED:
            self._windows.clear()
        fresh = self._windows[name] = _Window(now)
        return fresh


class _Lossy:
    """A log that can't be written (the disk is full, the reader gone) loses lines; nobody's work fails with it.

    Past Python's buffer: what waits there would be tried again at the exit, and the exit code be 120.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file: BinaryIO = getattr(file, "raw", file)

    def write(self, line: bytes) -> int:
        rest = memoryview(line)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[self._file.write(rest) or len(rest) :]
        return len(line)

    def flush(self) -> None:
        """Nothing waits: each line is one write."""


def _stamp(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """RFC 3339 UTC; msgspec writes it faster than Python does."""
    event["timestamp"] = datetime.now(UTC)
    return event


def _tame(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Names and reasons come from outside, and must neither steer the terminal nor look like lines of ours."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = printable(value, keep="\n" if name in {"exception", "stack"} else "")
    return event


def _render_json(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=repr)
    except Exception as error:  # noqa: BLE001  (values that can't be written, lone surrogates too: nobody's work fails)
        about = {name: ascii(value)[:_LONGEST] for name, value in event.items() if isinstance(value, str)}
        return msgspec.json.encode(about | {"unwritable": type(error).__name__})


class _Redactor:
    """Last in the row: no configured secret leaves the process in a log line."""

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = secrets

    def hide(self, secrets: frozenset[str]) -> None:
        """These, too."""
        self._secrets |= secrets

    def clean(self, text: str) -> str:
        """Without any of them."""
        return redact(_KEY_IN_URL.sub(r"\1•••", text), self._secrets)

    def __call__(self, _logger: Any, _method: str, line: Any) -> bytes:
        text = line.decode() if isinstance(line, bytes) else str(line)
        return self.clean(text).encode("utf-8", "replace")


class _Keeper:
    """Keeps warnings and errors for the dashboard; the line goes on as it is."""

    def __init__(self, warnings: LastWarnings, redactor: _Redactor) -> None:
        self._warnings = warnings
        self._redactor = redactor

    def __call__(self, logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        if event["level"] in _KEPT:
            with contextlib.suppress(Exception):  # Values of plugins that can't be written: nobody's work fails.
                self._warnings.add(self._kept(logger, event))
        return event

    def _kept(self, logger: Any, event: Mapping[str, Any]) -> Warned:
        fields = [f"{name}={str(value)[:_LONGEST]}" for name, value in event.items() if name not in _APART]
        if (error := _type_of(event.get("exc_info"))) is not None:
            fields.append(f"exception={error.__name__}")
        return Warned(
            at=event["timestamp"],
            level="warning" if event["level"] == "warning" else "error",
            logger=self._clean(event.get("logger") or getattr(logger, "name", None) or ""),
            text=self._clean(event.get("event", "")),
            details=self._clean(" ".join(fields)),
        )

    def _clean(self, text: object) -> str:
        # Cut only then: half a secret would not be found.
        return printable(self._redactor.clean(str(text)))[:_LONGEST_KEPT]


def _type_of(given: Any) -> type[BaseException] | None:
    """Of what ``exc_info`` may be: True, an exception, or the three of `sys.exc_info`."""
    if isinstance(given, BaseException):
        return type(given)
    kind = given[0] if isinstance(given, tuple) and given else sys.exc_info()[0] if given else None
    return kind if isinstance(kind, type) else None


class _ToStructlog(logging.Handler):
    """Hands standard library records to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        extra: Mapping[str, Any] = {"exc_info": record.exc_info} if record.exc_info else {}
        structlog.get_logger(record.name).log(record.levelno, record.getMessage(), logger=record.name, **extra)
