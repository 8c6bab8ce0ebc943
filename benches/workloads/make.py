"""Makes the workload packages beside this file. usage: make.py [FOLDER]

With FOLDER they go there instead; a test compares them with the committed ones.
The paths in the packages are a designer's: `C:\\Bench\\in` and `C:\\Bench\\out`; a run maps them (`--map`).
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "packages"))

from designer import DBDATE, I4, I8, NUMERIC, STR, UI8, WSTR, DataFlow, FileColumn, Package  # noqa: E402

MONEY = NUMERIC(15, 2)
LINEITEM = [("l_orderkey", I8), ("l_partkey", I8), ("l_suppkey", I8), ("l_linenumber", I4), ("l_quantity", MONEY),
            ("l_extendedprice", MONEY), ("l_discount", MONEY), ("l_tax", MONEY), ("l_returnflag", STR(1)),
            ("l_linestatus", STR(1)), ("l_shipdate", DBDATE), ("l_commitdate", DBDATE), ("l_receiptdate", DBDATE),
            ("l_shipinstruct", STR(25)), ("l_shipmode", STR(10)), ("l_comment", STR(100))]

ORDERS = [("o_orderkey", I8), ("o_custkey", I8), ("o_orderstatus", STR(1)), ("o_totalprice", MONEY),
          ("o_orderdate", DBDATE), ("o_orderpriority", STR(15)), ("o_clerk", STR(15)), ("o_shippriority", I4),
          ("o_comment", STR(100))]

# What an expression's type is, operand by operand: 1 is DT_I4, that is (10,0) in arithmetic with DT_NUMERIC;
# 1 - l_discount: scale 2, precision 2 + max(10, 13) + 1 = 16; times (15,2): (32,4). Times (16,2) once more would be 49
# digits, which SSIS refuses, so the second product casts both factors: (18,4) * (15,2) = (34,6).
DERIVED = [("net", NUMERIC(32, 4), "l_extendedprice * (1 - l_discount)"),
           ("charge", NUMERIC(34, 6),
            "(DT_NUMERIC,18,4)(l_extendedprice * (1 - l_discount)) * (DT_NUMERIC,15,2)(1 + l_tax)"),
           ("mode", WSTR(10), "LOWER(TRIM(l_shipmode))"),
           ("cpre", WSTR(10), "SUBSTRING(UPPER(l_comment),1,10)"),
           ("shipyear", I4, "YEAR(l_shipdate)")]


def file_columns(columns: list) -> list:
    return [FileColumn(name, kind, qualified=kind.name in ("str", "wstr")) for name, kind in columns]


def flat(package: Package, name: str, path: str, columns: list):
    return package.flat_file(name, path, file_columns(columns), qualifier='"', row_end="\n")


def round_trip() -> Package:
    """W0: all 16 columns parsed to their types and written back."""
    package = Package("W0")
    flow = package.add(DataFlow("Round trip"))
    source = flow.flat_file_source("Lineitem", flat(package, "Lineitem", r"C:\Bench\in\lineitem.csv", LINEITEM))
    flow.flat_file_destination("Copy", source.outputs[0], flat(package, "Copy", r"C:\Bench\out\w0.csv", LINEITEM),
                               escape_qualifier=True)
    return package


def derive_and_split(name: str, file: str) -> Package:
    """W1 and W7: five derived columns, split into two files of 21 columns."""
    package = Package(name)
    flow = package.add(DataFlow("Derive and split"))
    source = flow.flat_file_source("Lineitem", flat(package, "Lineitem", rf"C:\Bench\in\{file}", LINEITEM))
    derived = flow.derived_column("Amounts", source.outputs[0], DERIVED)
    split = flow.conditional_split("By return flag", derived.outputs[0], [("Returned", 'l_returnflag == "R"')],
                                   "Not returned")
    wide = LINEITEM + [(column, kind) for column, kind, _ in DERIVED]
    stem = name.lower()
    for output, title, suffix in ((0, "Returned", "a"), (1, "Not returned", "b")):
        flow.flat_file_destination(f"{title} file", split.outputs[output],
                                   flat(package, f"{title} file", rf"C:\Bench\out\{stem}{suffix}.csv", wide),
                                   escape_qualifier=True)
    return package


def look_up() -> Package:
    """W2: lineitem looked up in orders by key, three columns fetched, two derived, nine written. The reference comes
    through a cache that a first data flow fills, so that reading it is part of the work, as it is for the rivals."""
    package = Package("W2")
    types = dict(ORDERS)
    cached = ["o_orderkey", "o_custkey", "o_orderdate", "o_orderpriority"]
    cache = package.cache("Orders cache", [FileColumn(name, types[name]) for name in cached], ["o_orderkey"])
    fill = package.add(DataFlow("Fill the cache"))
    orders = fill.flat_file_source("Orders", flat(package, "Orders", r"C:\Bench\in\orders.csv", ORDERS))
    fill.cache_transform("Cache", orders.outputs[0], cache)
    flow = package.add(DataFlow("Look up"))
    package.then(fill, flow)
    source = flow.flat_file_source("Lineitem", flat(package, "Lineitem", r"C:\Bench\in\lineitem.csv", LINEITEM))
    found = flow.lookup("Orders by key", source.outputs[0], cache, {"l_orderkey": "o_orderkey"}, cached[1:],
                        no_match=True)
    derived = flow.derived_column("Net and days", found.outputs[0], [
        ("net", NUMERIC(32, 4), "l_extendedprice * (1 - l_discount)"),
        ("days", I4, 'DATEDIFF("dd",o_orderdate,l_shipdate)')])
    types |= dict(LINEITEM) | {"net": NUMERIC(32, 4), "days": I4}
    written = ["l_orderkey", "l_linenumber", "o_custkey", "o_orderdate", "o_orderpriority", "net", "days", "l_shipmode",
               "l_comment"]
    flow.flat_file_destination("Found file", derived.outputs[0],
                               flat(package, "Found file", r"C:\Bench\out\w2.csv", [(n, types[n]) for n in written]),
                               escape_qualifier=True)
    return package


def sort() -> Package:
    """W4 and W4m: sorted by two columns, all columns out."""
    package = Package("W4")
    flow = package.add(DataFlow("Sort"))
    source = flow.flat_file_source("Lineitem", flat(package, "Lineitem", r"C:\Bench\in\lineitem.csv", LINEITEM))
    sorted_rows = flow.sort("By date and part", source.outputs[0], ["l_shipdate", "l_partkey"])
    flow.flat_file_destination("Sorted", sorted_rows.outputs[0],
                               flat(package, "Sorted", r"C:\Bench\out\w4.csv", LINEITEM), escape_qualifier=True)
    return package


def merge_join() -> Package:
    """W5: two files that are sorted by their keys, joined."""
    package = Package("W5")
    flow = package.add(DataFlow("Merge join"))
    sides = []
    for name, file, columns in (("Lineitem", "lineitem.csv", LINEITEM), ("Orders", "orders.csv", ORDERS)):
        source = flow.flat_file_source(name, flat(package, name, rf"C:\Bench\in\{file}", columns))
        source.outputs[0].is_sorted = True
        source.outputs[0].columns[0].sort_key = 1
        sides.append(source.outputs[0])
    names = [(0, "l_orderkey"), (0, "l_linenumber"), (0, "l_quantity"), (1, "o_custkey"), (1, "o_orderdate"),
             (0, "l_comment")]
    joined = flow.merge_join("On the order", *sides, names)
    kinds = dict(LINEITEM + ORDERS)
    flow.flat_file_destination("Joined", joined.outputs[0],
                               flat(package, "Joined", r"C:\Bench\out\w5.csv",
                                    [(name, kinds[name]) for _, name in names]), escape_qualifier=True)
    return package


def aggregate(name: str, file: str, derive: list, columns: list) -> Package:
    """W3a and W3b: groups of lineitem, written to a file."""
    package = Package(name)
    flow = package.add(DataFlow("Aggregate"))
    rows = flow.flat_file_source("Lineitem", flat(package, "Lineitem", rf"C:\Bench\in\{file}", LINEITEM)).outputs[0]
    if derive:
        rows = flow.derived_column("Amounts", rows, derive).outputs[0]
    groups = flow.aggregate("Groups", rows, columns)
    flow.flat_file_destination("Groups file", groups.outputs[0],
                               flat(package, "Groups file", rf"C:\Bench\out\{name.lower()}.csv",
                                    [(column, kind) for column, kind, _, _ in columns]), escape_qualifier=True)
    return package


# The average of a DT_NUMERIC has its scale; other engines give a float, so the discount gets more digits first.
FEW_GROUPS = ([DERIVED[0], ("discount", NUMERIC(18, 8), "(DT_NUMERIC,18,8)l_discount")],
              [("l_returnflag", STR(1), "group by", "l_returnflag"),
               ("l_linestatus", STR(1), "group by", "l_linestatus"),
               ("q", NUMERIC(15, 2), "sum", "l_quantity"), ("p", NUMERIC(15, 2), "sum", "l_extendedprice"),
               ("n", NUMERIC(32, 4), "sum", "net"), ("d", NUMERIC(18, 8), "average", "discount"),
               ("c", UI8, "count all", None)])
MANY_GROUPS = ([], [("l_partkey", I8, "group by", "l_partkey"), ("l_suppkey", I8, "group by", "l_suppkey"),
                    ("c", UI8, "count all", None), ("q", NUMERIC(15, 2), "sum", "l_quantity"),
                    ("m", DBDATE, "maximum", "l_shipdate")])


def load() -> Package:
    """W6, the writing half: the first 600,000 rows of lineitem into a table `tgt`, all columns."""
    package = Package("W6in")
    flow = package.add(DataFlow("Load"))
    source = flow.flat_file_source("Lineitem", flat(package, "Lineitem", r"C:\Bench\in\li600k.csv", LINEITEM))
    target = package.oledb("Target", "Data Source=.;Initial Catalog=Bench;Provider=SQLNCLI11.1;"
                                      "Integrated Security=SSPI;")
    flow.oledb_destination("Table", source.outputs[0], target, "tgt", LINEITEM)
    return package


def read(name: str, arrow: bool) -> Package:
    """W6, the reading half: all of a table `lineitem`, to a file or to whoever reads the DataReader destination."""
    package = Package(name)
    flow = package.add(DataFlow("Read"))
    source = package.oledb("Source", "Data Source=.;Initial Catalog=Bench;Provider=SQLNCLI11.1;"
                                      "Integrated Security=SSPI;")
    rows = flow.oledb_source("Lineitem", source, "lineitem", LINEITEM).outputs[0]
    if arrow:
        flow.data_reader("Rows", rows, [column for column, _ in LINEITEM])
    else:
        flow.flat_file_destination("Lineitem file", rows,
                                   flat(package, "Lineitem file", r"C:\Bench\out\w6.csv", LINEITEM), escape_qualifier=True)
    return package


if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else HERE
    for made in (round_trip(), derive_and_split("W1", "lineitem.csv"), look_up(), aggregate("W3a", "lineitem.csv", *FEW_GROUPS),
                 aggregate("W3b", "lineitem.csv", *MANY_GROUPS), sort(), merge_join(), load(),
                 read("W6out", arrow=False), read("W6arrow", arrow=True),
                 derive_and_split("W7", "one.csv")):
        made.save(os.path.join(folder, made.name + ".dtsx"))
