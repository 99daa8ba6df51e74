"""Takes events over HTTP and answers at once; a worker stores them. What waits in between is a Redis stream, and when
that is full, clients are told to come back later."""

import asyncio
import hashlib
import hmac
import json
import os
import time
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiosqlite
from fastapi import Depends, FastAPI, Header, HTTPException, Request
from pydantic import BaseModel, Field
from redis.asyncio import Redis

STREAM, GROUP = "events", "store"
# Events that may wait: beyond it clients get a 503.
CAPACITY = 500
# Events that the worker stores in one transaction.
BATCH = 100
# For how long a key that was looked up is taken as known, in seconds.
KEY_TTL = 60.0

SCHEMA = """
CREATE TABLE IF NOT EXISTS organizations (id INTEGER PRIMARY KEY, name TEXT NOT NULL, key_hash TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS events (
    event_id TEXT PRIMARY KEY, organization_id INTEGER NOT NULL, type TEXT NOT NULL, payload TEXT NOT NULL,
    received_at REAL NOT NULL
);
"""


def hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@asynccontextmanager
async def lifespan(app: FastAPI):
    state = app.state
    state.redis = Redis.from_url(os.environ["REDIS_URL"], decode_responses=True)
    state.database = await aiosqlite.connect(os.environ["DATABASE"])
    await state.database.execute("PRAGMA journal_mode = WAL")
    await state.database.execute("PRAGMA synchronous = NORMAL")
    await state.database.executescript(SCHEMA)
    await state.database.execute(
        "INSERT OR IGNORE INTO organizations (name, key_hash) VALUES (?, ?)", ("tests", hashed(os.environ["API_KEY"])),
    )
    await state.database.commit()
    with suppress(Exception):
        await state.redis.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    state.keys = {}
    state.running = asyncio.Event()
    state.running.set()
    worker = asyncio.create_task(store(state))
    yield
    worker.cancel()
    with suppress(asyncio.CancelledError):
        await worker
    await state.database.close()
    await state.redis.aclose()


app = FastAPI(title="Event ingestion", lifespan=lifespan)


@app.middleware("http")
async def process_time(request: Request, call_next):
    begun = time.perf_counter()
    response = await call_next(request)
    response.headers["X-Process-Time"] = f"{(time.perf_counter() - begun) * 1000:.3f}"
    return response


async def organization(request: Request, x_api_key: str = Header(default="")) -> int:
    """Whose key it is; looked up in the database once in a while, not for every request."""
    state, digest = request.app.state, hashed(x_api_key)
    known = state.keys.get(digest)
    if known and known[1] > time.monotonic():
        return known[0]
    async with state.database.execute("SELECT id, key_hash FROM organizations WHERE key_hash = ?", (digest,)) as rows:
        row = await rows.fetchone()
    if row is None or not hmac.compare_digest(row[1], digest):
        raise HTTPException(401, "an API key is needed")
    state.keys[digest] = (row[0], time.monotonic() + KEY_TTL)
    return row[0]


class Event(BaseModel):
    event_id: str = Field(min_length=1, max_length=256)
    type: str = Field(min_length=1, max_length=256)
    payload: dict[str, Any] = Field(default_factory=dict)


class Worker(BaseModel):
    running: bool


@app.get("/")
async def root():
    return {"service": "event ingestion"}


@app.get("/health")
async def health(request: Request):
    await request.app.state.redis.ping()
    await request.app.state.database.execute("SELECT 1")
    return {"status": "ok"}


@app.post("/events", status_code=202)
async def ingest(event: Event, request: Request, owner: int = Depends(organization)):
    redis = request.app.state.redis
    if await redis.xlen(STREAM) >= CAPACITY:
        raise HTTPException(503, "too many events wait", headers={"Retry-After": "1"})
    await redis.xadd(STREAM, {
        "event_id": event.event_id, "organization_id": owner, "type": event.type, "payload": json.dumps(event.payload),
        "received_at": time.time(),
    })
    return {"event_id": event.event_id, "status": "queued"}


@app.post("/events/worker")
async def worker(wish: Worker, request: Request, _: int = Depends(organization)):
    running = request.app.state.running
    running.set() if wish.running else running.clear()
    return {"running": running.is_set()}


@app.get("/events/stats")
async def stats(request: Request):
    async with request.app.state.database.execute("SELECT count(*) FROM events") as rows:
        (stored,) = await rows.fetchone()
    return {"waiting": await request.app.state.redis.xlen(STREAM), "capacity": CAPACITY, "stored": stored}


@app.get("/events/{event_id}")
async def read(event_id: str, request: Request):
    sql = "SELECT event_id, type, payload FROM events WHERE event_id = ?"
    async with request.app.state.database.execute(sql, (event_id,)) as rows:
        row = await rows.fetchone()
    if row is None:
        raise HTTPException(404, "no such event is stored")
    return {"event_id": row[0], "type": row[1], "payload": json.loads(row[2])}


async def store(state) -> None:
    """The worker: takes what waits, stores it in one transaction, and only then takes it out of the stream."""
    sql = "INSERT OR IGNORE INTO events VALUES (:event_id, :organization_id, :type, :payload, :received_at)"
    while True:
        await state.running.wait()
        taken = await state.redis.xreadgroup(GROUP, "worker", {STREAM: ">"}, count=BATCH, block=100)
        for _, entries in taken or []:
            await state.database.executemany(sql, [fields for _, fields in entries])
            await state.database.commit()
            ids = [number for number, _ in entries]
            await state.redis.xack(STREAM, GROUP, *ids)
            await state.redis.xdel(STREAM, *ids)
