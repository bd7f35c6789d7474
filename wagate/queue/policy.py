"""Is this Redis one that keeps what it is given?"""

from __future__ import annotations

import structlog

from wagate.errors import QueueError
from wagate.queue.redis import RedisThread, is_refusal

log = structlog.get_logger(__name__)

NEEDED = "noeviction"


async def check_policy(redis: RedisThread) -> None:
    """Refuse a Redis that throws keys away when its memory is full.

    A server that does not let us ask is only warned about.

    Raises:
        QueueError: the policy is another one (the message says the cure), or Redis can't be reached.
    """
    try:
        # INFO says it too, and managed servers that forbid CONFIG allow INFO.
        policy = (await redis.command("INFO", "memory")).get("maxmemory_policy")
    except QueueError as error:
        if not is_refusal(error):
            raise
        policy = None
    if policy is None:
        log.warning("redis_policy_unknown", needed=NEEDED, reason="the server does not tell its maxmemory-policy")
    elif policy != NEEDED:
        raise QueueError(
            f"Redis has maxmemory-policy {policy}, which may throw the queue away when memory is full; "
            f"set it to {NEEDED}: CONFIG SET maxmemory-policy {NEEDED}, and the same line in redis.conf"
        )
