"""A real PostgreSQL server for tests, started from the binaries of this machine in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from processes import free_port

REQUIRED = "ALVIN_REQUIRE_POSTGRES"
ROLE, WORD = "alvin_tests", "a-word-that-must-never-be-shown"
UNPRIVILEGED = ("postgres", "nobody")  # the server refuses to run as root
PLACES = "/usr/lib/postgresql/*/bin"  # where Debian keeps them, out of the path


def missing_binaries() -> str:
    """Say why there can be no server here; empty where there can."""
    if _binary("initdb") is None or _binary("pg_ctl") is None:
        return "PostgreSQL's initdb and pg_ctl are not on this machine (Debian's package postgresql)"
    if os.getuid() == 0 and shutil.which("setpriv") is None:
        return "PostgreSQL refuses to run as root, and there is no setpriv to be somebody else"
    return ""


@dataclass(frozen=True)
class Server:
    """A running server, with one database that a role with a password owns."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        """How tests reach the database, with the password."""
        return f"postgresql+psycopg://{ROLE}:{WORD}@127.0.0.1:{self.port}/{ROLE}"

    @property
    def plain(self) -> str:
        return self.address.replace(f":{WORD}", "")

    def run(self, statement: str, *, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the server's owner."""
        import psycopg

        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="postgres", password=WORD, dbname=database, autocommit=True
        ) as connection:
            cursor = connection.execute(statement)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        log = self.folder / "log"
        try:
            _do("pg_ctl", "-D", str(self.folder / "data"), "-w", "-t", "120", "-l", str(log), "-o", options, "start")
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"the server did not start: {log.read_text() if log.exists() else error}") from error

    def stop(self, mode: str = "fast") -> None:
        """Stop it: ``fast`` ends what is under way, ``immediate`` is as a crash."""
        _do("pg_ctl", "-D", str(self.folder / "data"), "-w", "-m", mode, "stop")


@contextmanager
def running_server() -> Iterator[Server]:
    """Lend a server; a commit is on its disk when it returns, as on any."""
    folder = Path(tempfile.mkdtemp(prefix="alvin-pg-", dir="/tmp"))  # the name of a socket must be short
    server = Server(folder, free_port())
    try:
        words = folder / "words"
        words.write_text(WORD)
        _own(folder, words)
        data, encoding = str(folder / "data"), ("--encoding=UTF8", "--locale=C.UTF-8")
        _do("initdb", "-D", data, "-U", "postgres", "-A", "scram-sha-256", f"--pwfile={words}", "--no-sync", *encoding)
        server.start()
        watch = _end_with_this_process(server)
        server.run(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{WORD}'")
        server.run(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        with watch:
            yield server
            watch.communicate()
    finally:
        if (folder / "data" / "postmaster.pid").exists():
            with suppress(subprocess.CalledProcessError):  # the watch was quicker
                server.stop("immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _end_with_this_process(server: Server) -> subprocess.Popen[bytes]:
    """Start what waits until this process is gone, however that happens, and then stops the server if it still runs."""
    stop = 'cat >/dev/null; [ ! -e "$1/data/postmaster.pid" ] || kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")"'
    command = ["sh", "-c", f'{stop}; rm -rf "$1"', "sh", str(server.folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


def _binary(name: str) -> str | None:
    found = sorted(Path("/").glob(f"{PLACES[1:]}/{name}"))
    return shutil.which(name) or (str(found[-1]) if found else None)


def _do(name: str, *arguments: str) -> None:
    binary = _binary(name)
    assert binary is not None
    who = _somebody()
    be = () if who is None else ("setpriv", f"--reuid={who}", f"--regid={who}", "--clear-groups")
    # The server keeps what it is given open, so that nobody who waits for its end may hold the other side.
    subprocess.run(
        [*be, binary, *arguments],
        check=True,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=180,
    )


def _somebody() -> int | None:
    import pwd

    if os.getuid() != 0:
        return None
    for name in UNPRIVILEGED:
        try:
            return pwd.getpwnam(name).pw_uid
        except KeyError:
            continue
    return 65534


def _own(*paths: Path) -> None:
    who = _somebody()
    if who is not None:
        for path in paths:
            os.chown(path, who, -1)
