"""What a response tells about itself: X-Cache, X-Query-Count, X-Process-Time (milliseconds), X-Replica; and what the
process counts for Prometheus."""

import os
import time
from contextvars import ContextVar
from dataclasses import dataclass

from prometheus_client import Counter
from sqlalchemy import Engine, event

REPLICA = os.environ.get("REPLICA", "1")


# Of this process alone: each replica has a page of its own.
lookups = Counter("cache_lookups", "Look-ups of the cache, by what became of them.", ["prefix", "outcome"])


@dataclass
class Work:
    """What a request took so far."""

    queries: int = 0
    # HIT, MISS, or BYPASS where the cache could not be asked; nothing where the endpoint has none.
    cache: str | None = None


current: ContextVar[Work | None] = ContextVar("current", default=None)


def count_queries(engine: Engine) -> None:
    @event.listens_for(engine, "before_cursor_execute")
    def count(*_) -> None:
        if work := current.get():
            work.queries += 1


class Headers:
    """Plain ASGI: a middleware of a framework would cost more than some requests."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        work, started = Work(), time.perf_counter()
        current.set(work)

        async def with_headers(message):
            if message["type"] == "http.response.start":
                took = (time.perf_counter() - started) * 1000
                told = {"x-replica": REPLICA, "x-query-count": str(work.queries), "x-process-time": f"{took:.3f}"}
                if work.cache:
                    told["x-cache"] = work.cache
                message["headers"] = [*message["headers"], *((k.encode(), v.encode()) for k, v in told.items())]
            await send(message)

        await self.app(scope, receive, with_headers)
