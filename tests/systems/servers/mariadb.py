"""MariaDB with an empty database: its address."""

from kit import Kit, mariadb


def start(kit: Kit) -> dict[str, str]:
    return {"MYSQL": mariadb(kit)}
