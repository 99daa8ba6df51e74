"""Logging in."""

import asyncio
import os

from fastapi import APIRouter, HTTPException
from pydantic import BaseModel
from sqlalchemy import insert, select

from ..auth import LIFETIME, digest, is_right, token
from ..database import Database, User, sessions

router = APIRouter()


class Credentials(BaseModel):
    email: str
    password: str


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"
    expires_in: int = int(LIFETIME.total_seconds())


@router.post("/login")
async def login(given: Credentials, database: Database) -> Token:
    user = await database.scalar(select(User).where(User.email == given.email))
    # The digest is made in a thread: it would hold all other requests up.
    if user is None or not await asyncio.to_thread(is_right, given.password, user.salt, user.password):
        raise HTTPException(401, "email or password is wrong")
    return Token(access_token=token(user.id))


async def make_accounts() -> None:
    """Accounts for tests, `test@example.com` and `user1@example.com` to `user20@…`, all with the password `demo`."""
    async with sessions.begin() as database:
        if await database.scalar(select(User.id).limit(1)):
            return
        salt = os.urandom(16)
        password = digest("demo", salt)
        emails = ["test@example.com", *(f"user{n}@example.com" for n in range(1, 21))]
        await database.execute(insert(User), [{"email": it, "salt": salt, "password": password} for it in emails])


if __name__ == "__main__":
    asyncio.run(make_accounts())
