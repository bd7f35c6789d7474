"""The machine's clock is set back."""

from __future__ import annotations

from scripts.chaos.scenario import Scenario, Size
from tests.inprocess import running_gateway
from tests.sink import Got, https_sink

HOUR = 3600.0


class Receiver:
    """Answers 503 while it is down."""

    down = True

    def __call__(self, _got: Got) -> int:
        return 503 if self.down else 200


async def set_back(size: Size) -> str:
    """A receiver is down and a worker holds a job when the clock is set back by hours; both come back."""
    receiver = Receiver()
    hours = size.dice.uniform(1, 24)
    async with https_sink(receiver) as sink, running_gateway(ca_file=sink.ca_file) as gateway:
        await gateway.register(sink.url)
        chats = size.of(8, 60)
        for number in range(chats):
            await gateway.post(str(number), chat=f"+1555000{number:04}")
        await gateway.passes(60, step=2)
        job = await gateway.ask("GET", "/queue/next-job", params={"lease": 5})
        receiver.down = False
        gateway.clock.step(-hours * HOUR)
        before = gateway.clock.monotonic()
        await gateway.passes_until(lambda: len(sink.accepted) >= chats, step=5, most=150)
        took = gateway.clock.monotonic() - before
        await gateway.passes(6)
        taken = [await gateway.ask("GET", "/queue/next-job", params={"lease": 60}) for _ in range(chats)]
        assert job["job_id"] in {each.get("job_id") for each in taken}, "the lease of 5 s did not end"
    return f"set back by {hours:.1f} h: all {chats} chats went on after {took:.0f} s, the lease ended"


CLOCK = (
    Scenario(
        name="clock-back",
        fault="the clock is set back by hours",
        promise="retries, probes and leases come when they were to come",
        run=set_back,
    ),
)
