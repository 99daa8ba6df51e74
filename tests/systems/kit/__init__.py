"""Starts the servers that a system is made of, on free ports of the loopback address, and ends them."""

from .processes import Kit, NotReady
from .servers import mariadb, nginx, postgres, redis, uvicorn, varnish

__all__ = ["Kit", "NotReady", "mariadb", "nginx", "postgres", "redis", "uvicorn", "varnish"]
