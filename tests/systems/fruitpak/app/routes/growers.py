"""Growers, with what they delivered: listings and single ones are cached, and forgotten when one changes."""

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from sqlalchemy import func, select, true

from ..cache import cached, invalidate
from ..database import Batch, Database, Grower
from ..pages import DEFAULT_LIMIT, Limit, Offset, PaginatedResponse

router = APIRouter()
TTL = 300


class GrowerOut(BaseModel):
    id: int
    name: str
    region: str
    version: int
    batches: int
    weight_kg: float


class Change(BaseModel):
    name: str


def with_deliveries():
    """Growers beside the number and weight of their batches."""
    delivered = (
        select(func.count(Batch.id).label("batches"), func.coalesce(func.sum(Batch.weight_kg), 0).label("weight_kg"))
        .where(Batch.grower_id == Grower.id).lateral()
    )
    return select(Grower, delivered.c.batches, delivered.c.weight_kg).join(delivered, true())


def out(grower: Grower, batches: int, weight_kg) -> GrowerOut:
    return GrowerOut(
        id=grower.id, name=grower.name, region=grower.region, version=grower.version, batches=batches,
        weight_kg=float(weight_kg),
    )


@router.get("/", response_model=PaginatedResponse[GrowerOut])
@cached(ttl=TTL, prefix="growers")
async def list_growers(database: Database, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0):
    total = await database.scalar(select(func.count(Grower.id)))
    rows = await database.execute(with_deliveries().order_by(Grower.id).limit(limit).offset(offset))
    return PaginatedResponse[GrowerOut](items=[out(*row) for row in rows], total=total, limit=limit, offset=offset)


@router.get("/{grower_id}", response_model=GrowerOut)
@cached(ttl=TTL, prefix="growers")
async def get_grower(database: Database, grower_id: int):
    row = (await database.execute(with_deliveries().where(Grower.id == grower_id))).first()
    if row is None:
        raise HTTPException(404, "there is no such grower")
    return out(*row)


@router.put("/{grower_id}")
async def change_grower(database: Database, grower_id: int, change: Change) -> dict:
    grower = await database.get(Grower, grower_id, with_for_update=True)
    if grower is None:
        raise HTTPException(404, "there is no such grower")
    grower.name, grower.version = change.name, grower.version + 1
    await database.commit()
    # After the commit: what is read from now on is new. A listing holds every grower of its page, so all of them go.
    await invalidate("growers")
    return {"id": grower.id, "name": grower.name, "version": grower.version}
