"""TherapyBridge: FastAPI with JWT, a PostgreSQL pool of 5 + 10, a rate limit of 100/min, uploads of 10/h."""

import os
import secrets
from pathlib import Path

from kit import Kit, postgres, uvicorn

HERE = Path(__file__).parent


def start(kit: Kit) -> dict[str, str]:
    env = {
        "DATABASE_URL": postgres(kit, "therapybridge").replace("postgres://", "postgresql+asyncpg://"),
        "JWT_SECRET": secrets.token_hex(32),
        "UPLOADS": str(kit.place("uploads")),
        # A shorter window than a minute makes a test of it shorter.
        "WINDOW_S": os.environ.get("WINDOW_S", "60"),
    }
    target = uvicorn(kit, "app:app", folder=HERE, env=env, name="api")
    api = next(it for it in kit.processes if it.name == "api")
    return {"TARGET": target, "API_PID": str(api.child.pid)}
