"""Polars, lazy and streaming. usage: polars_lazy.py WORKLOAD DATA OUT THREADS"""

import os

from workload import COLUMNS, JOINED, ORDERS, SORTED, arguments, input_file

workload, data, out, threads = arguments()
os.environ["POLARS_MAX_THREADS"] = str(threads)

import polars as pl  # noqa: E402  (reads the variable when it is imported)

money = pl.Decimal(15, 2)
types = {"bigint": pl.Int64, "int": pl.Int32, "decimal(15,2)": money, "varchar": pl.String, "date": pl.Date}


def scan(path: str, columns: dict):
    return pl.scan_csv(path, schema={name: types[kind] for name, kind in columns.items()})


rows = scan(input_file(workload, data), COLUMNS)

if workload == "W0":
    rows.sink_csv(f"{out}/w0.csv", engine="streaming")
elif workload == "W2":
    orders = scan(f"{data}/orders.csv", ORDERS)
    four = pl.Decimal(38, 4)
    net = pl.col("l_extendedprice").cast(four) * (pl.lit(1, dtype=money) - pl.col("l_discount")).cast(four)
    rows.join(orders, left_on="l_orderkey", right_on="o_orderkey").select(
        "l_orderkey", "l_linenumber", "o_custkey", "o_orderdate", "o_orderpriority", net.alias("net"),
        (pl.col("l_shipdate") - pl.col("o_orderdate")).dt.total_days().alias("days"), "l_shipmode", "l_comment",
    ).sink_csv(f"{out}/w2.csv", engine="streaming")
elif workload in ("W4", "W4m"):
    # There is no option that bounds its memory.
    rows.sort(SORTED).sink_csv(f"{out}/w4.csv", engine="streaming")
elif workload == "W5":
    orders = scan(f"{data}/orders.csv", ORDERS).set_sorted("o_orderkey")
    joined = rows.set_sorted("l_orderkey").join(orders, left_on="l_orderkey", right_on="o_orderkey",
                                                maintain_order="left")
    joined.select(JOINED).sink_csv(f"{out}/w5.csv", engine="streaming")
elif workload == "W3a":
    c, four = pl.col, pl.Decimal(38, 4)
    net = c("l_extendedprice").cast(four) * (pl.lit(1, dtype=money) - c("l_discount")).cast(four)
    rows.group_by("l_returnflag", "l_linestatus").agg(
        q=c("l_quantity").sum(), p=c("l_extendedprice").sum(), n=net.sum(), d=c("l_discount").mean(), c=pl.len(),
    ).sink_csv(f"{out}/w3a.csv", engine="streaming")
elif workload == "W3b":
    rows.group_by("l_partkey", "l_suppkey").agg(
        c=pl.len(), q=pl.col("l_quantity").sum(), m=pl.col("l_shipdate").max(),
    ).sink_csv(f"{out}/w3b.csv", engine="streaming")
else:
    one = pl.lit(1, dtype=money)
    # A product has the larger scale of its factors, so they are widened first: four digits, then six.
    four, six = pl.Decimal(38, 4), pl.Decimal(38, 6)
    net = pl.col("l_extendedprice").cast(four) * (one - pl.col("l_discount")).cast(four)
    rows = rows.with_columns(
        net=net,
        charge=net.cast(six) * (one + pl.col("l_tax")).cast(six),
        mode=pl.col("l_shipmode").str.strip_chars().str.to_lowercase(),
        cpre=pl.col("l_comment").str.to_uppercase().str.slice(0, 10),
        shipyear=pl.col("l_shipdate").dt.year(),
    )
    returned = pl.col("l_returnflag") == "R"
    stem = workload.lower()
    pl.collect_all([
        rows.filter(returned).sink_csv(f"{out}/{stem}a.csv", lazy=True),
        rows.filter(~returned).sink_csv(f"{out}/{stem}b.csv", lazy=True),
    ], engine="streaming")
