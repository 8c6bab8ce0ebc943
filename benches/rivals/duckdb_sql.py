"""DuckDB. usage: duckdb_sql.py WORKLOAD DATA OUT THREADS"""

import duckdb
from workload import COLUMNS, arguments, derived, input_file

workload, data, out, threads = arguments()
db = duckdb.connect()
db.execute(f"set threads = {threads}")
columns = ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items())
source = f"""read_csv('{input_file(workload, data)}', header = true, delim = ',', quote = '"', escape = '"',
    auto_detect = false, columns = {{{columns}}})"""


def write(query: str, file: str) -> None:
    db.execute(f"copy ({query}) to '{out}/{file}' (format csv, header)")


if workload == "W0":
    write(f"from {source}", "w0.csv")
else:
    stem = workload.lower()
    write(derived(source) + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(derived(source) + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
