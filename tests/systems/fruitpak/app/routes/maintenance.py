"""Whether it is well, and the cache's emergency exit."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from redis.exceptions import RedisError
from sqlalchemy import text

from .. import cache
from ..database import engine, sessions

public = APIRouter()
router = APIRouter()


class What(BaseModel):
    prefix: str = "*"


@public.get("/health")
async def health() -> dict:
    return {"status": "ok"}


@public.get("/ready")
async def ready() -> dict:
    """With the parts it needs. Without Redis it is slower, and still ready."""
    async with sessions() as database:
        await database.execute(text("SELECT 1"))
    try:
        await cache.client.ping()
        redis = "ok"
    except (RedisError, OSError) as error:
        redis = f"without: {type(error).__name__}"
    pool = engine.pool
    return {"database": "ok", "redis": redis, "pool": {"size": pool.size(), "in_use": pool.checkedout()}}


@public.get("/metrics")
async def metrics() -> Response:
    """What this replica counted, as Prometheus reads it."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@public.get("/cache/stats")
async def stats(response: Response) -> dict:
    """What Redis counts itself, over all replicas; 503 where it cannot be asked."""
    try:
        told = await cache.client.info("stats")
        return {
            "hits": told["keyspace_hits"], "misses": told["keyspace_misses"], "entries": await cache.client.dbsize(),
        }
    except (RedisError, OSError):
        response.status_code = 503
        return {}


@router.post("/invalidate")
async def invalidate(what: What, response: Response) -> dict:
    """Forgets what is cached under a prefix; 503 where the cache cannot be asked."""
    try:
        return {"forgotten": await cache.invalidate(what.prefix)}
    except (RedisError, OSError):
        response.status_code = 503
        return {"forgotten": 0}
