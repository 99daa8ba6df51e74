"""Passwords, and tokens that say who somebody is."""

import datetime
import hashlib
import hmac
import os
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

SECRET = os.environ["JWT_SECRET"]
LIFETIME = datetime.timedelta(minutes=30)
# Enough that a login costs what logins cost, and not more.
ROUNDS = 20_000

bearer = HTTPBearer(auto_error=False)


def digest(password: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ROUNDS)


def is_right(password: str, salt: bytes, expected: bytes) -> bool:
    return hmac.compare_digest(digest(password, salt), expected)


def token(user: int) -> str:
    now = datetime.datetime.now(datetime.timezone.utc)
    return jwt.encode({"sub": str(user), "iat": now, "exp": now + LIFETIME}, SECRET, "HS256")


async def current_user(given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> int:
    if given is None:
        raise HTTPException(401, "a token is needed", {"WWW-Authenticate": "Bearer"})
    try:
        return int(jwt.decode(given.credentials, SECRET, ["HS256"])["sub"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, f"the token is no good: {error}", {"WWW-Authenticate": "Bearer"}) from error
