"""Makes the packages of this folder and `examples/orders/orders.dtsx`. usage: make.py [FOLDER]

With FOLDER they all go there instead; a test compares them with the committed ones. The packages are committed: the tests do not need Python. Paths are a designer's (`C:\\Data\\in`, `C:\\Data\\out`),
a run maps them. What each package must produce is in `expected/`, written by hand.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from designer import (BOOL, DBDATE, I4, NUMERIC, R8, STR, WSTR, Container, DataFlow, FileColumn,  # noqa: E402
                      Package, Variable, execute_sql_task, expression_task, file_system_task, handler)

IN, OUT = r"C:\Data\in", r"C:\Data\out"
MONEY = NUMERIC(10, 2)
# The raw line of a flat file source's error output may end in the row delimiter.
WITHOUT_LINE_END = r'REPLACE(REPLACE(raw,"\r",""),"\n","")'
SALES = [("id", I4), ("region", STR(10)), ("amount", MONEY), ("sold", DBDATE)]


def file_columns(columns: list) -> list:
    return [FileColumn(name, kind) for name, kind in columns]


def flat(package: Package, name: str, path: str, columns: list, **more):
    return package.flat_file(name, path, file_columns(columns), **more)


def derive_and_split(name: str, fmt: int) -> Package:
    """Source, derived columns (new and replaced), a split of three ways, row counts, three files."""
    package = Package(name, fmt)
    package.variable("Big", 3, "0")
    package.variable("Limit", 3, "100")
    flow = package.add(DataFlow("Split sales"))
    source = flow.flat_file_source("Sales", flat(package, "Sales", IN + r"\sales.csv", SALES))
    derived = flow.derived_column(
        "Amounts", source.outputs[0],
        new=[("gross", NUMERIC(14, 4), "amount * (DT_NUMERIC,3,2)1.25"),
             ("year", I4, "YEAR(sold)"),
             ("label", WSTR(14), 'SUBSTRING(region,1,2) + "-" + (DT_WSTR,11)id')],
        replace={"region": "(DT_STR,10,1252)UPPER(TRIM(region))"})
    split = flow.conditional_split("By amount", derived.outputs[0],
                                   [("Big", "amount >= @[User::Limit]"), ("Refunds", "amount < 0")], "Rest")
    counted = flow.row_count("Count big", split.outputs[0], "User::Big")
    wide = [("id", I4), ("region", STR(10)), ("amount", MONEY), ("gross", NUMERIC(14, 4)), ("year", I4),
            ("label", WSTR(14))]
    for output, title in ((counted.outputs[0], "big"), (split.outputs[1], "refunds"), (split.outputs[2], "rest")):
        flow.flat_file_destination(f"To {title}", output, flat(package, title, rf"{OUT}\{title}.csv", wide))
    return package


def foreach_file(name: str, fmt: int) -> Package:
    """Every parts_*.csv appended to one file; the connection's path follows the loop's variable."""
    package = Package(name, fmt)
    package.variable("File", 8, IN + r"\parts_1.csv")
    package.variable("Files", 3, "0")
    columns = [("part", STR(20)), ("pieces", I4)]
    loop = package.add(Container("ForEachFile", "Every part file", folder=IN, spec="parts_*.csv",
                                 variable="User::File"))
    flow = loop.add(DataFlow("Append"))
    parts = flat(package, "Parts", IN + r"\parts_1.csv", columns)
    parts.expressions["ConnectionString"] = "@[User::File]"
    source = flow.flat_file_source("Parts", parts)
    flow.flat_file_destination("All parts", source.outputs[0],
                               flat(package, "All parts", OUT + r"\all_parts.csv", columns, header=False),
                               overwrite=False)
    return package


def parallel_branches(name: str, fmt: int) -> Package:
    """Two data flows side by side, a third after both; in it a multicast, a conversion and a union."""
    package = Package(name, fmt)
    package.variable("North", 3, "0")
    package.variable("South", 3, "0")
    flows = []
    for half in ("North", "South"):
        flow = package.add(DataFlow(half))
        source = flow.flat_file_source("Sales", flat(package, f"Sales {half}", IN + r"\sales.csv", SALES))
        split = flow.conditional_split("Half", source.outputs[0], [(half, f'TRIM(region) == "{half.lower()}"')],
                                       "Other")
        counted = flow.row_count("Count", split.outputs[0], f"User::{half}")
        flow.flat_file_destination("To file", counted.outputs[0],
                                   flat(package, f"{half} file", rf"{OUT}\{half.lower()}.csv", SALES))
        flows.append(flow)
    last = package.add(DataFlow("Together"))
    last.delayed = True  # Its files do not exist before the others have run.
    sources = [last.flat_file_source(half, flat(package, f"{half} again", rf"{OUT}\{half.lower()}.csv", SALES))
               for half in ("North", "South")]
    union = last.union_all("Both", [item.outputs[0] for item in sources],
                           [("id", I4, ["id", "id"]), ("region", STR(10), ["region", "region"]),
                            ("amount", MONEY, ["amount", "amount"])])
    converted = last.data_conversion("To text", union.outputs[0], [("amount", "amount_r8", R8),
                                                                   ("id", "id_text", WSTR(11))])
    copies = last.multicast("Twice", converted.outputs[0], 2)
    last.flat_file_destination("Ids", copies.outputs[0],
                               flat(package, "Ids", OUT + r"\ids.csv", [("id_text", WSTR(11))]))
    last.flat_file_destination("Amounts", copies.outputs[1],
                               flat(package, "Amounts", OUT + r"\amounts.csv", [("id", I4), ("amount_r8", R8)]))
    for flow in flows:
        package.then(flow, last)
    return package


def error_redirect(name: str, fmt: int) -> Package:
    """Bad rows of the source and of a derived column go to files of their own."""
    package = Package(name, fmt)
    package.variable("Bad", 3, "0")
    flow = package.add(DataFlow("Load"))
    source = flow.flat_file_source("Readings", flat(package, "Readings", IN + r"\readings.csv",
                                                    [("id", I4), ("value", I4), ("unit", STR(3))]),
                                   error="RedirectRow", truncation="RedirectRow")
    derived = flow.derived_column("Ratio", source.outputs[0], [("ratio", I4, "100 / value")], error="RedirectRow")
    flow.flat_file_destination("Good", derived.outputs[0],
                               flat(package, "Good", OUT + r"\good.csv", [("id", I4), ("ratio", I4), ("unit", STR(3))]))
    flow.flat_file_destination("Not computed", derived.outputs[1],
                               flat(package, "Not computed", OUT + r"\not_computed.csv",
                                    [("id", I4), ("value", I4), ("ErrorCode", I4)]))
    counted = flow.row_count("Count bad", source.outputs[1], "User::Bad")
    raw = "Flat File Source Error Output Column"
    converted = flow.data_conversion("Line", counted.outputs[0], [(raw, "raw", STR(60))])
    cleaned = flow.derived_column("Without line end", converted.outputs[0], [("line", WSTR(60), WITHOUT_LINE_END)])
    flow.flat_file_destination("Not read", cleaned.outputs[0],
                               flat(package, "Not read", OUT + r"\not_read.csv",
                                    [("line", WSTR(60))]))
    return package


def load_tables(name: str, fmt: int) -> Package:
    """A split into two tables of one database; what the second one refuses goes to a file."""
    package = Package(name, fmt)
    flow = package.add(DataFlow("Load"))
    source = flow.flat_file_source("Sales", flat(package, "Sales", IN + r"\sales.csv", SALES))
    split = flow.conditional_split("By amount", source.outputs[0], [("Big", "amount >= 100")], "Small")
    database = package.oledb("Sales database", rf"Driver=SQLite3;Database={OUT}\sales.db")
    flow.oledb_destination("Big sales", split.outputs[0], database, "[dbo].[Big]", SALES)
    small = flow.oledb_destination("Small sales", split.outputs[1], database, "[dbo].[Small]", SALES,
                                   error="RedirectRow")
    flow.flat_file_destination("Refused", small.outputs[0],
                               flat(package, "Refused", OUT + r"\refused.csv",
                                    [("id", I4), ("amount", MONEY), ("ErrorCode", I4), ("ErrorColumn", I4)]))
    return package


def event_handlers(name: str, fmt: int) -> Package:
    """A data flow that fails: OnError runs, the failure branch runs, the success branch does not."""
    package = Package(name, fmt)
    package.variable("Trail", 8, "")
    package.variable("Errors", 3, "0")
    marker = package.file("Marker", IN + r"\sales.csv")
    on_error = package.file("On error", OUT + r"\on_error.csv", usage=1)
    on_failure = package.file("On failure", OUT + r"\on_failure.csv", usage=1)
    on_success = package.file("On success", OUT + r"\on_success.csv", usage=1)
    first = package.add(expression_task("Begin", '@[User::Trail] = "begin"'))
    post = handler(first, "OnPostExecute")
    post.add(expression_task("Note end", '@[User::Trail] = @[User::Trail] + ",done"'))
    flow = package.add(DataFlow("Fails"))
    source = flow.flat_file_source("Readings", flat(package, "Readings", IN + r"\readings.csv",
                                                    [("id", I4), ("value", I4), ("unit", STR(3))]))
    flow.flat_file_destination("Copy", source.outputs[0], flat(package, "Copy", OUT + r"\copy.csv",
                                                               [("id", I4), ("value", I4)]))
    failed = handler(flow, "OnError")
    failed.add(file_system_task("Mark error", "CopyFile", marker.guid(), on_error.guid(), overwrite=True))
    failed.add(expression_task("Count", "@[User::Errors] = 1"))
    failure = package.add(file_system_task("After failure", "CopyFile", marker.guid(), on_failure.guid()))
    success = package.add(file_system_task("After success", "CopyFile", marker.guid(), on_success.guid()))
    package.then(first, flow)
    package.then(flow, failure, value=1)
    package.then(flow, success)
    return package


def containers(name: str, fmt: int) -> Package:
    """For loop, sequence with its own variable, an expression on a constraint; the result written to a file."""
    package = Package(name, fmt)
    package.variable("I", 3, "0")
    package.variable("Sum", 3, "0")
    package.variable("Text", 8, "")
    loop = package.add(Container("ForLoop", "One to five", init="@[User::I] = 1", evaluate="@[User::I] <= 5",
                                 assign="@[User::I] = @[User::I] + 1"))
    loop.add(expression_task("Add", "@[User::Sum] = @[User::Sum] + @[User::I]"))
    sequence = package.add(Container("Sequence", "Report"))
    sequence.variables.append(Variable("Half", 3, "0", expression="@[User::Sum] / 2"))
    text = sequence.add(expression_task(
        "Say", '@[User::Text] = "sum=" + (DT_WSTR,10)@[User::Sum] + " half=" + (DT_WSTR,10)@[User::Half]'))
    flow = sequence.add(DataFlow("Write"))
    source = flow.flat_file_source("One", flat(package, "One", IN + r"\parts_1.csv", [("part", STR(20)),
                                                                                      ("pieces", I4)]))
    derived = flow.derived_column("Text", source.outputs[0], [("text", WSTR(40), "@[User::Text]")])
    flow.flat_file_destination("Report", derived.outputs[0],
                               flat(package, "Report", OUT + r"\report.csv", [("part", STR(20)), ("text", WSTR(40))]))
    sequence.then(text, flow)
    package.then(loop, sequence, expression="@[User::Sum] == 15")
    skipped = package.add(expression_task("Never", '@[User::Text] = "wrong"'))
    package.then(sequence, skipped, expression="@[User::Sum] != 15")
    off = package.add(expression_task("Switched off", '@[User::Text] = "disabled"'))
    off.disabled = True
    return package


def foreach_table(name: str, fmt: int) -> Package:
    """The rows of every table of a database, counted; views are left out."""
    package = Package(name, fmt)
    for variable, data_type, value in (("Table", 8, ""), ("Kind", 8, ""), ("Rows", 3, "0"), ("Report", 8, "")):
        package.variable(variable, data_type, value)
    database = package.ado_net("Sales database", rf"Driver=SQLite3;Database={OUT}\sales.db")
    make_tables = package.add(execute_sql_task(
        "Make the tables", database.guid(),
        "CREATE TABLE [Orders] (id int);\nINSERT INTO [Orders] VALUES (1), (2);\n"
        "CREATE TABLE [Regions] (name varchar(10));\nINSERT INTO [Regions] VALUES ('north');\n"
        "CREATE VIEW [Both] AS SELECT id, name FROM [Orders], [Regions];"))
    loop = package.add(Container(
        "ForEachSchema", "Every table", connection=database.guid(), schema="{c8b52229-5cf3-11ce-ade5-00aa0044773d}",
        restrictions=["", "", "", "TABLE"], variables=[("User::Table", 2), ("User::Kind", 3)]))
    count = loop.add(execute_sql_task("Count", database.guid(), "SELECT 0 AS n", {"n": "User::Rows"}))
    count.expressions["SqlStatementSource"] = '"SELECT COUNT(*) AS n FROM [" + @[User::Table] + "]"'
    count.delayed = True  # There is no table before the first pass.
    note = loop.add(expression_task("Note", '@[User::Report] = @[User::Report] + @[User::Kind] + " " + @[User::Table] + '
                                            '"=" + (DT_WSTR,10)@[User::Rows] + ";"'))
    loop.then(count, note)
    package.then(make_tables, loop)
    return package


def data_reader(name: str, fmt: int) -> Package:
    """Rows handed to the program that runs the package."""
    package = Package(name, fmt)
    flow = package.add(DataFlow("Read"))
    source = flow.flat_file_source("Sales", flat(package, "Sales", IN + r"\sales.csv", SALES))
    derived = flow.derived_column("Upper", source.outputs[0], [("region_upper", WSTR(10), "UPPER(TRIM(region))"),
                                                               ("big", BOOL, "amount > 100")])
    flow.data_reader("Rows", derived.outputs[0], ["id", "amount", "sold", "region_upper", "big"])
    return package


def orders() -> Package:
    """The example: see examples/README.md."""
    base_in, base_out = r"C:\Orders\in", r"C:\Orders\out"
    package = Package("orders")
    package.variable("LargeFrom", 3, "500")
    package.variable("Large", 3, "0")
    package.variable("Small", 3, "0")
    package.variable("Rejected", 3, "0")
    package.variable("Attempt", 3, "0")
    package.variable("Summary", 8, "")
    columns = [("OrderId", I4), ("Customer", STR(30)), ("Country", STR(2)), ("Quantity", I4),
               ("UnitPrice", MONEY), ("Ordered", DBDATE)]
    report = [("OrderId", I4), ("Customer", STR(30)), ("Region", WSTR(5)), ("Total", NUMERIC(21, 2)),
              ("Year", I4)]
    flow = package.add(DataFlow("Split orders"))
    source = flow.flat_file_source(
        "Orders", package.flat_file("Orders", base_in + r"\orders.csv", [
            FileColumn(name, kind, qualified=name == "Customer") for name, kind in columns], qualifier='"'),
        error="RedirectRow", truncation="RedirectRow")
    derived = flow.derived_column(
        "Totals", source.outputs[0],
        new=[("Total", NUMERIC(21, 2), "UnitPrice * Quantity"), ("Year", I4, "YEAR(Ordered)"),
             ("Region", WSTR(5), 'Country == "CH" || Country == "DE" || Country == "AT" ? "DACH" : "other"')],
        replace={"Customer": "(DT_STR,30,1252)TRIM(Customer)"})
    split = flow.conditional_split("By total", derived.outputs[0], [("Large", "Total >= @[User::LargeFrom]")], "Small")
    for output, title in ((0, "Large"), (1, "Small")):
        counted = flow.row_count(f"Count {title.lower()}", split.outputs[output], f"User::{title}")
        flow.flat_file_destination(
            f"{title} orders", counted.outputs[0],
            package.flat_file(f"{title} orders", rf"{base_out}\{title.lower()}.csv", [
                FileColumn(name, kind, qualified=name == "Customer") for name, kind in report], qualifier='"'),
            escape_qualifier=True)
    counted = flow.row_count("Count rejected", source.outputs[1], "User::Rejected")
    line = flow.data_conversion("Line as text", counted.outputs[0],
                                [("Flat File Source Error Output Column", "raw", STR(200))])
    cleaned = flow.derived_column("Without line end", line.outputs[0], [("Line", WSTR(200), WITHOUT_LINE_END)])
    flow.flat_file_destination("Rejected lines", cleaned.outputs[0],
                               flat(package, "Rejected lines", base_out + r"\rejected.txt", [("Line", WSTR(200))],
                                    header=False))
    post = handler(flow, "OnPostExecute")
    post.add(expression_task("Sum up", '@[User::Summary] = (DT_WSTR,10)@[User::Large] + " large, " + '
                             '(DT_WSTR,10)@[User::Small] + " small, " + (DT_WSTR,10)@[User::Rejected] + " rejected"'))
    loop = package.add(Container("ForLoop", "Two copies", init="@[User::Attempt] = 1",
                                 evaluate="@[User::Attempt] <= 2", assign="@[User::Attempt] = @[User::Attempt] + 1"))
    target = package.file("Archive", base_out + r"\large_copy_1.csv", usage=1)
    target.expressions["ConnectionString"] = \
        r'"C:\\Orders\\out\\large_copy_" + (DT_WSTR,5)@[User::Attempt] + ".csv"'
    large = package.file("Large file", base_out + r"\large.csv")
    copy = loop.add(file_system_task("Keep a copy", "CopyFile", large.guid(), target.guid(), overwrite=True))
    copy.delayed = True  # There is nothing to copy before the data flow has run.
    package.then(flow, loop, expression="@[User::Large] > 0")
    warehouse(package, flow, report, base_out)
    return package


def warehouse(package: Package, flow: DataFlow, report: list, base_out: str) -> None:
    """The second half of the example: the large orders go into a table of a database, which then counts them."""
    package.variable("Loaded", 3, "0")
    database = package.oledb("Warehouse", "Data Source=SALES01;Initial Catalog=Orders;Provider=MSOLEDBSQL.1;"
                                          "Integrated Security=SSPI;Auto Translate=False;")
    make_table = package.add(execute_sql_task(
        "Make the table", database.guid(),
        "DROP TABLE IF EXISTS [dbo].[LargeOrders]\nGO\nCREATE TABLE [dbo].[LargeOrders] (OrderId int NOT NULL PRIMARY KEY, "
        "Customer varchar(30), Region nvarchar(5), Total decimal(21, 2), [Year] int)"))
    load = package.add(DataFlow("Load"))
    load.delayed = True  # There is no table and no file before the others have run.
    source = load.flat_file_source("Large orders", package.connections[1])
    load.oledb_destination("LargeOrders", source.outputs[0], database, "[dbo].[LargeOrders]", report)
    count = package.add(execute_sql_task("Count", database.guid(), "SELECT COUNT(*) AS n FROM [dbo].[LargeOrders]",
                                         {"n": "User::Loaded"}))
    package.then(flow, make_table)
    package.then(make_table, load)
    package.then(load, count)


PACKAGES = [derive_and_split("derive_and_split_2005", 2), foreach_file("foreach_file_2008", 3),
            derive_and_split("derive_and_split_2008", 3), parallel_branches("parallel_branches_2012", 6),
            derive_and_split("derive_and_split_2016", 8), foreach_file("foreach_file_2016", 8),
            error_redirect("error_redirect_2016", 8), load_tables("load_tables_2016", 8), event_handlers("event_handlers_2016", 8),
            containers("containers_2016", 8), data_reader("data_reader_2016", 8),
            foreach_table("foreach_table_2012", 6), foreach_table("foreach_table_2016", 8)]

if __name__ == "__main__":
    folder = sys.argv[1] if len(sys.argv) > 1 else None
    for made in PACKAGES:
        made.save(os.path.join(folder or HERE, made.name + ".dtsx"))
    orders().save(os.path.join(folder or os.path.join(HERE, "..", "..", "examples", "orders"), "orders.dtsx"))
