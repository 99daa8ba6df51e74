"""One function for each kind of server. They give what clients need: a port, or an address."""

import glob
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Mapping, Sequence

from .processes import HOST, Kit, NotReady, Starting, give, program, takes_connections, unprivileged

# The account of the database servers; trusted from this machine, for as long as the tests run.
ACCOUNT = "loadr"


def redis(kit: Kit, name: str = "redis", options: Sequence[str] = ()) -> str:
    """Redis without a disk; gives `host:port`."""
    place = kit.place(name)
    port = kit.serve(name, lambda port: [
        program("redis-server"), "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no",
        "--dir", str(place), "--daemonize", "no", *options,
    ])
    return f"{HOST}:{port}"


def postgres(kit: Kit, database: str = "app", name: str = "postgres", options: Sequence[str] = ()) -> str:
    """PostgreSQL with an empty database, careless about power cuts; gives its address, `postgres://…`."""
    places = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)
    user = unprivileged("postgres")
    place = kit.place(name)
    give(place, user)
    data = place / "data"
    kit.run(
        [program("initdb", places=places), "--pgdata", str(data), "--username", ACCOUNT, "--auth", "trust",
         "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions"],
        user=user, cwd=place,
    )
    server, client = program("postgres", places=places), program("psql", places=places)

    def asked(port: int, sql: str) -> bool:
        command = [client, "-h", HOST, "-p", str(port), "-U", ACCOUNT, "-d", "postgres", "-qc", sql]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, cwd=kit.folder).returncode == 0

    settings = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "unix_socket_directories=", *options]
    port = kit.serve(
        name,
        lambda port: [server, "-D", str(data), "-h", HOST, "-p", str(port), *(it for s in settings for it in ("-c", s))],
        # It takes connections a while before it serves them.
        ready=lambda port: takes_connections(port) and asked(port, "SELECT 1"),
        user=user, cwd=place, end=signal.SIGINT,
    )
    if not asked(port, f'CREATE DATABASE "{database}"'):
        raise NotReady(f"{name} made no database {database}")
    return f"postgres://{ACCOUNT}@{HOST}:{port}/{database}"


def psql(kit: Kit, database: str, script: Path) -> None:
    """Runs a file of SQL on a database that `postgres` started."""
    client = program("psql", places=sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True))
    kit.run([client, database, "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script)])


def mariadb(kit: Kit, database: str = "app", name: str = "mariadb", options: Sequence[str] = ()) -> str:
    """MariaDB with an empty database, careless about power cuts; gives its address, `mysql://…`."""
    user = unprivileged("mysql")
    place = kit.place(name)
    give(place, user)
    data, socket, start = place / "data", place / "socket", place / "start.sql"
    # Its temporary tables have the number of its process in their names, which another container may have, too.
    temporary = {"TMPDIR": str(place)}
    start.write_text(
        f"CREATE DATABASE IF NOT EXISTS `{database}`;\n"
        f"CREATE OR REPLACE USER '{ACCOUNT}'@'127.0.0.1' IDENTIFIED BY '{ACCOUNT}';\n"
        f"CREATE OR REPLACE USER '{ACCOUNT}'@'localhost' IDENTIFIED BY '{ACCOUNT}';\n"
        f"GRANT ALL ON *.* TO '{ACCOUNT}'@'127.0.0.1';\nGRANT ALL ON *.* TO '{ACCOUNT}'@'localhost';\n"
    )
    kit.run(
        [program("mariadb-install-db", "mysql_install_db"), "--no-defaults", f"--datadir={data}", "--skip-test-db",
         "--auth-root-authentication-method=normal", "--innodb-flush-method=nosync"],
        user=user, cwd=place, env=os.environ | temporary,
    )
    server = program("mariadbd", "mysqld")
    client = program("mariadb", "mysql")

    def answers(port: int) -> bool:
        command = [client, "--no-defaults", "-h", HOST, "-P", str(port), "-u", ACCOUNT, f"-p{ACCOUNT}", "-e", "SELECT 1",
                   database]
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True).returncode == 0

    port = kit.serve(
        name,
        lambda port: [
            server, "--no-defaults", f"--datadir={data}", f"--socket={socket}", f"--port={port}",
            f"--bind-address={HOST}", f"--init-file={start}", f"--pid-file={place / 'pid'}", "--skip-log-bin",
            "--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M",
            "--performance-schema=off", *options,
        ],
        ready=lambda port: takes_connections(port) and answers(port), user=user, cwd=place, env=temporary,
    )
    return f"mysql://{ACCOUNT}:{ACCOUNT}@{HOST}:{port}/{database}"


def uvicorn(kit: Kit, app: str, *, name: str = "app", **options) -> str:
    """An application (`module:name`, in `folder`) in one process; gives `http://host:port` once `health` is well."""
    return f"http://{HOST}:{begin_uvicorn(kit, app, name, **options).wait()}"


def replicas(kit: Kit, app: str, count: int, *, name: str = "app", **options) -> list[str]:
    """The same application in so many processes, which are told their number, from 1 on, as `REPLICA`."""
    env = options.pop("env", None) or {}
    starting = [
        begin_uvicorn(kit, app, f"{name}-{n}", env={**env, "REPLICA": str(n)}, **options) for n in range(1, count + 1)
    ]
    return [f"http://{HOST}:{one.wait()}" for one in starting]


def begin_uvicorn(
    kit: Kit, app: str, name: str, *, folder: Path, env: Mapping[str, str] | None = None, health: str = "/health",
    options: Sequence[str] = (),
) -> Starting:
    def is_well(port: int) -> bool:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}{health}", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    return kit.begin(
        name,
        lambda port: [
            python(), "-m", "uvicorn", app, "--app-dir", str(folder), "--host", HOST, "--port", str(port),
            "--no-access-log", *options,
        ],
        ready=lambda port: takes_connections(port) and is_well(port),
        env={"PYTHONDONTWRITEBYTECODE": "1", **(env or {})},
    )


def nginx(kit: Kit, http: str, *, name: str = "nginx", workers: int = 1) -> str:
    """nginx with these lines in its `http` block, where `{listen}` is its address; gives `http://host:port`. It logs
    requests into `NAME/access.log` by the format `it`, if those lines define one."""
    place = kit.place(name)
    log = "access_log access.log it;" if "log_format it" in http else "access_log off;"

    def command(port: int) -> list[str]:
        settings = (
            f"daemon off; master_process {'on' if workers > 1 else 'off'}; worker_processes {workers}; pid nginx.pid;\n"
            "error_log stderr warn;\nevents { worker_connections 1024; }\n"
            f"http {{\n{http.replace('{listen}', f'{HOST}:{port}')}\n{log}\n"
            "client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;\n"
            "scgi_temp_path scgi;\n}\n"
        )
        (place / "nginx.conf").write_text(("user root;\n" if os.getuid() == 0 and workers > 1 else "") + settings)
        return [program("nginx"), "-p", str(place), "-c", "nginx.conf", "-e", "stderr"]

    return f"http://{HOST}:{kit.serve(name, command, cwd=place)}"


def varnish(kit: Kit, vcl: str, *, name: str = "varnish", size: str = "64m", options: Sequence[str] = ()) -> str:
    """Varnish by this VCL; gives `http://host:port`. `varnishstat -n FOLDER/NAME/state` reads its counters."""
    place = kit.place(name)
    rules, state = place / "rules.vcl", place / "state"
    rules.write_text(vcl)
    port = kit.serve(name, lambda port: [
        program("varnishd"), "-F", "-j", "none", "-a", f"{HOST}:{port}", "-T", "none", "-f", str(rules), "-n", str(state),
        "-s", f"malloc,{size}", *options,
    ])
    return f"http://{HOST}:{port}"


def python() -> str:
    """The Python that has the requirements."""
    try:
        made = subprocess.run(
            [Path(__file__).parent.parent / "python"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True,
        )
    except subprocess.CalledProcessError as error:
        raise NotReady("there is no python with the requirements") from error
    return made.stdout.strip()


if sys.version_info < (3, 10):
    raise SystemExit("tests/systems needs Python 3.10 or newer")
