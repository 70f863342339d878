"""A real Postgres for tests, on a socket in a folder of its own, and a wire to it that can be cut."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

READER_PASSWORD = "hunter2-of-the-reader"  # noqa: S105 - planted, to be looked for

_ACCESS = """\
local all postgres trust
local all all scram-sha-256
"""


class PostgresServer:
    """A server that runs; its clock is in an odd time zone, and the role `reader` needs a password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, database: str) -> str:
        """Run psql as the superuser, and return what it printed."""
        command = [
            "psql",
            "-XqAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.folder,
            "-U",
            "postgres",
            "-d",
            database,
        ]
        return subprocess.run(
            [*command, *arguments], check=True, capture_output=True, text=True
        ).stdout.strip()

    def dsn(self, database: str, *, password: str = READER_PASSWORD) -> str:
        """Return the connection string of the role `reader`."""
        return f"postgresql://reader:{password}@/{database}?host={self.folder}"

    @contextmanager
    def cut_wire(self, database: str, *, asked: str, byte_count: int) -> Iterator[str]:
        """Yield a connection string whose wire breaks so many bytes after the client `asked` something."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            wire = (listener, asked.encode(), byte_count)
            threading.Thread(target=self._accept, args=wire, daemon=True).start()
            user = f"reader:{READER_PASSWORD}"
            yield f"postgresql://{user}@127.0.0.1:{port}/{database}?sslmode=disable&gssencmode=disable"

    def _accept(self, listener: socket.socket, asked: bytes, byte_count: int) -> None:
        # the driver opens two connections, the first of which only learns the types
        for _ in range(2):
            wire = (listener.accept()[0], asked, byte_count)
            threading.Thread(target=self._relay, args=wire, daemon=True).start()

    def _relay(self, client: socket.socket, asked: bytes, byte_count: int) -> None:
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(str(self.folder / ".s.PGSQL.5432"))
            is_asked = threading.Event()
            threading.Thread(target=_send_up, args=(client, server, asked, is_asked), daemon=True).start()
            while byte_count > 0 and (part := server.recv(65_536)):
                byte_count -= len(part) if is_asked.is_set() else 0
                client.sendall(part if byte_count > 0 else part[:byte_count])
            for each in (client, server):
                with suppress(OSError):  # its other end has hung up
                    each.shutdown(socket.SHUT_RDWR)


def _send_up(client: socket.socket, server: socket.socket, asked: bytes, is_asked: threading.Event) -> None:
    with suppress(OSError):  # the wire was cut
        while part := client.recv(65_536):
            if asked in part:
                is_asked.set()
            server.sendall(part)


@contextmanager
def running() -> Iterator[PostgresServer]:
    """Start a server and stop it again; skips the test where there is none to start."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin")) or [
        Path(shutil.which("initdb") or "").parent
    ]
    if not (programs[-1] / "initdb").exists() or not shutil.which("psql"):
        pytest.skip("no Postgres server on this machine")
    user = _server_user()
    # not tmp_path: the path of a socket has 107 bytes at most, and another user has to reach it
    folder = Path(tempfile.mkdtemp(prefix="gitopslab-postgres-"))
    shutil.chown(folder, user)
    data = folder / "data"
    run = partial(subprocess.run, user=user, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    initdb = [programs[-1] / "initdb", "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-sync"]
    run([*initdb, "--locale=C"])
    (data / "pg_hba.conf").write_text(_ACCESS)
    options = f"-c listen_addresses='' -c fsync=off -c timezone=Asia/Kolkata -k {folder}"
    control = [programs[-1] / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
    run([*control, "-o", options, "start"])
    try:
        server = PostgresServer(folder)
        server.run("-c", f"CREATE ROLE reader LOGIN PASSWORD '{READER_PASSWORD}'", database="postgres")
        yield server
    finally:
        run([*control, "-m", "immediate", "stop"])
        shutil.rmtree(folder)


def _server_user() -> str:
    if os.geteuid():
        return pwd.getpwuid(os.geteuid()).pw_name
    if not any(entry.pw_name == "postgres" for entry in pwd.getpwall()):
        pytest.skip("Postgres does not run as root, and there is no user postgres")
    return "postgres"
