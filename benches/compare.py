"""Runs the workloads with dtsx and its rivals in turn, checks what they wrote, and prints medians.

Started by `benches/run`, which makes the data, installs the rivals and builds dtsx first.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
OURS = "dtsx"
RIVALS = {"duckdb": "duckdb_sql.py", "polars": "polars_lazy.py", "datafusion": "datafusion_sql.py",
          "chdb": "chdb_sql.py", "duckdb-cli": "duckdb_cli.py"}
WORKLOADS = ("W0", "W1", "W2", "W3a", "W3b", "W4", "W4m", "W5", "W7")
OUTPUTS = {"W0": ["w0.csv"], "W1": ["w1a.csv", "w1b.csv"], "W2": ["w2.csv"], "W3a": ["w3a.csv"],
           "W3b": ["w3b.csv"], "W4": ["w4.csv"], "W4m": ["w4.csv"], "W5": ["w5.csv"], "W7": ["w7a.csv", "w7b.csv"]}
AS_THEY_ARE = ("W0", "W4", "W4m")
AGGREGATED = {
    "W3a": {"l_returnflag": "varchar", "l_linestatus": "varchar", "q": "decimal(38,2)", "p": "decimal(38,2)",
            "n": "decimal(38,4)", "d": "decimal(38,6)", "c": "bigint"},
    "W3b": {"l_partkey": "bigint", "l_suppkey": "bigint", "c": "bigint", "q": "decimal(38,2)", "m": "date"},
}

sys.path.insert(0, os.path.join(HERE, "rivals"))
from workload import COLUMNS, JOINED, MEMORY, ORDERS, aggregated, derived, input_file, joined  # noqa: E402


@dataclass
class Cost:
    wall: float
    cpu: float
    peak_mib: float


class Failed(Exception):
    pass


def measure(command: list, cores: list) -> Cost:
    """Wall clock, processor seconds and peak resident memory of one process and all its threads."""
    log = os.memfd_create("output")
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                             preexec_fn=lambda: os.sched_setaffinity(0, cores))
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        os.lseek(log, 0, os.SEEK_SET)
        text = os.read(log, 1 << 20).decode(errors="replace")
        os.close(log)
        raise Failed(f"exit code {child.returncode}: {' '.join(command)}\n{text[-3000:]}")
    os.close(log)
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def command_of(who: str, workload: str, options) -> list:
    if who == OURS:
        limit = ["--memory", str(MEMORY)] if workload == "W4m" else []
        return [options.dtsx, "run", os.path.join(HERE, "workloads", workload.rstrip("m") + ".dtsx"), *limit,
                "--map", rf"C:\Bench\in={options.data}", "--map", rf"C:\Bench\out={options.out}",
                "--threads", str(options.threads)]
    script = os.path.join(HERE, "rivals", RIVALS[who])
    return [sys.executable, script, workload, options.data, options.out, str(options.threads)]


class Checker:
    """Compares an output file, as a bag of typed rows, with the same rows computed from the input.

    Every column is brought to one type first, so that `.04` and `0.04`, or `7.5` and `7.500000`, are the same. Bags,
    because SQL engines may write rows in any order; dtsx keeps the order, and that is checked too.
    """

    def __init__(self, options):
        import duckdb
        self.db = duckdb.connect()
        self.db.execute(f"set threads = {options.threads}")
        self.options, self.wanted = options, {}

    def columns(self, workload: str) -> dict:
        if workload in AGGREGATED:
            return AGGREGATED[workload]
        if workload == "W2":
            kinds = COLUMNS | ORDERS | {"net": "decimal(38,6)", "days": "int"}
            names = ("l_orderkey", "l_linenumber", "o_custkey", "o_orderdate", "o_orderpriority", "net", "days",
                     "l_shipmode", "l_comment")
            return {name: kinds[name] for name in names}
        if workload == "W5":
            return {name: (COLUMNS | ORDERS)[name] for name in JOINED}
        extra = {} if workload in AS_THEY_ARE else {"net": "decimal(38,6)", "charge": "decimal(38,6)", "mode": "varchar",
                                             "cpre": "varchar", "shipyear": "int"}
        return {**COLUMNS, **extra}

    def fingerprint(self, rows: str, workload: str) -> tuple:
        typed = [f"cast({name} as {kind})" for name, kind in self.columns(workload).items()]
        sums = ", ".join(f"sum(hash({value})::hugeint)" for value in typed)
        return self.db.execute(f"select count(*), sum(hash(({', '.join(typed)}))::hugeint), {sums} from {rows}"
                               ).fetchone()

    def expected(self, workload: str) -> list:
        key = workload
        if key not in self.wanted:
            def rows_of(file: str, kinds: dict) -> str:
                columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
                return f"""read_csv('{file}', header = true, delim = ',', quote = '"', escape = '"',
                    auto_detect = false, columns = {{{columns}}})"""

            source = rows_of(input_file(workload, self.options.data), COLUMNS)
            if workload in AS_THEY_ARE:
                queries = [source]
            elif workload == "W2":
                queries = [f"({joined(source, rows_of(self.options.data + '/orders.csv', ORDERS))})"]
            elif workload == "W5":
                queries = [f"{source} join {rows_of(self.options.data + '/orders.csv', ORDERS)} on l_orderkey = o_orderkey"]
            elif workload in AGGREGATED:
                queries = [f"({aggregated(source, workload)})"]
            else:
                queries = [f"({derived(source)} where l_returnflag {test} 'R')" for test in ("=", "<>")]
            self.wanted[key] = [self.fingerprint(query, workload) for query in queries]
        return self.wanted[key]

    def check(self, who: str, workload: str) -> int:
        """Rows written. Raises `Failed` when they are not the right ones."""
        names = list(self.columns(workload))
        total = 0
        for file, wanted in zip(OUTPUTS[workload], self.expected(workload)):
            path = os.path.join(self.options.out, file)
            if not os.path.exists(path):
                if wanted[0] == 0:
                    continue
                raise Failed(f"{who} {workload}: {file} was not written")
            columns = ", ".join(f"'{name}': 'varchar'" for name in names)
            source = f"""read_csv('{path}', header = true, delim = ',', quote = '"', escape = '"',
                auto_detect = false, columns = {{{columns}}})"""
            with open(path, encoding="utf-8") as text:
                header = [name.strip('"') for name in text.readline().rstrip("\r\n").split(",")]
            if header != names and wanted[0] > 0:
                raise Failed(f"{who} {workload}: {file} has the header {header}")
            found = self.fingerprint(source, workload)
            if found != wanted:
                wrong = [name for name, a, b in zip(["the number of rows", "whole rows", *names], found, wanted)
                         if a != b]
                raise Failed(f"{who} {workload}: {file} differs in {', '.join(wrong)} "
                             f"({found[0]} rows, {wanted[0]} expected)")
            if who == OURS and workload not in AGGREGATED:
                self.check_order(source, file, workload)
            total += found[0]
        return total

    def check_order(self, source: str, file: str, workload: str) -> None:
        """The order of the input, or of the sort: rows with equal keys stay in the order of the input."""
        place = "l_orderkey::bigint, l_linenumber::int"
        if workload in ("W4", "W4m"):
            place = f"l_shipdate::date, l_partkey::bigint, {place}"
        (wrong,) = self.db.execute(f"""select count(*) from (
            select ({place}) as this, lag(this) over () as before from {source})
            where before > this""").fetchone()
        if wrong:
            raise Failed(f"{OURS} {workload}: {file} is out of order at {wrong} places")


def warm(options) -> None:
    """Reads the input once, so that the first program does not pay for the disk."""
    for name in ("lineitem.csv", "orders.csv", "one.csv"):
        with open(os.path.join(options.data, name), "rb", buffering=0) as file:
            while file.read(1 << 24):
                pass


def clean(options) -> None:
    shutil.rmtree(options.out, ignore_errors=True)
    os.makedirs(options.out)


def table(rows: list) -> str:
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = []
    for n, row in enumerate(rows):
        cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("| " + " | ".join(cells) + " |")
        if n == 0:
            lines.append("|" + "|".join("-" * (width + 1) + (":" if k else "-")
                                        for k, width in enumerate(widths)) + "|")
    return "\n".join(lines)


def report(workload: str, costs: dict, written: dict) -> str:
    def median(who: str) -> Cost:
        runs = costs[who]
        return Cost(*(statistics.median(getattr(run, name) for run in runs) for name in ("wall", "cpu", "peak_mib")))

    base = median(OURS) if costs.get(OURS) else None
    rows = [["", "wall s", "CPU s", "peak MiB", "wall ÷ ours", "CPU ÷ ours", "spread", "rows"]]
    for who, runs in costs.items():
        if not runs:
            rows.append([who, "failed", "", "", "", "", "", ""])
            continue
        cost = median(who)
        walls = [run.wall for run in runs]
        spread = f"{min(walls):.3f}–{max(walls):.3f}"
        ratios = [f"{cost.wall / base.wall:.2f}", f"{cost.cpu / base.cpu:.2f}"] if base else ["", ""]
        rows.append([who, f"{cost.wall:.3f}", f"{cost.cpu:.2f}", f"{cost.peak_mib:.0f}", *ratios, spread,
                     str(written.get(who, "not checked"))])
    return f"\n{workload}: median of {max(len(runs) for runs in costs.values())}\n{table(rows)}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="benches/run", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-w", "--workloads", default=",".join(WORKLOADS), help="comma separated, of: %(default)s")
    parser.add_argument("-r", "--rivals", default="duckdb,polars,datafusion,chdb",
                        help="comma separated, of: " + ", ".join(RIVALS) + "; 'none' for dtsx alone "
                        "(default: %(default)s; duckdb-cli joins W7 by itself)")
    parser.add_argument("-n", "--runs", type=int, default=3, help="runs of each (default: %(default)s)")
    parser.add_argument("-t", "--threads", type=int, default=2, help="cores and threads of each (default: %(default)s)")
    parser.add_argument("--no-ours", action="store_true", help="only the rivals")
    parser.add_argument("--no-check", action="store_true", help="do not check what was written")
    parser.add_argument("--data", default=os.environ.get("BENCH_DATA", os.path.join(ROOT, "target", "bench-data")))
    parser.add_argument("--out", help="output folder (default: in memory where there is room)")
    parser.add_argument("--dtsx", default=os.path.join(ROOT, "target", "release", "dtsx"), help="the program to run")
    parser.add_argument("--skip-build", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()

    workloads = options.workloads.split(",")
    rivals = [] if options.rivals == "none" else options.rivals.split(",")
    for unknown in [name for name in workloads if name not in WORKLOADS] + \
            [name for name in rivals if name not in RIVALS]:
        parser.error(f"there is no {unknown}")
    options.data = os.path.abspath(options.data)
    if not options.out:
        memory = "/dev/shm"
        roomy = os.path.isdir(memory) and shutil.disk_usage(memory).free > 4 << 30
        options.out = os.path.join(memory if roomy else options.data, "dtsx-bench-out")
    options.out = os.path.abspath(options.out)
    cores = sorted(os.sched_getaffinity(0))[:options.threads]
    print(f"{len(cores)} of {len(os.sched_getaffinity(0))} cores, {options.threads} threads each, "
          f"output to {'memory' if options.out.startswith('/dev/shm') else 'disk'}, {options.runs} runs in turn")

    checker = None if options.no_check else Checker(options)
    warm(options)
    failures = 0
    try:
        for workload in workloads:
            extra = ["duckdb-cli"] if workload == "W7" and rivals and "duckdb-cli" not in rivals else []
            entrants = ([] if options.no_ours else [OURS]) + rivals + extra
            costs, written, out_of_race = {who: [] for who in entrants}, {}, set()
            for _ in range(options.runs):
                for who in entrants:
                    if who in out_of_race:
                        continue
                    clean(options)
                    try:
                        cost = measure(command_of(who, workload, options), cores)
                        if checker and who not in written:
                            written[who] = checker.check(who, workload)
                        costs[who].append(cost)
                    except Failed as problem:
                        print(f"{who} {workload}: {problem}", file=sys.stderr)
                        out_of_race.add(who)
                        costs[who] = []
                        failures += 1
            print(report(workload, costs, written), flush=True)
    finally:
        shutil.rmtree(options.out, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.exit(main())
