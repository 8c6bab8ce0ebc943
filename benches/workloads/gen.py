"""Turns the TPC-H tables in FOLDER/parquet into the delimited files that the workloads read.

usage: gen.py FOLDER

lineitem.csv  6,001,215 rows, 16 columns, ordered by l_orderkey. The five character columns are always quoted.
              One comment in a hundred holds doubled quotes, one in ten holds commas; the rest are the text, a space
              and the text reversed.
orders.csv    1,500,000 rows, nine columns, four of them quoted.
one.csv       the header and the first row of lineitem.csv: start to finish, next to no data.

A file is written under a temporary name and renamed, so that one that exists is whole.
"""

import os
import sys

import duckdb

LINEITEM = """
select l_orderkey, l_partkey, l_suppkey, l_linenumber,
       l_quantity::decimal(15,2) as l_quantity, l_extendedprice::decimal(15,2) as l_extendedprice,
       l_discount::decimal(15,2) as l_discount, l_tax::decimal(15,2) as l_tax,
       l_returnflag, l_linestatus, l_shipdate, l_commitdate, l_receiptdate,
       rpad(l_shipinstruct, 25, ' ') as l_shipinstruct, rpad(l_shipmode, 10, ' ') as l_shipmode,
       case when (l_orderkey * 7 + l_linenumber) % 100 = 0 then replace(l_comment, ' ', '" ')
            when l_orderkey % 10 = 0 then replace(l_comment, ' ', ', ')
            else l_comment || ' ' || reverse(l_comment) end as l_comment
from 'parquet/lineitem.parquet'
"""

ORDERS = """
select o_orderkey, o_custkey, o_orderstatus, o_totalprice::decimal(15,2) as o_totalprice, o_orderdate,
       o_orderpriority, o_clerk, o_shippriority, o_comment
from 'parquet/orders.parquet'
"""

TABLES = {
    "lineitem.csv": (LINEITEM, "l_returnflag, l_linestatus, l_shipinstruct, l_shipmode, l_comment"),
    "orders.csv": (ORDERS, "o_orderstatus, o_orderpriority, o_clerk, o_comment"),
}


def main(folder: str) -> None:
    os.chdir(folder)
    db = duckdb.connect()
    db.execute("set threads = 2")
    db.execute("set preserve_insertion_order = true")
    for name, (query, quoted) in TABLES.items():
        if os.path.exists(name):
            continue
        partial = name + ".partial"
        db.execute(f"copy ({query}) to '{partial}' (format csv, header, delimiter ',', force_quote ({quoted}))")
        os.replace(partial, name)
    if not os.path.exists("one.csv"):
        with open("lineitem.csv", encoding="utf-8") as source, open("one.csv", "w", encoding="utf-8") as one:
            one.write(source.readline())
            one.write(source.readline())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
