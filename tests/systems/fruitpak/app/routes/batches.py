"""Batches with their growers: in two queries, or, as it was before, in one for each batch. And intake by day."""

import datetime
from enum import Enum

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select, text
from sqlalchemy.orm import selectinload

from ..database import Batch, Database, Grower
from ..pages import DEFAULT_LIMIT, Limit, Offset, PaginatedResponse

router = APIRouter()


class Loading(str, Enum):
    eager = "eager"
    lazy = "lazy"


class BatchOut(BaseModel):
    id: int
    grower: str
    fruit_type: str
    status: str
    intake_date: datetime.date
    weight_kg: float


class Intake(BaseModel):
    intake_date: datetime.date
    grower_id: int
    batches: int
    weight_kg: float


@router.get("/")
async def list_batches(
    database: Database, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0, loading: Loading = Loading.eager,
) -> PaginatedResponse[BatchOut]:
    total = await database.scalar(select(func.count(Batch.id)))
    page = select(Batch).order_by(Batch.id).limit(limit).offset(offset)
    if loading is Loading.eager:
        batches = (await database.scalars(page.options(selectinload(Batch.grower)))).all()
        growers = {batch.id: batch.grower.name for batch in batches}
    else:
        batches = (await database.scalars(page)).all()
        growers = {}
        for batch in batches:
            name = select(Grower.name).where(Grower.id == batch.grower_id)
            growers[batch.id] = await database.scalar(name)
    items = [
        BatchOut(
            id=it.id, grower=growers[it.id], fruit_type=it.fruit_type, status=it.status, intake_date=it.intake_date,
            weight_kg=float(it.weight_kg),
        )
        for it in batches
    ]
    return PaginatedResponse[BatchOut](items=items, total=total, limit=limit, offset=offset)


@router.get("/intake")
async def daily_intake(database: Database, day: datetime.date = datetime.date(2025, 6, 1)) -> list[Intake]:
    """Of one day, from the materialised view."""
    rows = await database.execute(
        text("SELECT * FROM daily_grower_intake WHERE intake_date = :day ORDER BY grower_id"), {"day": day},
    )
    return [Intake.model_validate(dict(row)) for row in rows.mappings()]
