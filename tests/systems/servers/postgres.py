"""PostgreSQL with an empty database: its address."""

from kit import Kit, postgres


def start(kit: Kit) -> dict[str, str]:
    return {"POSTGRES": postgres(kit)}
