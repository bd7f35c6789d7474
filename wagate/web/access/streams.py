"""How many streams each client has open. One that is counted only when it runs lets many begin at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Hashable, Iterator
from contextlib import aclosing, contextmanager

from wagate.errors import TooManyRequestsError


class Streams:
    """Those of one kind."""

    def __init__(self, most: int, what: str = "streams are open already (limits.streams)") -> None:
        """``most``: at once, for each who is counted. ``what``: the refusal, behind the number."""
        self._most = most
        self._what = what
        self._open: Counter[Hashable] = Counter()

    @contextmanager
    def one(self, who: Hashable | None) -> Iterator[None]:
        """Count one; None is not counted. TooManyRequestsError."""
        if who is not None and self._open[who] >= self._most:
            raise TooManyRequestsError(f"{self._most} {self._what}", retry_after=60)
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    async def counted(self, who: Hashable | None, stream: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
        """The same stream, counted while it runs. TooManyRequestsError at its start."""
        async with aclosing(stream):
            with self.one(who):
                async for each in stream:
                    yield each


async def begun(stream: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    """A stream for an answer, that has begun: what it raises at its start can still be answered."""
    return _chained(await anext(stream, b""), stream)


async def _chained(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncIterator[bytes]:
    async with aclosing(rest):
        yield first
        async for each in rest:
            yield each
