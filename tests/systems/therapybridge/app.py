"""Recorded therapy sessions of an account: listings from PostgreSQL, uploads of audio, limits for each account."""

import asyncio
import os
import time
import uuid
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response, UploadFile
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

POOL, OVERFLOW = 5, 10
# Seconds that a request waits for a connection of the pool.
POOL_TIMEOUT = 30
REQUESTS, WINDOW = 100, float(os.environ.get("WINDOW_S", "60"))
UPLOADS, UPLOAD_WINDOW = 10, 3600.0
TOKEN_TTL = 15 * 60
# Sessions that a new account starts with.
SESSIONS = 30
UPLOAD_MAX = 50_000_000
SECRET = os.environ["JWT_SECRET"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (id serial PRIMARY KEY, email text NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS patients (id serial PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS sessions (
    id serial PRIMARY KEY, user_id int NOT NULL REFERENCES users, patient_id int NOT NULL REFERENCES patients,
    session_date timestamptz NOT NULL, minutes int NOT NULL, notes text NOT NULL
);
CREATE INDEX IF NOT EXISTS sessions_of_user ON sessions (user_id, session_date DESC);
INSERT INTO patients (name) SELECT 'Patient ' || n FROM generate_series(1, 100) n;
"""


@dataclass
class Window:
    """At most `limit` in a window that begins with an account's first request, and then anew."""

    limit: int
    length: float
    accounts: dict[str, tuple[float, int]] = field(default_factory=dict)

    def take(self, account: str) -> dict[str, str]:
        """The headers of an answer; an exception where the limit is reached."""
        now = time.monotonic()
        start, count = self.accounts.get(account, (now, 0))
        if now - start >= self.length:
            start, count = now, 0
        told = {"X-RateLimit-Limit": str(self.limit), "X-RateLimit-Remaining": str(max(self.limit - count - 1, 0))}
        if count >= self.limit:
            # Rounded up: who waits that long is served.
            wait = max(1, -int(-(start + self.length - now) // 1))
            raise HTTPException(429, "the limit of this account is reached", headers={**told, "Retry-After": str(wait)})
        self.accounts[account] = (start, count + 1)
        return told


@asynccontextmanager
async def lifespan(app: FastAPI):
    engine = create_async_engine(
        os.environ["DATABASE_URL"], pool_size=POOL, max_overflow=OVERFLOW, pool_timeout=POOL_TIMEOUT,
    )
    async with engine.begin() as connection:
        for statement in filter(str.strip, SCHEMA.split(";")):
            await connection.execute(text(statement))
    app.state.engine = engine
    app.state.requests = Window(REQUESTS, WINDOW)
    app.state.uploads = Window(UPLOADS, UPLOAD_WINDOW)
    yield
    await engine.dispose()


app = FastAPI(title="TherapyBridge", lifespan=lifespan)


class Login(BaseModel):
    email: str
    password: str


def account(authorization: str = Header(default="")) -> str:
    try:
        return jwt.decode(authorization.removeprefix("Bearer "), SECRET, algorithms=["HS256"])["sub"]
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "a valid token is needed", headers={"WWW-Authenticate": "Bearer"}) from error


def pool_figures(engine) -> dict[str, int]:
    pool = engine.pool
    in_use = pool.checkedout()
    return {"size": POOL, "max": POOL + OVERFLOW, "overflow": max(in_use - POOL, 0), "in_use": in_use}


def memory_kb() -> int:
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


async def well(request: Request):
    engine = request.app.state.engine
    async with engine.connect() as connection:
        await connection.execute(text("SELECT 1"))
        # While it holds a connection of its own, which is so counted.
        figures = pool_figures(engine)
    return {"status": "ready", "pool": figures, "memory_kb": memory_kb()}


app.get("/health")(well)
app.get("/ready")(well)


@app.get("/live")
async def live():
    return {"status": "alive"}


@app.post("/api/auth/login")
async def login(given: Login, request: Request):
    if given.password != os.environ.get("PASSWORD", "demo"):
        raise HTTPException(401, "wrong email or password")
    async with request.app.state.engine.begin() as connection:
        new = await connection.execute(
            text("INSERT INTO users (email) VALUES (:email) ON CONFLICT DO NOTHING RETURNING id"), {"email": given.email},
        )
        if (user := new.scalar()) is not None:
            await connection.execute(
                text("INSERT INTO sessions (user_id, patient_id, session_date, minutes, notes) "
                     "SELECT :user, 1 + n % 100, now() - n * interval '1 day', 30 + n % 30, 'Notes of session ' || n "
                     "FROM generate_series(1, :sessions) n"),
                {"user": user, "sessions": SESSIONS},
            )
    claims = {"sub": given.email, "jti": uuid.uuid4().hex, "exp": int(time.time()) + TOKEN_TTL}
    return {"access_token": jwt.encode(claims, SECRET, "HS256"), "token_type": "Bearer", "expires_in": TOKEN_TTL}


@app.get("/api/sessions/")
async def sessions(request: Request, response: Response, user: str = Depends(account)):
    response.headers.update(request.app.state.requests.take(user))
    async with request.app.state.engine.connect() as connection:
        rows = await connection.execute(
            text("SELECT s.id, s.session_date, s.minutes, s.notes, p.name AS patient FROM sessions s "
                 "JOIN users u ON u.id = s.user_id JOIN patients p ON p.id = s.patient_id "
                 "WHERE u.email = :email ORDER BY s.session_date DESC LIMIT 50"),
            {"email": user},
        )
        found = [dict(row) for row in rows.mappings()]
    return {"sessions": found, "total": len(found)}


@app.post("/api/sessions/upload", status_code=201)
async def upload(file: UploadFile, request: Request, response: Response, user: str = Depends(account)):
    response.headers.update(request.app.state.uploads.take(user))
    place, size = Path(os.environ["UPLOADS"]) / uuid.uuid4().hex, 0
    with place.open("wb") as kept:
        while chunk := await file.read(1 << 16):
            size += len(chunk)
            if size > UPLOAD_MAX:
                place.unlink()
                raise HTTPException(413, "the file is too large")
            await asyncio.to_thread(kept.write, chunk)
    async with request.app.state.engine.begin() as connection:
        await connection.execute(
            text("INSERT INTO sessions (user_id, patient_id, session_date, minutes, notes) "
                 "SELECT id, 1, now(), 0, :notes FROM users WHERE email = :email"),
            {"email": user, "notes": f"upload {place.name}, {size} bytes"},
        )
    return {"size": size, "status": "queued"}
