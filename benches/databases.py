"""W6: rows out of databases and into them, beside other ways in and out.

usage: benches/run W6 [--runs N] [--threads N] [--only read,write] [--databases postgres,mariadb,sqlite] [--dtsx PROGRAM]

Reading: all of lineitem (6,001,215 rows, 16 columns) out of PostgreSQL, to a file and to Arrow batches that are counted and
dropped, and out of MariaDB to a file. Writing: the first 600,000 rows of it from a file into a table of PostgreSQL, MariaDB and SQLite. `dtsx` is the
protocol of its own (the embedded SQLite), `dtsx, ODBC` the same package through the database's ODBC driver, with the
connection string that arrow-odbc gets. PostgreSQL and MariaDB are private servers, started here in temporary folders, where
their programs are installed; what is left out for want of a program, a driver or a package is said.

Each way runs once unmeasured and is checked: what it read, or what the table holds, must be what the database's own client
gets or loads. Then all run in turn; wall clock, processor seconds and peak memory are those of the client's process.
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
sys.path.insert(0, os.path.join(HERE, "rivals"))
from compare import OURS, ROOT, Failed, measure, table  # noqa: E402
from in_and_out import DATES, KINDS, MONEY  # noqa: E402
from servers import MariaDbServer, Missing, PostgresServer  # noqa: E402

ROWS = 600_000
COLUMNS = [("l_orderkey", "bigint"), ("l_partkey", "bigint"), ("l_suppkey", "bigint"), ("l_linenumber", "int"),
           ("l_quantity", "numeric(15,2)"), ("l_extendedprice", "numeric(15,2)"), ("l_discount", "numeric(15,2)"),
           ("l_tax", "numeric(15,2)"), ("l_returnflag", "varchar(1)"), ("l_linestatus", "varchar(1)"),
           ("l_shipdate", "date"), ("l_commitdate", "date"), ("l_receiptdate", "date"), ("l_shipinstruct", "varchar(25)"),
           ("l_shipmode", "varchar(10)"), ("l_comment", "varchar(100)")]
# One row that tells two tables apart.
SUMS = ("select count(*), sum(l_orderkey), sum(l_partkey), sum(l_linenumber), cast(sum(l_extendedprice) * 100 as {int}), "
        "cast(sum(l_tax) * 100 as {int}), min(l_shipdate), max(l_receiptdate), max(l_comment), sum(length(l_comment)) "
        "from tgt")

# The number of a day, 0 for 1970-01-01.
DAYS = "{} - date '1970-01-01'"


def create(name: str) -> str:
    return f"create table {name}(" + ", ".join(f"{column} {kind}" for column, kind in COLUMNS) + ")"


def marks(source: str, days: str, integer: str = "bigint") -> str:
    """A statement whose row is what `drain` of the rivals prints: of every column a sum, the first and the last."""
    columns = []
    for name in sorted(name for name, _ in COLUMNS):
        if name in DATES:
            columns += ["0", f"least(0, min({days.format(name)}))", f"greatest(0, max({days.format(name)}))"]
        elif name in MONEY:
            columns += [f"cast(sum({name}) * 100 as {integer})", "0", "0"]
        else:
            columns += [f"cast(sum({name if name in KINDS else f'length({name})'}) as {integer})", "0", "0"]
    return f"select count(*), {', '.join(columns)} from {source}"


def marks_of_file(file: str, header: bool, reading: str) -> list:
    """What `marks` gives for the rows of a file; `reading` says how DuckDB reads its quotes and its delimiter."""
    kinds = ", ".join(f"'{column}': '{kind.replace('numeric', 'decimal')}'" for column, kind in COLUMNS)
    rows = f"read_csv('{file}', header = {str(header).lower()}, {reading}, auto_detect = false, columns = {{{kinds}}})"
    # In a process of its own: a child's peak begins with the memory of the process that starts it.
    query = f"import duckdb; print(*duckdb.sql({marks(rows, DAYS)!r}).fetchone())"
    # DuckDB may have shown how far it came before.
    return [int(word) for word in output([sys.executable, "-c", query]).splitlines()[-1].split()]


# How CSV and the client of MariaDB write.
QUOTED = "quote = '\"', escape = '\"'"
TABS = "delim = '\\t', quote = '', escape = ''"


def numbers(text: str) -> list:
    """The numbers of `rows N`, `name total first last` … lines."""
    return [int(word) for line in text.splitlines() for word in line.split()[1:]]


def first_rows(data: str, folder: str) -> str:
    path = os.path.join(folder, "li600k.csv")
    with open(os.path.join(data, "lineitem.csv"), "rb") as source, open(path, "wb") as target:
        for _ in range(ROWS + 1):
            target.write(source.readline())
    return path


def output(command: list) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(command)}: {done.stderr.strip()[-1000:]}")
    return done.stdout.strip()


def driver(*names: str) -> str:
    """The name of an ODBC driver that is installed."""
    listed = subprocess.run(["odbcinst", "-q", "-d"], capture_output=True, text=True).stdout if shutil.which("odbcinst") else ""
    for name in names:
        if f"[{name}]" in listed:
            return name
    raise Missing(f"the ODBC driver {names[0]} is not installed")


class Bench:
    def __init__(self, options, folder: str):
        self.options, self.folder, self.left_out = options, folder, []
        self.cores = sorted(os.sched_getaffinity(0))[:options.threads]
        self.csv = first_rows(options.data, folder) if "write" in options.only else ""
        self.failures = 0

    def ours(self, package: str, connect: str, *more: str) -> list:
        return [self.options.dtsx, "run", os.path.join(HERE, "workloads", package + ".dtsx"), "--connect", connect,
                "--map", rf"C:\Bench\in={self.folder}", "--map", rf"C:\Bench\out={self.folder}", "--threads",
                str(self.options.threads), *more]

    def rival(self, way: str, target: str, file: str) -> list:
        return [sys.executable, os.path.join(HERE, "rivals", "in_and_out.py"), way, target, file, str(self.options.threads)]

    def turns(self, title: str, ways: dict, before, check) -> None:
        """`ways`: name → command. `before()` comes before each run, `check(name, command)` runs one that is not measured."""
        costs = {}
        for name, command in ways.items():
            try:
                before()
                check(name, command)
                costs[name] = []
            except (Failed, subprocess.CalledProcessError) as problem:
                print(f"{title}: {name}: {problem}", file=sys.stderr, flush=True)
                self.failures += 1
        for _ in range(self.options.runs):
            for name in list(costs):
                try:
                    before()
                    costs[name].append(measure(ways[name], self.cores))
                except Failed as problem:
                    print(f"{title}: {name}: {problem}", file=sys.stderr, flush=True)
                    self.failures += 1
                    del costs[name]
        rows = [["", "wall s", "CPU s", "peak MiB", "wall ÷ ours", "spread"]]
        base = None
        for name, runs in costs.items():
            middle = [statistics.median(getattr(run, key) for run in runs) for key in ("wall", "cpu", "peak_mib")]
            base = base or middle[0]
            walls = [run.wall for run in runs]
            rows.append([name, f"{middle[0]:.2f}", f"{middle[1]:.2f}", f"{middle[2]:.0f}", f"{middle[0] / base:.2f}",
                         f"{min(walls):.2f}–{max(walls):.2f}"])
        print(f"\nW6, {title}: median of {self.options.runs}\n{table(rows)}", flush=True)


class Postgres:
    def __init__(self, conninfo: str):
        self.conninfo = conninfo
        keys = dict(pair.split("=", 1) for pair in conninfo.split())
        host, port, user = keys["host"], keys.get("port", "5432"), keys.get("user", "postgres")
        self.database = keys.get("dbname", "postgres")
        self.connect = (f"Server={host};Port={port};Database={self.database};Uid={user};Pwd={keys.get('password', '')};"
                        "SSLmode=disable")
        self.uri = f"postgresql://{user}:{keys.get('password', '')}@{host}:{port}/{self.database}?sslmode=disable"

    def odbc(self) -> str:
        """What sends a connection to the driver: options that are the driver's own."""
        return f"Driver={driver('PostgreSQL Unicode')};{self.connect};UseDeclareFetch=1;Fetch=3000"

    def sql(self, text: str) -> str:
        return output(["psql", self.conninfo, "-qAtX", "-F", " ", "-c", text])

    def clean(self) -> None:
        self.sql("drop table if exists tgt")
        self.sql(create("tgt"))

    def fill(self, data: str) -> None:
        if self.sql("select to_regclass('lineitem')") != "lineitem":
            self.sql(create("lineitem"))
            self.sql(rf"\copy lineitem from '{data}/lineitem.csv' with (format csv, header)")
            self.sql("vacuum (freeze, analyze) lineitem")

    def read(self, bench: Bench) -> None:
        self.fill(bench.options.data)
        wanted = [int(word) for word in self.sql(marks("lineitem", DAYS)).split()]
        file = os.path.join(bench.folder, "w6.csv")
        protocol = f"Source=Driver=PostgreSQL Unicode;{self.connect}"
        own = [os.path.join(os.path.dirname(bench.options.dtsx), "examples", "arrow_rows"),
               os.path.join(HERE, "workloads", "W6arrow.dtsx"), "Rows"]
        files = {OURS: bench.ours("W6out", protocol),
                 "psql COPY, binary": ["psql", self.conninfo, "-qX", "-c", rf"\copy lineitem to '{file}' with (format binary)"],
                 "psql COPY, CSV": ["psql", self.conninfo, "-qX", "-c", rf"\copy lineitem to '{file}' with (format csv, header)"],
                 "DuckDB": bench.rival("duckdb-csv", self.conninfo, file)}
        arrows = {OURS: [*own, protocol], "ADBC": bench.rival("adbc-arrow", self.uri, "")}
        try:
            files["dtsx, ODBC"] = bench.ours("W6out", f"Source={self.odbc()}")
            arrows["dtsx, ODBC"] = [*own, f"Source={self.odbc()}"]
            arrows["arrow-odbc"] = bench.rival("arrow-odbc-arrow", self.odbc(), "")
        except Missing as reason:
            bench.left_out.append(f"reading by ODBC: {reason}")

        def before() -> None:
            if os.path.exists(file):
                os.remove(file)

        def written(name: str, command: list) -> None:
            output(command)
            if "binary" in name:
                return
            found = marks_of_file(file, True, QUOTED)
            if found != wanted:
                raise Failed(f"the file has {found}, the table {wanted}")

        def drained(_: str, command: list) -> None:
            found = numbers(output([*command, "check"]))
            if found != wanted:
                raise Failed(f"it read {found}, the table has {wanted}")

        bench.turns(f"{wanted[0]} rows out of PostgreSQL to a file", files, before, written)
        before()
        bench.turns(f"{wanted[0]} rows out of PostgreSQL to Arrow", arrows, lambda: None, drained)
        if bench.options.memory:
            self.flat(bench, protocol)

    def flat(self, bench: Bench, protocol: str) -> None:
        """Peak memory by the number of rows."""
        rows = [["rows", "wall s", "CPU s", "peak MiB"]]
        for millions in (1, 3, 6):
            self.sql(f"create or replace view first_{millions} as select * from lineitem limit {millions}000000")
            named = rf"\Package\Read.Properties[[Lineitem].[OpenRowset]]=first_{millions}"
            cost = measure(bench.ours("W6out", protocol, "--set", named), bench.cores)
            rows.append([f"{millions},000,000", f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak_mib:.0f}"])
        print(f"\nW6, memory by rows read from PostgreSQL to a file\n{table(rows)}", flush=True)

    def write(self, bench: Bench) -> None:
        ways = {OURS: bench.ours("W6in", f"Target=Driver=PostgreSQL Unicode;{self.connect}"),
                "psql COPY, CSV": ["psql", self.conninfo, "-qX", "-c", rf"\copy tgt from '{bench.csv}' with (format csv, header)"],
                "DuckDB": bench.rival("duckdb-in", self.conninfo, bench.csv),
                "ADBC": bench.rival("adbc-in", self.uri, bench.csv)}
        try:
            ways["dtsx, ODBC"] = bench.ours("W6in", f"Target={self.odbc()}")
            ways["arrow-odbc"] = bench.rival("arrow-odbc-in", self.odbc(), bench.csv)
        except Missing as reason:
            bench.left_out.append(f"writing by ODBC: {reason}")
        into(bench, "PostgreSQL", self, ways, "psql COPY, CSV", "bigint")


class MariaDb:
    def __init__(self, socket: str):
        self.socket = socket
        self.connect = f"Driver=MariaDB Unicode;Socket={socket};Database=bench;Uid=root"
        # What sends a connection to the driver: an option that is the driver's own.
        self.odbc = f"{self.connect};NO_CACHE=1"

    def sql(self, text: str, database: str = "bench") -> str:
        return output(["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-N", "-B", "--local-infile=1",
                       database, "-e", text])

    def clean(self) -> None:
        self.sql("create database if not exists bench character set utf8mb4", "mysql")
        self.sql("drop table if exists tgt")
        self.sql(create("tgt"))

    def fill(self, data: str) -> None:
        self.sql("create database if not exists bench character set utf8mb4", "mysql")
        if not self.sql("show tables like 'lineitem'"):
            self.sql(create("lineitem"))
            self.sql(f"load data local infile '{data}/lineitem.csv' into table lineitem character set utf8mb4 fields terminated "
                     "by ',' optionally enclosed by '\"' escaped by '' lines terminated by '\\n' ignore 1 lines")

    def read(self, bench: Bench) -> None:
        self.fill(bench.options.data)
        wanted = [int(word) for word in self.sql(marks("lineitem", "datediff({}, '1970-01-01')", "signed")).split()]
        file = os.path.join(bench.folder, "w6.csv")
        client = ["sh", "-c", f"mariadb --no-defaults --socket={self.socket} -uroot -N -B --quick bench -e "
                              f"'select * from lineitem' > {file}"]
        ways = {OURS: bench.ours("W6out", f"Source={self.connect}"), "mariadb --quick": client}

        def before() -> None:
            if os.path.exists(file):
                os.remove(file)

        def written(name: str, command: list) -> None:
            output(command)
            found = marks_of_file(file, True, QUOTED) if name == OURS else marks_of_file(file, False, TABS)
            if found != wanted:
                raise Failed(f"the file has {found}, the table {wanted}")

        bench.turns(f"{wanted[0]} rows out of MariaDB to a file", ways, before, written)
        if bench.options.memory:
            self.flat(bench)
        before()

    def flat(self, bench: Bench) -> None:
        """Peak memory by the number of rows."""
        rows = [["rows", "wall s", "CPU s", "peak MiB"]]
        for millions in (1, 3, 6):
            # A view with a limit is a temporary table, made before its first row comes.
            self.sql(f"create or replace table first_{millions} as select * from lineitem limit {millions}000000")
            named = rf"\Package\Read.Properties[[Lineitem].[OpenRowset]]=first_{millions}"
            cost = measure(bench.ours("W6out", f"Source={self.connect}", "--set", named), bench.cores)
            self.sql(f"drop table first_{millions}")
            rows.append([f"{millions},000,000", f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak_mib:.0f}"])
        print(f"\nW6, memory by rows read from MariaDB to a file\n{table(rows)}", flush=True)

    def write(self, bench: Bench) -> None:
        text = (f"load data local infile '{bench.csv}' into table tgt character set utf8mb4 fields terminated by ',' "
                "optionally enclosed by '\"' escaped by '' lines terminated by '\\n' ignore 1 lines")
        client = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "--local-infile=1", "bench", "-e", text]
        ways = {OURS: bench.ours("W6in", f"Target={self.connect}"), "LOAD DATA LOCAL": client}
        try:
            driver("MariaDB Unicode")
            ways["dtsx, ODBC"] = bench.ours("W6in", f"Target={self.odbc}")
            ways["arrow-odbc"] = bench.rival("arrow-odbc-in", self.connect, bench.csv)
        except Missing as reason:
            bench.left_out.append(f"writing MariaDB by ODBC: {reason}")
        into(bench, "MariaDB", self, ways, "LOAD DATA LOCAL", "signed")


class Sqlite:
    def __init__(self, folder: str):
        self.file = os.path.join(folder, "bench.db")

    def sql(self, text: str) -> str:
        return output(["sqlite3", self.file, text])

    def clean(self) -> None:
        for suffix in ("", "-journal", "-wal", "-shm"):
            if os.path.exists(self.file + suffix):
                os.remove(self.file + suffix)
        self.sql(create("tgt"))

    def write(self, bench: Bench) -> None:
        ways = {OURS: bench.ours("W6in", f"Target=Driver=SQLite3;Database={self.file}"),
                ".import": ["sqlite3", self.file, f".import --csv --skip 1 {bench.csv} tgt"],
                "ADBC": bench.rival("adbc-in", self.file, bench.csv)}
        try:
            ways["arrow-odbc"] = bench.rival("arrow-odbc-in", f"Driver={driver('SQLite3')};Database={self.file}", bench.csv)
        except Missing as reason:
            bench.left_out.append(f"writing SQLite by ODBC: {reason}")
        into(bench, "SQLite", self, ways, ".import", "integer")


def into(bench: Bench, name: str, database, ways: dict, reference: str, integer: str) -> None:
    """Measures ways into a table; what is in it afterwards is what the database's own loader put there."""
    database.clean()
    output(ways[reference])
    wanted = database.sql(SUMS.format(int=integer))

    def loaded(_: str, command: list) -> None:
        output(command)
        found = database.sql(SUMS.format(int=integer))
        if found != wanted:
            raise Failed(f"the table has {found}, and after {reference} it has {wanted}")

    bench.turns(f"{ROWS} rows into {name}", ways, database.clean, loaded)
    database.clean()


def with_postgres(bench: Bench) -> None:
    def measured(database: Postgres) -> None:
        for what in bench.options.only:
            getattr(database, what)(bench)

    if bench.options.postgres:
        return measured(Postgres(bench.options.postgres))
    with PostgresServer() as server:
        measured(Postgres(server.conninfo))


def with_mariadb(bench: Bench) -> None:
    def measured(database: MariaDb) -> None:
        for what in bench.options.only:
            getattr(database, what)(bench)

    if bench.options.mariadb:
        return measured(MariaDb(bench.options.mariadb))
    with MariaDbServer() as server:
        measured(MariaDb(server.socket))


def with_sqlite(bench: Bench) -> None:
    if "write" not in bench.options.only:
        return
    if not shutil.which("sqlite3"):
        raise Missing("there is no sqlite3")
    Sqlite(bench.folder).write(bench)


DATABASES = {"postgres": with_postgres, "mariadb": with_mariadb, "sqlite": with_sqlite}


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/run W6", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--runs", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("-t", "--threads", type=int, default=2, help="cores and threads of each (default: %(default)s)")
    parser.add_argument("--only", default="read,write", help="of: %(default)s")
    parser.add_argument("--databases", default=",".join(DATABASES), help="of: %(default)s")
    parser.add_argument("--memory", action="store_true", help="also show peak memory by the number of rows")
    parser.add_argument("--postgres", metavar="CONNINFO", help="a server that runs, in pairs of libpq, instead of one of our own")
    parser.add_argument("--mariadb", metavar="SOCKET", help="a server that runs, instead of one of our own")
    parser.add_argument("--data", default=os.environ.get("BENCH_DATA", os.path.join(ROOT, "target", "bench-data")))
    parser.add_argument("--dtsx", default=os.path.join(ROOT, "target", "release", "dtsx"), help="the program to run")
    parser.add_argument("--skip-build", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.only = options.only.split(",")
    memory = "/dev/shm"
    roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 3 << 30
    folder = tempfile.mkdtemp(prefix="dtsx-bench-", dir=memory if roomy else None)
    try:
        bench = Bench(options, folder)
        print(f"{len(bench.cores)} of {len(os.sched_getaffinity(0))} cores, {options.threads} threads each, files in "
              f"{'memory' if roomy else folder}, servers that do not wait for the disk, {options.runs} runs in turn", flush=True)
        for name in options.databases.split(","):
            try:
                DATABASES[name](bench)
            except Missing as reason:
                bench.left_out.append(f"{name}: {reason}")
        for reason in bench.left_out:
            print(f"left out: {reason}", flush=True)
        return 1 if bench.failures else 0
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
