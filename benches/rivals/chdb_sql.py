"""chDB, ClickHouse in a process. usage: chdb_sql.py WORKLOAD DATA OUT THREADS"""

import chdb
from workload import (
    COLUMNS, JOINED, MEMORY, ORDERS, SORTED,
    aggregated, arguments, derived, input_file, joined,
)

workload, data, out, threads = arguments()
types = {"bigint": "Int64", "int": "Int32", "decimal(15,2)": "Decimal(15,2)", "varchar": "String", "date": "Date32"}
limits = f", max_bytes_before_external_sort = {MEMORY // 2}, max_memory_usage = {MEMORY}" if workload == "W4m" else ""


def rows_of(file: str, kinds: dict) -> str:
    columns = ", ".join(f"{name} {types[kind]}" for name, kind in kinds.items())
    return f"file('{file}', 'CSVWithNames', '{columns}')"


source = rows_of(input_file(workload, data), COLUMNS)


def write(query: str, file: str) -> None:
    chdb.query(f"insert into function file('{out}/{file}', 'CSVWithNames') {query} "
               f"settings max_threads = {threads}, engine_file_truncate_on_insert = 1{limits}")


if workload == "W0":
    write(f"select * from {source}", "w0.csv")
elif workload == "W2":
    write(joined(f"{source} as l", f"{rows_of(f'{data}/orders.csv', ORDERS)} as o", "dateDiff('day', o_orderdate, l_shipdate)"), "w2.csv")
elif workload in ("W4", "W4m"):
    write(f"select * from {source} order by {', '.join(SORTED)}", "w4.csv")
elif workload == "W5":
    orders = rows_of(f"{data}/orders.csv", ORDERS)
    write(f"select {', '.join(JOINED)} from {source} as l join {orders} as o on l_orderkey = o_orderkey", "w5.csv")
elif workload in ("W3a", "W3b"):
    write(aggregated(source, workload), workload.lower() + ".csv")
else:
    stem = workload.lower()
    rows = derived(source, year="toYear(l_shipdate)")
    write(rows + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(rows + " where l_returnflag <> 'R'", f"{stem}b.csv")
