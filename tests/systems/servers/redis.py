"""Redis, empty: its address."""

from kit import Kit, redis


def start(kit: Kit) -> dict[str, str]:
    return {"REDIS": redis(kit)}
