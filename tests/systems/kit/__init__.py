"""Starts the servers that a system is made of, on free ports of the loopback address, and ends them."""

from .lab import origin
from .processes import Kit, NotReady
from .servers import mariadb, nginx, postgres, psql, python, redis, replicas, uvicorn, varnish
from .switch import switch

__all__ = ["Kit", "NotReady", "mariadb", "nginx", "origin", "postgres", "psql", "python", "redis",
           "replicas", "switch", "uvicorn", "varnish"]
