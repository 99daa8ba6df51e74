"""Payments to growers."""

import datetime

from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import func, select

from ..database import Database, Payment
from ..pages import DEFAULT_LIMIT, Limit, Offset, PaginatedResponse

router = APIRouter()


class PaymentOut(BaseModel):
    id: int
    grower_id: int
    amount_cents: int
    paid_date: datetime.date


@router.get("/")
async def list_payments(
    database: Database, limit: Limit = DEFAULT_LIMIT, offset: Offset = 0,
) -> PaginatedResponse[PaymentOut]:
    total = await database.scalar(select(func.count(Payment.id)))
    rows = await database.scalars(select(Payment).order_by(Payment.paid_date, Payment.id).limit(limit).offset(offset))
    items = [
        PaymentOut(id=it.id, grower_id=it.grower_id, amount_cents=it.amount_cents, paid_date=it.paid_date)
        for it in rows
    ]
    return PaginatedResponse[PaymentOut](items=items, total=total, limit=limit, offset=offset)
