"""Private database servers for the benchmarks: PostgreSQL and MariaDB in temporary folders, stopped at the end.

Both are told not to wait for the disk (no fsync), so that what is measured is not the disk; otherwise they are as their
packages configure them.
"""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 60


class Missing(Exception):
    """A server that cannot be had here, and why."""


def program(name: str, *folders: str) -> str:
    """The newest program of that name in the folders, or on the path."""
    found = sorted(path for folder in folders for path in glob.glob(os.path.join(folder, name)))
    path = found[-1] if found else shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if not path:
        raise Missing(f"there is no {name}")
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """Runs as `user` where this process is root, which servers refuse to be. Ends with the `with` block."""

    user = ""

    def __enter__(self) -> "Server":
        self.folder = tempfile.mkdtemp(prefix="dtsx-bench-")
        self.data = os.path.join(self.folder, "data")
        self.child = None
        try:
            if os.geteuid() == 0:
                try:
                    account = pwd.getpwnam(self.user)
                except KeyError:
                    raise Missing(f"there is no user {self.user} to run as") from None
                os.chown(self.folder, account.pw_uid, account.pw_gid)
            self.port = free_port()
            self.begin()
            self.wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        if self.child:
            os.killpg(self.child.pid, signal.SIGINT if self.user == "postgres" else signal.SIGTERM)
            try:
                self.child.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.child.pid, signal.SIGKILL)
                self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self, *words: str) -> list:
        return ["runuser", "-u", self.user, "--", *words] if os.geteuid() == 0 else list(words)

    def run(self, *words: str) -> None:
        done = subprocess.run(self.command(*words), cwd="/", capture_output=True, text=True)
        if done.returncode != 0:
            raise Missing(f"{words[0]}: {done.stderr.strip()[-500:]}")

    def keep(self, *words: str) -> None:
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.child = subprocess.Popen(self.command(*words), cwd="/", stdin=subprocess.DEVNULL, stdout=self.log,
                                      stderr=self.log, start_new_session=True)

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while not self.answers():
            if self.child.poll() is not None or time.monotonic() > until:
                with open(self.log.name, encoding="utf-8", errors="replace") as log:
                    raise Missing(f"{self.user} does not come up: {log.read()[-1000:]}")
            time.sleep(0.1)


class PostgresServer(Server):
    user = "postgres"
    settings = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=512MB",
                "max_wal_size=4GB", "autovacuum=off")

    def begin(self) -> None:
        programs = "/usr/lib/postgresql/*/bin"
        initdb, postgres = program("initdb", programs), program("postgres", programs)
        program("psql")
        self.run(initdb, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D", self.data)
        settings = [word for setting in self.settings for word in ("-c", setting)]
        self.keep(postgres, "-D", self.data, "-p", str(self.port), "-c", "listen_addresses=127.0.0.1", "-c",
                  f"unix_socket_directories={self.data}", *settings)

    @property
    def conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres"

    def answers(self) -> bool:
        return subprocess.run(["psql", self.conninfo, "-qXc", "select 1"], capture_output=True).returncode == 0


class MariaDbServer(Server):
    user = "mysql"

    def begin(self) -> None:
        install, server = program("mariadb-install-db"), program("mariadbd")
        program("mariadb")
        self.run(install, "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
                 f"--datadir={self.data}")
        self.keep(server, "--no-defaults", f"--datadir={self.data}", f"--port={self.port}", f"--socket={self.socket}",
                  "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0",
                  "--innodb-buffer-pool-size=512M", "--skip-name-resolve", "--local-infile=1")

    @property
    def socket(self) -> str:
        return os.path.join(self.folder, "s")

    def answers(self) -> bool:
        words = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-e", "select 1"]
        return subprocess.run(words, capture_output=True).returncode == 0
