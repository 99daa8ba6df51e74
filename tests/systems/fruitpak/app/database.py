"""Tables as classes, and sessions of them."""

import datetime
import decimal
import os
from typing import Annotated, AsyncIterator

from fastapi import Depends
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

engine = create_async_engine(os.environ["DATABASE_URL"], pool_size=5, max_overflow=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    salt: Mapped[bytes]
    password: Mapped[bytes]


class Packhouse(Base):
    __tablename__ = "packhouses"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    region: Mapped[str]
    capacity_kg: Mapped[int]


class Grower(Base):
    __tablename__ = "growers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    region: Mapped[str]
    version: Mapped[int]


class Batch(Base):
    __tablename__ = "batches"
    id: Mapped[int] = mapped_column(primary_key=True)
    grower_id: Mapped[int] = mapped_column(ForeignKey("growers.id"))
    packhouse_id: Mapped[int] = mapped_column(ForeignKey("packhouses.id"))
    fruit_type: Mapped[str]
    status: Mapped[str]
    harvest_date: Mapped[datetime.date]
    intake_date: Mapped[datetime.date]
    weight_kg: Mapped[decimal.Decimal]
    grower: Mapped[Grower] = relationship()


class Payment(Base):
    __tablename__ = "grower_payments"
    id: Mapped[int] = mapped_column(primary_key=True)
    grower_id: Mapped[int] = mapped_column(ForeignKey("growers.id"))
    amount_cents: Mapped[int]
    paid_date: Mapped[datetime.date]
    created_at: Mapped[datetime.datetime]


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as it:
        yield it


Database = Annotated[AsyncSession, Depends(session)]
