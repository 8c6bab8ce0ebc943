"""DataFusion. usage: datafusion_sql.py WORKLOAD DATA OUT THREADS"""

from datafusion import SessionConfig, SessionContext
from workload import COLUMNS, ORDERS, arguments, derived, input_file, joined

workload, data, out, threads = arguments()
session = SessionContext(SessionConfig().with_target_partitions(threads))


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
else:
    stem = workload.lower()
    rows = derived("lineitem", year="date_part('year', l_shipdate)", substring="substr")
    write(rows + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(rows + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
