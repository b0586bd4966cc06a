"""Databases to test on: a SQLite file, and a PostgreSQL server of the test's own where the program is installed."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from ozfig.store.database import Store

PROGRAMS = [str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)]


@pytest.fixture(scope="session")
def postgres():
    """The URL of an empty PostgreSQL database, reached through a socket in a folder.

    The folder is none of pytest's: those are closed to other users whenever a run of pytest starts.
    """
    path = os.pathsep.join([*PROGRAMS, os.environ["PATH"]])
    control = shutil.which("pg_ctl", path=path)
    if control is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="ozfig-pg-"))
    # the server refuses to run as root
    user = ["runuser", "-u", "nobody", "--"] if os.geteuid() == 0 else []
    if user:
        shutil.chown(folder, "nobody")

    def run(*command):
        done = subprocess.run([*user, *command], cwd=folder, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr

    data = str(folder / "data")
    run(control, "init", "-D", data, "-o", "-U ozfig -A trust -E UTF8 --no-sync")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    run(control, "start", "-w", "-D", data, "-o", options, "-l", str(folder / "log"))
    yield f"postgresql://ozfig@/postgres?host={folder}"
    run(control, "stop", "-D", data, "-m", "immediate")
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request, tmp_path):
    """An empty store, on each of the databases."""
    if request.param == "sqlite":
        store = Store.open(str(tmp_path / "deep" / "chat.db"))
    else:
        store = Store.open(request.getfixturevalue("postgres"))
    yield store
    for kind in ("chat", "compare"):
        for row in store.conversations(kind=kind):
            store.delete(row.id)
    store.close()
