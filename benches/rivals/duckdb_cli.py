"""DuckDB's command line instead of its Python module: what start to finish costs without an interpreter.

usage: duckdb_cli.py WORKLOAD DATA OUT THREADS   (replaces itself by the program)
"""

import os
import sys

from workload import COLUMNS, ORDERS, arguments, derived, input_file, joined

workload, data, out, threads = arguments()


def rows_of(file: str, kinds: dict) -> str:
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
    return f"""read_csv('{file}', header = true, delim = ',', quote = '"', escape = '"', auto_detect = false,
        columns = {{{columns}}})"""


source = rows_of(input_file(workload, data), COLUMNS)


def copy(query: str, file: str) -> str:
    return f"copy ({query}) to '{out}/{file}' (format csv, header);"


if workload == "W0":
    script = copy(f"from {source}", "w0.csv")
elif workload == "W2":
    script = copy(joined(source, rows_of(f"{data}/orders.csv", ORDERS)), "w2.csv")
else:
    stem = workload.lower()
    script = copy(derived(source) + " where l_returnflag = 'R'", f"{stem}a.csv") + \
        copy(derived(source) + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
program = os.path.join(os.path.dirname(sys.executable), "duckdb")
os.execv(program, [program, "-c", f"set threads = {threads}; {script}"])
