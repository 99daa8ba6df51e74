"""Reports of first information (FIRs): written by a slow model behind a cache, kept in a database, read in pages."""

import asyncio
import hashlib
import os
from contextlib import asynccontextmanager

from fastapi import FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from pydantic import BaseModel, Field
from redis.asyncio import Redis
from redis.exceptions import RedisError

from .engines import open_all

# Reports that are written at once; others wait.
MODELS = 15
MODEL_S = float(os.environ.get("MODEL_MS", "300")) / 1000
FIR_TTL = 3600
FIELDS = ["id", "status", "loss_cents", "version", "text"]
KINDS = {"simple", "join", "aggregate", "search", "explain", "connection"}


@asynccontextmanager
async def lifespan(app: FastAPI):
    state = app.state
    state.cache = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    state.engines = await open_all(os.environ["POSTGRES_URL"], os.environ["MYSQL_URL"])
    state.models = asyncio.Semaphore(MODELS)
    yield
    for engine in state.engines.values():
        await engine.close()
    await state.cache.aclose()


app = FastAPI(title="AFIRGen", lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=1024)


class Complaint(BaseModel):
    complaint: str = Field(min_length=10, max_length=5000)


class Entry(BaseModel):
    value: str = Field(max_length=65_536)
    ttl_s: int = Field(default=60, ge=0)


async def cached(cache: Redis, key: str) -> str | None:
    """What the cache has; nothing if it is down, for it only saves time."""
    try:
        return await cache.get(key)
    except RedisError:
        return None


async def keep(cache: Redis, key: str, value: str, ttl: int) -> None:
    try:
        await (cache.set(key, value, ex=ttl) if ttl else cache.delete(key))
    except RedisError:
        pass


@app.get("/health")
async def health(request: Request):
    await request.app.state.engines["postgres"].ask("connection", 1, "")
    return {"status": "ok"}


@app.get("/api/firs")
async def page(
    request: Request, limit: int = Query(default=20, ge=1, le=100), cursor: int = Query(default=0, ge=0),
    fields: str | None = None,
):
    wanted = [name for name in FIELDS if fields is None or name in fields.split(",")] or ["id"]
    columns = ", ".join(dict.fromkeys(["id", *wanted]))
    pool = request.app.state.engines["postgres"].pool
    rows = await pool.fetch(f"SELECT {columns} FROM firs WHERE id > $1 ORDER BY id LIMIT $2", cursor, limit + 1)
    items = [{name: row[name] for name in wanted} for row in rows[:limit]]
    return {"items": items, "next_cursor": str(rows[limit - 1]["id"]) if len(rows) > limit else None}


@app.post("/api/firs", status_code=201)
async def file(given: Complaint, request: Request):
    async with request.app.state.engines["postgres"].pool.acquire() as connection, connection.transaction():
        number = await connection.fetchval(
            "INSERT INTO firs (officer_id, status, loss_cents, text) VALUES (1, 'draft', 0, $1) RETURNING id",
            given.complaint,
        )
        await connection.execute("UPDATE firs SET status = 'filed', version = version + 1 WHERE id = $1", number)
    return {"id": number, "status": "filed"}


@app.post("/api/firs/generate")
async def generate(given: Complaint, request: Request, response: Response):
    cache = request.app.state.cache
    key = f"fir:text:{hashlib.sha256(given.complaint.encode()).hexdigest()}"
    if (text := await cached(cache, key)) is not None:
        response.headers["X-Cache"] = "HIT"
        return {"fir": text}
    async with request.app.state.models:
        await asyncio.sleep(MODEL_S)
    text = f"First information report: {given.complaint}"
    await keep(cache, key, text, FIR_TTL)
    response.headers["X-Cache"] = "MISS"
    return {"fir": text}


@app.get("/api/firs/{number}")
async def report(number: int, request: Request, response: Response, if_none_match: str = Header(default="")):
    pool = request.app.state.engines["postgres"].pool
    row = await pool.fetchrow("SELECT id, status, loss_cents, version, text FROM firs WHERE id = $1", number)
    if row is None:
        raise HTTPException(404, "there is no such report")
    tag = f'"{row["id"]}-{row["version"]}"'
    headers = {"ETag": tag, "Cache-Control": "private, max-age=60"}
    if if_none_match == tag:
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return dict(row)


@app.get("/api/db/{engine}/{query}")
async def database(engine: str, query: str, request: Request, id: int = Query(default=1, ge=1), word: str = "bicycle"):
    engines = request.app.state.engines
    if engine not in engines or query not in KINDS:
        raise HTTPException(404, "there is no such query")
    return {"engine": engine, "query": query, "rows": await engines[engine].ask(query, id, word)}


@app.get("/api/cache/{key}")
async def look_up(key: str, request: Request, response: Response, fetch: bool = False):
    cache = request.app.state.cache
    if (value := await cached(cache, f"cache:{key}")) is not None:
        response.headers["X-Cache"] = "HIT"
        return {"value": value}
    if not fetch:
        raise HTTPException(404, "not in the cache", headers={"X-Cache": "MISS"})
    rows = await request.app.state.engines["postgres"].ask("simple", 1 + sum(key.encode()) % 20_000, "")
    value = f"made for {key}: {rows}"
    await keep(cache, f"cache:{key}", value, 60)
    response.headers["X-Cache"] = "MISS"
    return {"value": value}


@app.put("/api/cache/{key}", status_code=204)
async def put(key: str, entry: Entry, request: Request):
    await keep(request.app.state.cache, f"cache:{key}", entry.value, entry.ttl_s)


@app.delete("/api/cache/{key}")
async def forget(key: str, request: Request):
    return {"forgotten": bool(await request.app.state.cache.delete(f"cache:{key}"))}
