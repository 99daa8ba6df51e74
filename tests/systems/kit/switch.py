"""Servers that a script can take away and bring back while it runs, as an outage would."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from .processes import HOST, READY_WITHIN, Kit, Process, takes_connections

# A client that connects and says nothing is in the way of others for so long, in seconds.
SILENT_MAX = 2.0


def switch(kit: Kit, **ports: int) -> str:
    """Serves `PUT /NAME` with `{"up": false}` or `{"up": true}` for each server of the kit that is named, with the port
    it is back on; answers once it is gone, or takes connections again. Gives its address."""
    known = {process.name: process for process in kit.processes if process.name in ports}

    class Handler(BaseHTTPRequestHandler):
        timeout = SILENT_MAX

        def do_PUT(self) -> None:
            process = known.get(self.path.removeprefix("/"))
            if process is None:
                return self.send_error(404, f"there is {' and '.join(known)}")
            try:
                up = json.loads(self.rfile.read(int(self.headers.get("Content-Length", "0"))))["up"]
            except (ValueError, KeyError, TypeError):
                return self.send_error(422, 'say {"up": true} or {"up": false}')
            is_done = set_up(process, ports[process.name], bool(up))
            body = json.dumps({"up": bool(up)}).encode()
            self.send_response(200 if is_done else 503)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_) -> None:
            pass

    server = HTTPServer((HOST, 0), Handler)
    # One thread for all: a server that a thread started is killed by the kernel when that thread ends.
    threading.Thread(target=server.serve_forever, name="switch", daemon=True).start()
    return f"http://{HOST}:{server.server_address[1]}"


def set_up(process: Process, port: int, up: bool) -> bool:
    """Whether it is as wanted afterwards."""
    if up == (not process.is_off):
        return True
    if not up:
        process.is_off = True
        process.stop()
        return True
    process.child = process.launch()
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and process.child.poll() is None:
        if takes_connections(port):
            process.is_off = False
            return True
        time.sleep(0.005)
    return False
