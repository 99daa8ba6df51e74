"""The application: FruitPAK's endpoints, and what each response tells about itself."""

from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from . import cache, observe
from .auth import current_user
from .database import engine
from .routes import auth, batches, growers, maintenance, packhouses, payments, reconciliation


@asynccontextmanager
async def lifespan(_):
    yield
    await cache.client.aclose()
    await engine.dispose()


app = FastAPI(title="FruitPAK", lifespan=lifespan)
app.add_middleware(observe.Headers)
observe.count_queries(engine.sync_engine)

app.include_router(maintenance.public)
app.include_router(auth.router, prefix="/api/auth")
for router, prefix in (
    (growers.router, "/api/growers"),
    (packhouses.router, "/api/packhouses"),
    (batches.router, "/api/batches"),
    (payments.router, "/api/payments"),
    (reconciliation.router, "/api/reconciliation"),
    (maintenance.router, "/api/cache"),
):
    app.include_router(router, prefix=prefix, dependencies=[Depends(current_user)])
