"""Whom the business owes: what was delivered against what was paid; filtered by the database or, as before, in Python."""

from enum import Enum

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import Integer, cast, func, select

from ..database import Batch, Database, Grower, Payment
from ..pages import DEFAULT_LIMIT, Limit, Offset, PaginatedResponse

router = APIRouter()
CENTS_PER_KG = 60


class How(str, Enum):
    cte = "cte"
    scans = "scans"


class Row(BaseModel):
    grower_id: int
    name: str
    delivered_cents: int
    paid_cents: int
    owed_cents: int


def row(grower: int, name: str, delivered: int, paid: int) -> Row:
    return Row(grower_id=grower, name=name, delivered_cents=delivered, paid_cents=paid, owed_cents=delivered - paid)


@router.get("/")
async def reconcile(
    database: Database, threshold_cents: int = 400_000, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0,
    how: How = How.cte,
) -> PaginatedResponse[Row]:
    delivered = cast(func.sum(Batch.weight_kg) * CENTS_PER_KG, Integer)
    batches = select(Batch.grower_id, delivered.label("cents")).group_by(Batch.grower_id)
    payments = select(Payment.grower_id, func.sum(Payment.amount_cents).label("cents")).group_by(Payment.grower_id)
    if how is How.cte:
        batch_agg, payment_agg = batches.cte(), payments.cte()
        paid = func.coalesce(payment_agg.c.cents, 0)
        found = (
            select(Grower.id, Grower.name, batch_agg.c.cents, paid, func.count().over())
            .join(batch_agg, batch_agg.c.grower_id == Grower.id)
            .outerjoin(payment_agg, payment_agg.c.grower_id == Grower.id)
            .where(batch_agg.c.cents - paid > threshold_cents)
            .order_by((batch_agg.c.cents - paid).desc(), Grower.id).limit(limit).offset(offset)
        )
        rows = (await database.execute(found)).all()
        total = rows[0][4] if rows else 0
        items = [row(*it[:4]) for it in rows]
    else:
        owed = dict((await database.execute(batches)).tuples().all())
        paid = dict((await database.execute(payments)).tuples().all())
        names = dict((await database.execute(select(Grower.id, Grower.name))).tuples().all())
        whole = [row(it, names[it], cents, paid.get(it, 0)) for it, cents in owed.items()]
        whole = [it for it in whole if it.owed_cents > threshold_cents]
        whole.sort(key=lambda it: (-it.owed_cents, it.grower_id))
        total, items = len(whole), whole[offset:offset + limit]
    return PaginatedResponse[Row](items=items, total=total, limit=limit, offset=offset)
