"""DataFusion. usage: datafusion_sql.py WORKLOAD DATA OUT THREADS"""

from datafusion import SessionConfig, SessionContext
from workload import COLUMNS, arguments, derived, input_file

workload, data, out, threads = arguments()
session = SessionContext(SessionConfig().with_target_partitions(threads))
columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
session.sql(f"create external table lineitem ({columns}) stored as csv location '{input_file(workload, data)}' "
            "options ('format.has_header' 'true')").collect()


def write(query: str, file: str) -> None:
    session.sql(f"copy ({query}) to '{out}/{file}' stored as csv options ('format.has_header' 'true')").collect()


if workload == "W0":
    write("select * from lineitem", "w0.csv")
else:
    stem = workload.lower()
    rows = derived("lineitem", year="date_part('year', l_shipdate)", substring="substr")
    write(rows + " where l_returnflag = 'R'", f"{stem}a.csv")
    write(rows + " where l_returnflag <> 'R' or l_returnflag is null", f"{stem}b.csv")
