#!/usr/bin/env bash
# Makes the data of the workloads: TPC-H at scale factor 1 as delimited text, the same bytes on every machine.
#
#   benches/workloads/gen.sh [FOLDER]
#
# FOLDER defaults to $BENCH_DATA, then to target/bench-data. About 1.5 GB and one minute; files that exist are kept.
# Needs python3 with venv; `tpchgen-cli` and `duckdb` are installed from PyPI into a private environment
# ($DTSX_BENCH_HOME, by default target/bench-venv).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
data="${1:-${BENCH_DATA:-$root/target/bench-data}}"
venv="${DTSX_BENCH_HOME:-$root/target/bench-venv}"

if [ ! -x "$venv/bin/python" ]; then
    mkdir -p "$(dirname "$venv")"
    python3 -m venv "$venv"
fi
if [ ! -x "$venv/bin/tpchgen-cli" ] || ! "$venv/bin/python" -c 'import duckdb' 2>/dev/null; then
    "$venv/bin/pip" install --quiet --disable-pip-version-check \
        $(grep -E '^(tpchgen-cli|duckdb)==' "$root/benches/requirements.txt")
fi

mkdir -p "$data/parquet"
for table in lineitem orders; do
    if [ ! -f "$data/parquet/$table.parquet" ] && [ ! -f "$data/$table.csv" ]; then
        "$venv/bin/tpchgen-cli" parquet -s 1 --tables="$table" --output-dir="$data/parquet"
    fi
done
"$venv/bin/python" "$root/benches/workloads/gen.py" "$data"
