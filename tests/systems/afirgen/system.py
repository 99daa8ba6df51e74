"""AFIRGen: FastAPI with a Redis cache before a slow model, and the same reports in MariaDB and PostgreSQL."""

import os
from pathlib import Path

from kit import Kit, mariadb, postgres, redis, uvicorn

HERE = Path(__file__).parent


def start(kit: Kit) -> dict[str, str]:
    cache = redis(kit)
    env = {
        "REDIS_URL": f"redis://{cache}/0",
        "POSTGRES_URL": postgres(kit, "afirgen"),
        "MYSQL_URL": mariadb(kit, "afirgen"),
        # What stands in for the model takes so long; the real one took 15 to 20 s.
        "MODEL_MS": os.environ.get("MODEL_MS", "300"),
    }
    target = uvicorn(kit, "app.main:app", folder=HERE, env=env)
    return {"TARGET": target, "REDIS": cache, "POSTGRES": env["POSTGRES_URL"], "MYSQL": env["MYSQL_URL"]}
