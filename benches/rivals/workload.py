"""What the rivals share: the arguments, the columns of the input, and the SQL of the workloads.

Every rival does the work of the package of the same name, no more and no less:
W0  all columns of lineitem.csv parsed to their types and written back, with a header;
W1  five derived columns, rows split by the return flag into two files of 21 columns;
W2  lineitem joined with orders by key, three columns fetched, two derived, nine written;
W3a 4 groups, 5 aggregates;
W3b 800,000 groups, 3 aggregates;
W4  all rows sorted by l_shipdate and l_partkey, all columns out; W4m the same with MEMORY bytes of memory;
W5  lineitem and orders joined on the order key, by which both files are sorted, six columns out;
W7  W1 on a file of one row.
"""

import sys

COLUMNS = {
    "l_orderkey": "bigint", "l_partkey": "bigint", "l_suppkey": "bigint", "l_linenumber": "int",
    "l_quantity": "decimal(15,2)", "l_extendedprice": "decimal(15,2)", "l_discount": "decimal(15,2)",
    "l_tax": "decimal(15,2)", "l_returnflag": "varchar", "l_linestatus": "varchar", "l_shipdate": "date",
    "l_commitdate": "date", "l_receiptdate": "date", "l_shipinstruct": "varchar", "l_shipmode": "varchar",
    "l_comment": "varchar",
}

ORDERS = {
    "o_orderkey": "bigint", "o_custkey": "bigint", "o_orderstatus": "varchar", "o_totalprice": "decimal(15,2)",
    "o_orderdate": "date", "o_orderpriority": "varchar", "o_clerk": "varchar", "o_shippriority": "int",
    "o_comment": "varchar",
}
SORTED = ["l_shipdate", "l_partkey"]
JOINED = ["l_orderkey", "l_linenumber", "l_quantity", "o_custkey", "o_orderdate", "l_comment"]
MEMORY = 1 << 30


def arguments():
    """(workload, data folder, output folder, threads)"""
    workload, data, out, threads = sys.argv[1:5]
    return workload, data.rstrip("/"), out.rstrip("/"), int(threads)


def input_file(workload: str, data: str) -> str:
    return f"{data}/{'one.csv' if workload == 'W7' else 'lineitem.csv'}"


def derived(source: str, year: str = "year(l_shipdate)", substring: str = "substring") -> str:
    """W1's rows as SQL; the parameters are where the dialects differ."""
    return f"""select *, l_extendedprice * (1 - l_discount) as net,
        l_extendedprice * (1 - l_discount) * (1 + l_tax) as charge,
        lower(trim(l_shipmode)) as mode, {substring}(upper(l_comment), 1, 10) as cpre, {year} as shipyear
        from {source}"""


def joined(lineitem: str, orders: str, days: str = "l_shipdate - o_orderdate") -> str:
    """W2's rows as SQL; the parameters are where the dialects differ."""
    return f"""select l_orderkey, l_linenumber, o_custkey, o_orderdate, o_orderpriority,
        l_extendedprice * (1 - l_discount) as net, {days} as days, l_shipmode, l_comment
        from {lineitem} join {orders} on l_orderkey = o_orderkey"""


def aggregated(source: str, workload: str) -> str:
    """The rows of W3a and W3b as SQL."""
    if workload == "W3a":
        return f"""select l_returnflag, l_linestatus, sum(l_quantity) as q, sum(l_extendedprice) as p,
            sum(l_extendedprice * (1 - l_discount)) as n, avg(l_discount) as d, count(*) as c
            from {source} group by l_returnflag, l_linestatus"""
    return f"""select l_partkey, l_suppkey, count(*) as c, sum(l_quantity) as q, max(l_shipdate) as m
        from {source} group by l_partkey, l_suppkey"""
