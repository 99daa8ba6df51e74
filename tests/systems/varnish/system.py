"""Varnish before an origin: X-Cache, PURGE of a page, PURGE /cache of everything."""

from pathlib import Path

from kit import Kit, origin, varnish


def start(kit: Kit) -> dict[str, str]:
    host, port = origin(kit).split(":")
    rules = Path(__file__).with_name("rules.vcl").read_text().replace("{host}", host).replace("{port}", port)
    return {"TARGET": varnish(kit, rules), "VARNISH": str(kit.folder / "varnish" / "state")}
