"""Packhouses, with what they took in; cached."""

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select

from ..cache import cached
from ..database import Batch, Database, Packhouse
from ..pages import DEFAULT_LIMIT, Limit, Offset, PaginatedResponse

router = APIRouter()


class PackhouseOut(BaseModel):
    id: int
    name: str
    region: str
    capacity_kg: int
    weight_kg: float


@router.get("/", response_model=PaginatedResponse[PackhouseOut])
@cached(ttl=300, prefix="packhouses")
async def list_packhouses(database: Database, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0):
    total = await database.scalar(select(func.count(Packhouse.id)))
    rows = await database.execute(
        select(Packhouse, func.coalesce(func.sum(Batch.weight_kg), 0))
        .outerjoin(Batch, Batch.packhouse_id == Packhouse.id)
        .group_by(Packhouse.id).order_by(Packhouse.id).limit(limit).offset(offset)
    )
    items = [
        PackhouseOut(id=it.id, name=it.name, region=it.region, capacity_kg=it.capacity_kg, weight_kg=float(weight))
        for it, weight in rows
    ]
    return PaginatedResponse[PackhouseOut](items=items, total=total, limit=limit, offset=offset)
