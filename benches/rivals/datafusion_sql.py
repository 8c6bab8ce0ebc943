"""DataFusion. usage: datafusion_sql.py WORKLOAD DATA OUT THREADS"""

from datafusion import RuntimeEnvBuilder, SessionConfig, SessionContext
from workload import (
    COLUMNS, JOINED, MEMORY, ORDERS, SORTED,
    aggregated, arguments, derived, input_file, joined,
)

workload, data, out, threads = arguments()
runtime = RuntimeEnvBuilder()
if workload == "W4m":
    runtime = runtime.with_disk_manager_os().with_fair_spill_pool(MEMORY)
session = SessionContext(SessionConfig().with_target_partitions(threads), runtime)


def table(name: str, file: str, kinds: dict) -> None:
    columns = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
    session.sql(f"create external table {name} ({columns}) stored as csv location '{file}' "
                "options ('format.has_header' 'true')").collect()


table("lineitem", input_file(workload, data), COLUMNS)


def write(query: str, file: str) -> None:
    session.sql(f"copy ({query}) to '{out}/{file}' stored as csv options ('format.has_header' 'true')").collect()


if workload == "W0":
    write("select * from lineitem", "w0.csv")
elif workload == "W2":
    table("orders", f"{data}/orders.csv", ORDERS)
    # A difference of dates is an interval there; of days since 1970 it is a number.
    write(joined("lineitem", "orders", "cast(l_shipdate as int) - cast(o_orderdate as int)"), "w2.csv")
elif workload in ("W4", "W4m"):
    write(f"select * from lineitem order by {', '.join(SORTED)}", "w4.csv")
elif workload == "W5":
    table("orders", f"{data}/orders.csv", ORDERS)
    write(f"select {', '.join(JOINED)} from lineitem join orders on l_orderkey = o_orderkey", "w5.csv")
elif workload in ("W3a", "W3b"):
    write(aggregated("lineitem", workload), workload.lower() + ".csv")
else:
    stem = workload.lower()
    rows = derived("lineitem", year="date_part('year', l_shipdate)", substring="substr")
    write(rows + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(rows + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
