"""W6, the writing half: 600,000 rows of lineitem from a file into a table, beside each database's own loader.

usage: databases.py [--runs N] [--threads N] [--dtsx PROGRAM] [--data FOLDER] [--postgres CONNINFO] [--mariadb SOCKET]

SQLite is always measured (beside `.import` of the sqlite3 shell, on a file in memory where there is room); PostgreSQL
(beside `\\copy` of psql) and MariaDB (beside LOAD DATA of the client) if a server to use is named: `--postgres 'host=127.0.0.1
port=5432 user=postgres dbname=postgres'`. What a table holds afterwards is compared with what the database's own loader
put there.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from compare import OURS, ROOT, Failed, measure, table  # noqa: E402

ROWS = 600_000
COLUMNS = [("l_orderkey", "bigint"), ("l_partkey", "bigint"), ("l_suppkey", "bigint"), ("l_linenumber", "int"),
           ("l_quantity", "numeric(15,2)"), ("l_extendedprice", "numeric(15,2)"), ("l_discount", "numeric(15,2)"),
           ("l_tax", "numeric(15,2)"), ("l_returnflag", "varchar(1)"), ("l_linestatus", "varchar(1)"),
           ("l_shipdate", "date"), ("l_commitdate", "date"), ("l_receiptdate", "date"), ("l_shipinstruct", "varchar(25)"),
           ("l_shipmode", "varchar(10)"), ("l_comment", "varchar(100)")]
CREATE = "create table tgt(" + ", ".join(f"{name} {kind}" for name, kind in COLUMNS) + ")"
# One row that tells two tables apart.
SUMS = ("select count(*), sum(l_orderkey), sum(l_partkey), sum(l_linenumber), cast(sum(l_extendedprice) * 100 as {int}), "
        "cast(sum(l_tax) * 100 as {int}), min(l_shipdate), max(l_receiptdate), max(l_comment), sum(length(l_comment)) "
        "from tgt")


def first_rows(data: str, folder: str) -> str:
    path = os.path.join(folder, "li600k.csv")
    with open(os.path.join(data, "lineitem.csv"), "rb") as source, open(path, "wb") as target:
        for _ in range(ROWS + 1):
            target.write(source.readline())
    return path


class Sqlite:
    name = "SQLite"
    rival = "sqlite3 .import"

    def __init__(self, folder: str):
        self.file = os.path.join(folder, "bench.db")
        self.connect = f"Driver=SQLite3;Database={self.file}"

    def sql(self, text: str) -> str:
        return subprocess.run(["sqlite3", self.file, text], check=True, capture_output=True, text=True).stdout.strip()

    def clean(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            if os.path.exists(self.file + suffix):
                os.remove(self.file + suffix)
        self.sql(CREATE)

    def load(self, csv: str) -> list:
        return ["sqlite3", self.file, f".import --csv --skip 1 {csv} tgt"]

    def sums(self) -> str:
        return self.sql(SUMS.format(int="integer"))


class Postgres:
    name = "PostgreSQL"
    rival = "psql COPY"

    def __init__(self, conninfo: str):
        self.conninfo = conninfo
        keys = dict(pair.split("=", 1) for pair in conninfo.split())
        self.connect = (f"Driver=PostgreSQL Unicode;Server={keys['host']};Port={keys.get('port', '5432')};"
                        f"Database={keys.get('dbname', 'postgres')};Uid={keys.get('user', 'postgres')};"
                        f"Pwd={keys.get('password', '')}")

    def sql(self, text: str) -> str:
        command = ["psql", self.conninfo, "-qAtX", "-c", text]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def clean(self) -> None:
        self.sql("drop table if exists tgt")
        self.sql(CREATE)

    def load(self, csv: str) -> list:
        return ["psql", self.conninfo, "-qX", "-c", f"\\copy tgt from '{csv}' with (format csv, header)"]

    def sums(self) -> str:
        return self.sql(SUMS.format(int="bigint"))


class MariaDb:
    name = "MariaDB"
    rival = "LOAD DATA"

    def __init__(self, socket: str):
        self.socket = socket
        self.connect = f"Driver=MariaDB Unicode;Socket={socket};Database=bench;Uid=root"

    def sql(self, text: str, database: str = "bench") -> str:
        command = ["mariadb", f"--socket={self.socket}", "-uroot", "-N", "-B", "--local-infile=1", database, "-e", text]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def clean(self) -> None:
        self.sql("create database if not exists bench character set utf8mb4", "mysql")
        self.sql("drop table if exists tgt")
        self.sql(CREATE)

    def load(self, csv: str) -> list:
        text = (f"load data local infile '{csv}' into table tgt character set utf8mb4 fields terminated by ',' "
                "optionally enclosed by '\"' escaped by '' lines terminated by '\\n' ignore 1 lines")
        return ["mariadb", f"--socket={self.socket}", "-uroot", "--local-infile=1", "bench", "-e", text]

    def sums(self) -> str:
        return self.sql(SUMS.format(int="signed"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--runs", type=int, default=3)
    parser.add_argument("-t", "--threads", type=int, default=2)
    parser.add_argument("--data", default=os.environ.get("BENCH_DATA", os.path.join(ROOT, "target", "bench-data")))
    parser.add_argument("--dtsx", default=os.path.join(ROOT, "target", "release", "dtsx"))
    parser.add_argument("--postgres", help="a libpq connection string, key=value pairs")
    parser.add_argument("--mariadb", help="a socket")
    options = parser.parse_args()
    memory = "/dev/shm"
    roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 1 << 30
    folder = tempfile.mkdtemp(prefix="dtsx-bench-", dir=memory if roomy else None)
    cores = sorted(os.sched_getaffinity(0))[:options.threads]
    failures = 0
    try:
        csv = first_rows(options.data, folder)
        databases = [Sqlite(folder)]
        databases += [Postgres(options.postgres)] if options.postgres else []
        databases += [MariaDb(options.mariadb)] if options.mariadb else []
        for database in databases:
            ours = [options.dtsx, "run", os.path.join(HERE, "workloads", "W6in.dtsx"), "--connect",
                    f"Target={database.connect}", "--map", rf"C:\Bench\in={folder}", "--threads", str(options.threads)]
            costs, sums = {OURS: [], database.rival: []}, {}
            for _ in range(options.runs):
                for who, command in ((OURS, ours), (database.rival, database.load(csv))):
                    database.clean()
                    try:
                        costs[who].append(measure(command, cores))
                        sums[who] = database.sums()
                    except Failed as problem:
                        print(f"{who}: {problem}", file=sys.stderr)
                        failures += 1
            if len(set(sums.values())) != 1:
                print(f"{database.name}: the tables differ: {sums}", file=sys.stderr)
                failures += 1
            rows = [["", "wall s", "CPU s", "peak MiB", "spread"]]
            for who, runs in costs.items():
                if runs:
                    middle = [statistics.median(getattr(run, key) for run in runs) for key in ("wall", "cpu", "peak_mib")]
                    walls = [run.wall for run in runs]
                    rows.append([who, f"{middle[0]:.3f}", f"{middle[1]:.2f}", f"{middle[2]:.0f}",
                                 f"{min(walls):.3f}–{max(walls):.3f}"])
            print(f"\nW6, {ROWS} rows into {database.name}: median of {options.runs}\n{table(rows)}", flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
