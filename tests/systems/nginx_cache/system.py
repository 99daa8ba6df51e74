"""nginx with proxy_cache before an origin: X-Cache-Status, stale while it updates, one fetch at a time."""

from pathlib import Path

from kit import Kit, nginx, origin


def start(kit: Kit) -> dict[str, str]:
    rules = Path(__file__).with_name("http.conf").read_text().replace("{origin}", origin(kit))
    return {"TARGET": nginx(kit, rules), "LOG": str(kit.folder / "nginx" / "access.log")}
