"""A cluster of PostgreSQL in a temporary folder, reached through a socket there, run by an unprivileged user."""

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

#: Who runs the server where root runs the tests, as PostgreSQL refuses to be run by root.
UNPRIVILEGED = "nobody"


def programs():
    """Folder of the programs of a PostgreSQL that has pgvector: pgserver's, or the system's; None if there is none."""
    found = find_spec("pgserver")
    folders = [] if found is None else [Path(found.origin).parent / "pginstall" / "bin"]
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists():
            share = subprocess.run([folder / "pg_config", "--sharedir"], capture_output=True, text=True).stdout.strip()
            if (Path(share) / "extension" / "vector.control").exists():
                return folder
    return None


@contextmanager
def running(folder):
    """Run a server; yields the variables by which clients find it."""
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as scratch:
        Path(scratch).chmod(0o755)
        data = Path(scratch) / "data"
        data.mkdir(mode=0o700)
        user = {}
        if os.geteuid() == 0:
            user = {"user": UNPRIVILEGED, "group": 65534, "extra_groups": []}
            shutil.chown(data, UNPRIVILEGED, 65534)
            folder = _readable(folder, Path(scratch))

        def call(program, *arguments):
            ran = subprocess.run(
                [folder / program, "--pgdata", data, *arguments],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", env=_environment(), **user,
            )  # fmt: skip
            assert ran.returncode == 0, ran.stdout

        call("initdb", "--username=tester", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories='{data}' -c fsync=off"
        call("pg_ctl", "start", "--wait", f"--options={options}", f"--log={data / 'log'}")
        try:
            yield {"PGHOST": str(data), "PGUSER": "tester", "PGDATABASE": "postgres"}
        finally:
            call("pg_ctl", "stop", "--mode=immediate")


def _readable(folder, scratch):
    """Programs where another user can read them, who may not enter the folders of an environment."""
    if folder.is_relative_to("/usr"):
        return folder
    package = folder.parents[1]
    for part in package.parent.glob(f"{package.name}*"):
        if part.is_dir() and not part.name.endswith(".dist-info"):
            shutil.copytree(part, scratch / part.name, symlinks=True)
    return scratch / folder.relative_to(package.parent)


def _environment():
    """Variables without those by which another server would be found."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}
