"""One way in or out of a database, as one process. usage: in_and_out.py WAY TARGET FILE THREADS [check]

Reading ways take all of `lineitem`: `…-arrow` into Arrow batches that are counted and dropped, `…-csv` into FILE. Writing
ways put the rows of FILE into `tgt`. TARGET is a connection string, a URI or a file, as the way wants it. With `check`, a
reading way prints what tells two results apart; that run is not measured.
"""

import glob
import os
import sys

KINDS = {"l_orderkey": "int64", "l_partkey": "int64", "l_suppkey": "int64", "l_linenumber": "int32"}
MONEY = ("l_quantity", "l_extendedprice", "l_discount", "l_tax")
DATES = ("l_shipdate", "l_commitdate", "l_receiptdate")


def drain(reader, check: bool) -> None:
    rows, marks = 0, {}
    for batch in reader:
        rows += batch.num_rows
        if check:
            for name, column in zip(batch.schema.names, batch.columns):
                mark(marks.setdefault(name.lower(), [0, 0, 0]), name.lower(), column)
    print("rows", rows)
    for name in sorted(marks):
        print(name, *marks[name])


def mark(marks: list, name: str, column) -> None:
    """Adds a column to its sum, its least and its greatest number: decimals in hundredths, dates in days, texts by their
    lengths."""
    import pyarrow as pa
    import pyarrow.compute as pc
    column = getattr(column, "storage", column)  # ADBC gives a numeric as text, in a type of its own
    if name in DATES:
        days = pc.min_max(column.cast(pa.int32()))
        marks[1] = min(marks[1], days["min"].as_py())
        marks[2] = max(marks[2], days["max"].as_py())
    elif name in MONEY:
        marks[0] += int(pc.sum(column.cast(pa.decimal128(15, 2))).as_py() * 100)
    elif name in KINDS:
        marks[0] += pc.sum(column).as_py()
    else:
        marks[0] += pc.sum(pc.utf8_length(column)).as_py()


def lines_of(file: str, decimals: bool = True):
    import pyarrow as pa
    import pyarrow.csv as pc
    types = {name: getattr(pa, kind)() for name, kind in KINDS.items()}
    types |= {name: pa.decimal128(15, 2) if decimals else pa.float64() for name in MONEY} | {name: pa.date32() for name in DATES}
    return pc.open_csv(file, convert_options=pc.ConvertOptions(column_types=types),
                       read_options=pc.ReadOptions(block_size=4 << 20))


def duckdb_of(threads: str):
    import duckdb
    made = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    made.execute(f"set threads = {threads}")
    here = os.path.dirname(os.path.dirname(duckdb.__file__))
    extension = glob.glob(here + "/duckdb_extension_postgres_scanner/**/*.duckdb_extension", recursive=True)[0]
    made.execute(f"load '{extension}'")
    return made


def main() -> None:
    way, target, file, threads, *more = sys.argv[1:]
    check = "check" in more
    if way == "arrow-odbc-arrow":
        import arrow_odbc
        drain(arrow_odbc.read_arrow_batches_from_odbc(
            query="select * from lineitem", connection_string=target, batch_size=20_000, max_text_size=256,
            max_bytes_per_batch=None, fetch_concurrently=True), check)
    elif way == "arrow-odbc-in":
        import arrow_odbc
        arrow_odbc.insert_into_table(connection_string=target, chunk_size=1000, table="tgt", reader=lines_of(file))
    elif way in ("adbc-arrow", "adbc-in"):
        if "://" in target:
            import adbc_driver_postgresql.dbapi as adbc
        else:
            import adbc_driver_sqlite.dbapi as adbc
        with adbc.connect(target) as connection:
            with connection.cursor() as cursor:
                if way == "adbc-in":
                    # SQLite has no decimals, and its driver refuses them.
                    cursor.adbc_ingest("tgt", lines_of(file, decimals="://" in target), mode="append")
                else:
                    cursor.execute("select * from lineitem")
                    drain(cursor.fetch_record_batch(), check)
            connection.commit()
    elif way in ("duckdb-csv", "duckdb-in"):
        made = duckdb_of(threads)
        made.execute(f"attach '{target}' as pg (type postgres)")
        if way == "duckdb-csv":
            made.execute(f"copy (from pg.lineitem) to '{file}' (format csv, header)")
        else:
            made.execute(f"insert into pg.tgt from read_csv('{file}', header = true)")
    else:
        sys.exit(f"there is no way {way}")


if __name__ == "__main__":
    main()
