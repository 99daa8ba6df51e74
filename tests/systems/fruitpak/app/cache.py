"""Cache-aside by a decorator: `@cached(ttl=300, prefix="growers")`. Without Redis everything works, only slower."""

import functools
import hashlib
import json
import os
from typing import Any

from fastapi import Response
from pydantic import BaseModel
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from . import observe

MAX_CONNECTIONS = 50
# Seconds that a request may wait for a cache that does not answer.
TIMEOUT = 0.25

client = Redis(connection_pool=BlockingConnectionPool.from_url(
    os.environ["REDIS_URL"], max_connections=MAX_CONNECTIONS, timeout=TIMEOUT, socket_timeout=TIMEOUT,
    socket_connect_timeout=TIMEOUT,
))


def key_of(prefix: str, name: str, arguments: dict[str, Any]) -> str:
    """`growers:list_growers:{hash of the arguments}`: of those that are values, not of sessions."""
    values = {k: v for k, v in sorted(arguments.items()) if isinstance(v, (str, int, float, bool, type(None)))}
    digest = hashlib.sha256(json.dumps(values).encode()).hexdigest()[:16]
    return f"{prefix}:{name}:{digest}"


def serialise(value: Any) -> bytes:
    if isinstance(value, BaseModel):
        return value.model_dump_json().encode()
    return json.dumps(value, separators=(",", ":")).encode()


def cached(ttl: int, prefix: str):
    """Keeps what an endpoint returns for `ttl` seconds."""
    def decorate(endpoint):
        @functools.wraps(endpoint)
        async def through(*args, **kwargs):
            key = key_of(prefix, endpoint.__name__, kwargs)
            work = observe.current.get() or observe.Work()
            try:
                body = await client.get(key)
            except (RedisError, OSError):
                work.cache = "BYPASS"
                observe.lookups.labels(prefix, "bypass").inc()
                return answer(serialise(await endpoint(*args, **kwargs)))
            if body is not None:
                work.cache = "HIT"
                observe.lookups.labels(prefix, "hit").inc()
                return answer(body)
            work.cache = "MISS"
            observe.lookups.labels(prefix, "miss").inc()
            body = serialise(await endpoint(*args, **kwargs))
            try:
                await client.set(key, body, ex=ttl)
            except (RedisError, OSError):
                pass
            return answer(body)
        return through
    return decorate


def answer(body: bytes) -> Response:
    return Response(body, media_type="application/json")


async def invalidate(prefix: str) -> int:
    """Forgets everything under a prefix; how many entries. `*` is a prefix of all."""
    count = 0
    pattern = "*" if prefix == "*" else f"{prefix}:*"
    keys = [key async for key in client.scan_iter(match=pattern, count=1000)]
    for first in range(0, len(keys), 500):
        count += await client.delete(*keys[first:first + 500])
    return count
