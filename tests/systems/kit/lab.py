"""The lab of loadr as an origin, for what stands before one."""

import os
from pathlib import Path

from .processes import HOST, Kit, NotReady

ROOT = Path(__file__).resolve().parents[3]


def origin(kit: Kit, delay: str = "20ms") -> str:
    """`host:port` of an origin with the lab's endpoints: the one named by `ORIGIN`, else a lab of its own."""
    if given := os.environ.get("ORIGIN"):
        return given.removeprefix("http://").rstrip("/")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    built = [path for kind in ("release", "debug") if (path := ROOT / target / kind / "loadr").exists()]
    if not built:
        raise NotReady("it needs a lab as its origin: build one (`cargo build --release`), or name another by ORIGIN")
    # Both at once only while somebody works on it: then the younger is meant.
    loadr = str(max(built, key=lambda path: path.stat().st_mtime))
    port = kit.serve("origin", lambda port: [loadr, "lab", "--port", str(port), "--origin-delay", delay])
    return f"{HOST}:{port}"
