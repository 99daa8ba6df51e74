"""Event ingestion: FastAPI with API keys, SQLite, and a Redis stream before the worker that stores events."""

import secrets
from pathlib import Path

from kit import Kit, redis, uvicorn

HERE = Path(__file__).parent


def start(kit: Kit) -> dict[str, str]:
    stream, key = redis(kit), f"key-{secrets.token_hex(16)}"
    env = {"REDIS_URL": f"redis://{stream}/0", "DATABASE": str(kit.place("app") / "events.db"), "API_KEY": key}
    return {"TARGET": uvicorn(kit, "app:app", folder=HERE, env=env), "REDIS": stream, "API_KEY": key}
