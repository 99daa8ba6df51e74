"""Processes in one folder: started, waited for, watched, and ended together."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Callable, Mapping, Sequence

HOST = "127.0.0.1"
# Seconds that a server may take until it answers. A busy machine with two cores takes its time.
READY_WITHIN = 60.0
# Seconds between being asked to end and being killed.
END_WITHIN = 5.0
# Between asking for a free port and taking it, somebody else may take it.
TRIES = 4
# What of a log is shown when a server does not start.
TAIL = 30
# Distributions keep servers where users do not look.
PLACES = ["/usr/sbin", "/sbin", "/usr/local/sbin"]

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class NotReady(Exception):
    """A server did not start; the text says which, and how its log ends."""


class Process:
    """A server: running, or switched off for a while."""

    def __init__(self, name: str, launch: Callable[[], subprocess.Popen], log: Path, end: signal.Signals):
        self.name, self.launch, self.log, self.end = name, launch, log, end
        self.child = launch()
        self.is_off = False

    def has_ended(self) -> bool:
        """Though nobody asked it to."""
        return not self.is_off and self.child.poll() is not None

    def stop(self) -> None:
        """Asks it to end, and kills it and what it left behind if that takes long."""
        signal_group(self.child, self.end)
        try:
            self.child.wait(END_WITHIN)
        except subprocess.TimeoutExpired:
            pass
        signal_group(self.child, signal.SIGKILL)
        self.child.wait()

    def tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-TAIL:]
        return "\n".join(f"    {line}" for line in lines)


class Kit:
    """Starts processes in `folder`; each logs into `logs/NAME.log` there. `close` ends them, the last first."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        # Servers that may not run as root work in here as somebody else.
        folder.chmod(0o755)
        self.processes: list[Process] = []

    def __enter__(self) -> "Kit":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def place(self, name: str) -> Path:
        """A folder of its own for `name`."""
        place = self.folder / name
        place.mkdir(exist_ok=True)
        return place

    def run(self, command: Sequence[str], user: str | None = None, **options) -> None:
        """Runs a command to its end, which must be a good one."""
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", **as_user(user), **options,
        )
        if done.returncode != 0:
            raise NotReady(f"{command[0]} ended with {done.returncode}:\n{done.stdout}")

    def begin(
        self,
        name: str,
        command: Callable[[int], Sequence[str]],
        *,
        ready: Callable[[int], bool] | None = None,
        user: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        end: signal.Signals = signal.SIGTERM,
    ) -> "Starting":
        """Begins to start a server by the command for a port; it is there once it is `ready` (takes connections)."""
        options = {
            "cwd": cwd or self.folder, "env": {**os.environ, **(env or {})}, "start_new_session": True,
            "preexec_fn": end_with_parent, **as_user(user),
        }
        return Starting(self, name, command, ready or takes_connections, options, end)

    def serve(self, name: str, command: Callable[[int], Sequence[str]], **options) -> int:
        """Starts a server, as `begin` does, and gives its port once it is there."""
        return self.begin(name, command, **options).wait()

    def ended(self) -> Process | None:
        """A process that has ended though nobody asked it to."""
        return next((process for process in self.processes if process.has_ended()), None)

    def close(self) -> None:
        while self.processes:
            self.processes.pop().stop()


class Starting:
    """A server that is not there yet. Several can start at the same time."""

    def __init__(self, kit: Kit, name: str, command, ready, options: dict, end: signal.Signals):
        self.kit, self.name, self.command, self.ready, self.options, self.end = kit, name, command, ready, options, end
        self.tries = 0
        self.launch()

    def launch(self) -> None:
        self.tries += 1
        self.port = free_port()
        command, log = self.command(self.port), self.kit.logs / f"{self.name}.log"

        def start() -> subprocess.Popen:
            with log.open("ab") as output:
                return subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, **self.options,
                )

        self.process = Process(self.name, start, log, self.end)
        self.kit.processes.append(self.process)

    def wait(self) -> int:
        """Its port, once it is there."""
        deadline = time.monotonic() + READY_WITHIN
        while True:
            has_ended = self.process.child.poll() is not None
            if not has_ended and self.ready(self.port) and self.process.child.poll() is None:
                return self.port
            if has_ended and self.tries < TRIES:
                self.kit.processes.remove(self.process)
                self.launch()
            elif has_ended or time.monotonic() > deadline:
                raise NotReady(f"{self.name} did not start; its log ends with:\n{self.process.tail()}")
            time.sleep(0.02)


def signal_group(child: subprocess.Popen, what: signal.Signals) -> None:
    try:
        os.killpg(child.pid, what)
    except (ProcessLookupError, PermissionError):
        pass


def end_with_parent() -> None:
    """In a child: it is killed when this program is, however that ends."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def as_user(user: str | None) -> dict:
    """Options of `Popen` to be `user`; nothing where it is nobody in particular, or only root could change."""
    if user is None or os.getuid() != 0:
        return {}
    entry = pwd.getpwnam(user)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def unprivileged(*names: str) -> str | None:
    """Who runs a server that refuses to be root: the first of `names` that there is. Nobody else where we are not root."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next((name for name in (*names, "nobody") if name in known), "nobody")


def give(place: Path, user: str | None) -> None:
    """Makes `place` and what is in it the user's."""
    if user is None:
        return
    entry = pwd.getpwnam(user)
    for path in (place, *place.rglob("*")):
        os.chown(path, entry.pw_uid, entry.pw_gid)


def program(*names: str, places: Sequence[str] = ()) -> str:
    """The path of the first of these programs that is installed."""
    path = os.pathsep.join([*places, os.environ.get("PATH", ""), *PLACES])
    found = next((found for name in names if (found := shutil.which(name, path=path))), None)
    if found is None:
        raise NotReady(f"{' or '.join(names)} is not installed; tests/run installs what is needed")
    return found


def free_port() -> int:
    with socket.socket() as it:
        it.bind((HOST, 0))
        return it.getsockname()[1]


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True
