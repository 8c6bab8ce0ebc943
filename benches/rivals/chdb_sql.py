"""chDB, ClickHouse in a process. usage: chdb_sql.py WORKLOAD DATA OUT THREADS"""

import chdb
from workload import COLUMNS, arguments, derived, input_file

workload, data, out, threads = arguments()
types = {"bigint": "Int64", "int": "Int32", "decimal(15,2)": "Decimal(15,2)", "varchar": "String", "date": "Date32"}
columns = ", ".join(f"{name} {types[kind]}" for name, kind in COLUMNS.items())
source = f"file('{input_file(workload, data)}', 'CSVWithNames', '{columns}')"


def write(query: str, file: str) -> None:
    chdb.query(f"insert into function file('{out}/{file}', 'CSVWithNames') {query} "
               f"settings max_threads = {threads}, engine_file_truncate_on_insert = 1")


if workload == "W0":
    write(f"select * from {source}", "w0.csv")
else:
    stem = workload.lower()
    rows = derived(source, year="toYear(l_shipdate)")
    write(rows + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(rows + " where l_returnflag <> 'R'", f"{stem}b.csv")
