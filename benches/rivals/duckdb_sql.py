"""DuckDB. usage: duckdb_sql.py WORKLOAD DATA OUT THREADS"""

import duckdb
from workload import (
    COLUMNS, JOINED, MEMORY, ORDERS, SORTED,
    aggregated, arguments, derived, input_file, joined,
)

workload, data, out, threads = arguments()
db = duckdb.connect()
db.execute(f"set threads = {threads}")
if workload == "W4m":
    db.execute(f"set memory_limit = '{MEMORY >> 20}MiB'")
    db.execute(f"set temp_directory = '{out}/duckdb'")


def rows_of(file: str, kinds: dict) -> str:
    columns = ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items())
    return f"""read_csv('{file}', header = true, delim = ',', quote = '"', escape = '"', auto_detect = false,
        columns = {{{columns}}})"""


source = rows_of(input_file(workload, data), COLUMNS)


def write(query: str, file: str) -> None:
    db.execute(f"copy ({query}) to '{out}/{file}' (format csv, header)")


if workload == "W0":
    write(f"from {source}", "w0.csv")
elif workload == "W2":
    write(joined(source, rows_of(f"{data}/orders.csv", ORDERS)), "w2.csv")
elif workload in ("W4", "W4m"):
    write(f"from {source} order by {', '.join(SORTED)}", "w4.csv")
elif workload == "W5":
    orders = rows_of(f"{data}/orders.csv", ORDERS)
    write(f"select {', '.join(JOINED)} from {source} join {orders} on l_orderkey = o_orderkey", "w5.csv")
elif workload in ("W3a", "W3b"):
    write(aggregated(source, workload), workload.lower() + ".csv")
else:
    stem = workload.lower()
    write(derived(source) + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(derived(source) + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
