"""FruitPAK: FastAPI with JWT and @cached, Redis, PostgreSQL; nginx before three replicas."""

import os
import secrets
from pathlib import Path

from kit import Kit, nginx, postgres, psql, python, redis, replicas, switch

HERE = Path(__file__).parent
REPLICAS = 3


def start(kit: Kit) -> dict[str, str]:
    database, cache = postgres(kit, "fruitpak"), redis(kit)
    psql(kit, database, HERE / "schema.sql")
    env = {
        "DATABASE_URL": database.replace("postgres://", "postgresql+asyncpg://"),
        "REDIS_URL": f"redis://{cache}/0",
        "JWT_SECRET": secrets.token_hex(32),
    }
    kit.run([python(), "-m", "app.routes.auth"], cwd=HERE, env={**os.environ, **env, "PYTHONDONTWRITEBYTECODE": "1"})
    backends = replicas(kit, "app.main:app", REPLICAS, folder=HERE, env=env, name="backend")
    servers = "\n".join(f"server {it.removeprefix('http://')};" for it in backends)
    rules = (HERE / "nginx.conf").read_text().replace("{servers}", servers)
    return {
        "TARGET": nginx(kit, rules),
        "REDIS": cache,
        "POSTGRES": database,
        "BACKENDS": ",".join(backends),
        "SWITCH": switch(kit, redis=int(cache.rsplit(":", 1)[1])),
    }
