"""Both databases behind one question: rows of a query as a list of maps."""

import asyncio
from decimal import Decimal
from urllib.parse import urlsplit

import aiomysql
import asyncpg

from .data import MYSQL, POSTGRES, QUERIES, SEARCH

POOL = 5


def plain(value):
    return float(value) if isinstance(value, Decimal) else value


class Postgres:
    @classmethod
    async def open(cls, url: str) -> "Postgres":
        self = cls()
        self.pool = await asyncpg.create_pool(url, min_size=POOL, max_size=POOL)
        async with self.pool.acquire() as connection:
            await connection.execute(POSTGRES)
        return self

    async def ask(self, query: str, id: int, word: str) -> list[dict]:
        if query == "connection":
            async with self.pool.acquire():
                return []
        sql = SEARCH["postgres"] if query == "search" else QUERIES[query]
        # EXPLAIN takes no parameters; the number was read as one.
        values = [] if query == "explain" else [id]
        sql = sql.replace("{id}", str(id) if query == "explain" else "$1::int")
        if "{word}" in sql:
            sql, values = sql.replace("{word}", "$2"), [*values, word]
        rows = await self.pool.fetch(sql, *values)
        return [{key: plain(value) for key, value in row.items()} for row in rows]

    async def close(self) -> None:
        await self.pool.close()


class MySql:
    @classmethod
    async def open(cls, url: str) -> "MySql":
        self, at = cls(), urlsplit(url)
        self.pool = await aiomysql.create_pool(
            host=at.hostname, port=at.port, user=at.username, password=at.password or "", db=at.path.strip("/"),
            minsize=POOL, maxsize=POOL, autocommit=True,
        )
        async with self.pool.acquire() as connection, connection.cursor() as cursor:
            for statement in filter(str.strip, MYSQL.split(";\n")):
                await cursor.execute(statement.strip().rstrip(";"))
                await cursor.fetchall()
        return self

    async def ask(self, query: str, id: int, word: str) -> list[dict]:
        async with self.pool.acquire() as connection:
            if query == "connection":
                return []
            sql = SEARCH["mysql"] if query == "search" else QUERIES[query]
            sql = sql.replace("%", "%%").replace("{id}", "%(id)s").replace("{word}", "%(word)s")
            async with connection.cursor(aiomysql.DictCursor) as cursor:
                await cursor.execute(sql, {"id": id, "word": word})
                return [{key: plain(value) for key, value in row.items()} for row in await cursor.fetchall()]

    async def close(self) -> None:
        self.pool.close()
        await self.pool.wait_closed()


async def open_all(postgres: str, mysql: str) -> dict[str, Postgres | MySql]:
    one, other = await asyncio.gather(Postgres.open(postgres), MySql.open(mysql))
    return {"postgres": one, "mysql": other}
