//! Whole aggregations, against SQL and against themselves: with other lanes, other batches, less memory.

use super::accumulate::{Aggregate as Computed, Function};
use super::encode::{KeyColumn, KeyPlan};
use super::stage::{Aggregation, Grouping, Source};
use crate::shared::blocking::{Blocking, Sealed};
use crate::shared::testing::{Recorder, open_cx, shown};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, Int64Array, StringViewArray};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::Result;
use dtsx_engine::flow::{OpenCx, Ports, Slot};
use dtsx_engine::memory::Budget;
use dtsx_engine::types::DataType;
use rusqlite::types::Value as Sql;
use std::sync::Arc;

/// Numbers that look drawn, the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ mixed >> 31) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

fn draw(seed: u64) -> Draw {
    Draw(seed << 32)
}

/// The columns of every test: two keys of numbers, one of text, and values.
const COLUMNS: [(&str, DataType); 8] = [
    ("a", DataType::I8),
    ("b", DataType::I4),
    ("c", DataType::WStr { len: 30 }),
    ("d", DataType::WStr { len: 2 }),
    ("money", DataType::Numeric { precision: 15, scale: 2 }),
    ("n", DataType::I4),
    ("f", DataType::R8),
    ("day", DataType::DbDate),
];

/// Rows as SQL values; decimals as their hundredths.
fn rows(draw: &mut Draw, count: usize, keys: u64) -> Vec<Vec<Sql>> {
    let row = |draw: &mut Draw| {
        let cell = |draw: &mut Draw, value: &dyn Fn(&mut Draw) -> Sql| {
            if draw.one_in(9) { Sql::Null } else { value(draw) }
        };
        let text = |draw: &mut Draw| {
            let n = draw.below(keys);
            Sql::Text(if n.is_multiple_of(3) {
                format!("{n}")
            } else {
                format!("a text that no view holds inline {n}")
            })
        };
        vec![
            cell(draw, &|d| Sql::Integer(d.below(keys) as i64 - 2)),
            cell(draw, &|d| Sql::Integer(d.below(4) as i64 - 1)),
            cell(draw, &text),
            cell(draw, &|d| Sql::Text(["", "x", "é", "ab", "√"][d.below(5) as usize].into())),
            cell(draw, &|d| Sql::Integer(d.below(2_000_000) as i64 - 1_000_000)),
            cell(draw, &|d| Sql::Integer(d.below(1000) as i64 - 500)),
            // Multiples of a quarter: SQL may add in any order.
            cell(draw, &|d| Sql::Real((d.below(4000) as f64 - 2000.0) / 4.0)),
            cell(draw, &|d| Sql::Integer(d.below(3000) as i64)),
        ]
    };
    (0..count).map(|_| row(draw)).collect()
}

fn batch(rows: &[Vec<Sql>]) -> Batch {
    let integer = |c: usize| rows.iter().map(move |r| if let Sql::Integer(v) = r[c] { Some(v) } else { None });
    let text = |c: usize| rows.iter().map(move |r| if let Sql::Text(v) = &r[c] { Some(v.as_str()) } else { None });
    let columns: Vec<ArrayRef> = vec![
        Arc::new(integer(0).collect::<Int64Array>()),
        Arc::new(integer(1).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(text(2).collect::<StringViewArray>()),
        Arc::new(text(3).collect::<StringViewArray>()),
        Arc::new(
            integer(4).map(|v| v.map(i128::from)).collect::<Decimal128Array>().with_precision_and_scale(15, 2).unwrap(),
        ),
        Arc::new(integer(5).map(|v| v.map(|v| v as i32)).collect::<Int32Array>()),
        Arc::new(rows.iter().map(|r| if let Sql::Real(v) = r[6] { Some(v) } else { None }).collect::<Float64Array>()),
        Arc::new(integer(7).map(|v| v.map(|v| v as i32)).collect::<Date32Array>()),
    ];
    Batch::new(0, rows.len(), columns)
}

/// Some keys and some aggregates, as the component has them and as SQL.
fn grouping(draw: &mut Draw) -> (Grouping, String) {
    let mut keys: Vec<usize> = (0..4).filter(|_| draw.one_in(2)).collect();
    if draw.one_in(3) {
        keys.truncate(1);
    }
    let key = |c: usize| KeyColumn { slot: Slot(c), data_type: COLUMNS[c].1, comparison: None };
    let mut columns: Vec<Source> = (0..keys.len()).map(Source::Key).collect();
    let mut sql: Vec<String> = keys.iter().map(|k| COLUMNS[*k].0.to_owned()).collect();
    let mut aggregates = Vec::new();
    for _ in 0..1 + draw.below(5) {
        use Function::*;
        let any = draw.below(8) as usize;
        let (function, input, output, text) = match draw.below(8) {
            0 => (CountAll, None, DataType::UI8, "count(*)".to_owned()),
            1 => (Count, Some(any), DataType::UI8, format!("count({})", COLUMNS[any].0)),
            2 => (CountDistinct, Some(any), DataType::UI4, format!("count(distinct {})", COLUMNS[any].0)),
            3 => (Sum, Some(4), COLUMNS[4].1, "sum(money)".into()),
            4 => (Sum, Some(5), DataType::I8, "sum(n)".into()),
            5 => match draw.below(3) {
                0 => (Sum, Some(6), DataType::R8, "sum(f)".into()),
                1 => (Average, Some(6), DataType::R8, "sum(f) / count(f)".into()),
                _ => (Average, Some(4), COLUMNS[4].1, "sum(money) / count(money)".into()),
            },
            low => {
                let column = 4 + draw.below(4) as usize;
                let (function, name) = if low == 6 { (Minimum, "min") } else { (Maximum, "max") };
                (function, Some(column), COLUMNS[column].1, format!("{name}({})", COLUMNS[column].0))
            }
        };
        columns.push(Source::Aggregate(aggregates.len()));
        sql.push(text.clone());
        let distinct = (function == CountDistinct).then(|| KeyPlan::new(input.map(key).into_iter().collect()));
        let input = input.map(|c| (Slot(c), COLUMNS[c].1));
        aggregates.push(Computed { function, input, output, distinct, name: text });
    }
    let by = sql[..keys.len()].join(", ");
    let by = if by.is_empty() { by } else { format!(" group by {by}") };
    let text = format!("select {} from t{by} order by min(row)", sql.join(", "));
    (Grouping { port: 0, keys: KeyPlan::new(keys.into_iter().map(key).collect()), aggregates, columns }, text)
}

/// What SQL says, written as [`shown`] writes it.
fn expected(db: &rusqlite::Connection, sql: &str, grouping: &Grouping) -> Vec<String> {
    let types: Vec<DataType> = grouping.columns.iter().map(|c| grouping.data_type(*c)).collect();
    let mut statement = db.prepare_cached(sql).unwrap();
    let rows = statement.query_map([], |row| {
        let cell = |(i, t): (usize, &DataType)| match row.get::<_, Sql>(i).unwrap() {
            Sql::Null => "NULL".to_owned(),
            Sql::Integer(v) if matches!(t, DataType::Numeric { .. }) => {
                let sign = if v < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", v.abs() / 100, v.abs() % 100)
            }
            Sql::Integer(v) if matches!(t, DataType::DbDate) => {
                (chrono::DateTime::UNIX_EPOCH + chrono::Duration::days(v)).format("%Y-%m-%d").to_string()
            }
            Sql::Integer(v) => v.to_string(),
            Sql::Real(v) => format!("{v:?}"),
            Sql::Text(v) => v,
            Sql::Blob(_) => String::new(),
        };
        Ok(types.iter().enumerate().map(cell).collect::<Vec<_>>().join("|"))
    });
    rows.unwrap().map(|r| r.unwrap()).collect()
}

impl Grouping {
    fn data_type(&self, source: Source) -> DataType {
        match source {
            Source::Key(index) => self.keys.data_type(index),
            Source::Aggregate(index) => self.aggregates[index].output,
        }
    }
}

/// What an aggregation gives, and the most memory that it reserved.
struct Ran {
    rows: Vec<String>,
    peak: usize,
    written: u64,
}

fn run(
    groupings: &Arc<Vec<Grouping>>,
    rows: &[Vec<Sql>],
    size: usize,
    lanes: usize,
    memory: Option<usize>,
) -> Result<Ran> {
    let mut cx: OpenCx = open_cx(&Arc::new(Recorder::default()));
    cx.services.memory = Arc::new(Budget::new(memory));
    let stage = Aggregation::new(groupings.clone(), &cx);
    let mut open: Vec<_> = (0..lanes).map(|_| stage.lane(0).unwrap()).collect();
    let mut kept = 0;
    // Lanes run ahead of each other: items are kept in order all the same.
    let batches: Vec<&[Vec<Sql>]> = rows.chunks(size).collect();
    for some in batches.chunks(lanes) {
        let mut items: Vec<_> =
            (0..some.len()).rev().map(|i| stage.take(&mut open[i], batch(some[i]))).collect::<Result<_>>()?;
        while let Some(item) = items.pop() {
            stage.keep(&mut kept, item)?;
        }
    }
    let mut out = Vec::new();
    for (seq, part) in stage.seal(vec![Sealed { lanes: open, kept }])?.enumerate() {
        let mut ports = Ports::new(1);
        stage.emit(seq as u64, part?, &mut ports)?;
        out.extend(shown(ports.take(0).unwrap()));
    }
    Ok(Ran { rows: out, peak: cx.services.memory.peak(), written: cx.services.spill.written() })
}

#[test]
fn aggregates_are_what_sql_says() {
    let db = rusqlite::Connection::open_in_memory().unwrap();
    db.execute_batch("create table t (row integer, a, b, c, d, money, n, f, day)").unwrap();
    let mut cases = 0;
    for seed in 0..130 {
        let mut draw = draw(seed);
        let count = [0, 1, 2, 7, 40, 200, 900][draw.below(7) as usize];
        let keys = [1, 3, 10, 500][draw.below(4) as usize];
        let rows = rows(&mut draw, count, keys);
        db.execute_batch("delete from t; begin").unwrap();
        let mut insert = db.prepare_cached("insert into t values (?, ?, ?, ?, ?, ?, ?, ?, ?)").unwrap();
        for (i, row) in rows.iter().enumerate() {
            let cells = std::iter::once(Sql::Integer(i as i64)).chain(row.iter().cloned());
            insert.execute(rusqlite::params_from_iter(cells)).unwrap();
        }
        drop(insert);
        db.execute_batch("commit").unwrap();
        for _ in 0..8 {
            let (grouping, sql) = grouping(&mut draw);
            let wanted = expected(&db, &sql, &grouping);
            let groupings = Arc::new(vec![grouping]);
            let size = [1, 3, 64, 1000][draw.below(4) as usize];
            let lanes = 1 + draw.below(3) as usize;
            let memory = draw.one_in(3).then(|| draw.below(60_000) as usize);
            let ran = run(&groupings, &rows, size, lanes, memory).unwrap();
            let other = (0..wanted.len().max(ran.rows.len())).find(|i| ran.rows.get(*i) != wanted.get(*i));
            let difference = other.map(|i| (i, ran.rows.get(i), wanted.get(i)));
            assert_eq!(difference, None, "seed {seed}: {sql}, {count} rows, {memory:?}");
            cases += 1;
        }
    }
    assert!(cases >= 1000);
}

#[test]
fn less_memory_changes_nothing() {
    for seed in 0..6 {
        let mut draw = draw(1000 + seed);
        let mut rows = rows(&mut draw, 12_000, 9_000);
        // Floats of which no sum is the same in another order.
        rows.iter_mut().for_each(|row| row[6] = Sql::Real(1.0 / (1.0 + draw.below(1000) as f64)));
        let (mut first, _) = grouping(&mut draw);
        let key = |c: usize| KeyColumn { slot: Slot(c), data_type: COLUMNS[c].1, comparison: None };
        let keys = [vec![0, 1], vec![2], vec![0, 1, 2, 3], vec![], vec![1], vec![0]][seed as usize].clone();
        first.columns.retain(|c| matches!(c, Source::Aggregate(_)));
        first.columns.extend((0..keys.len()).map(Source::Key));
        first.keys = KeyPlan::new(keys.into_iter().map(key).collect());
        for (function, output) in [(Function::Sum, DataType::R8), (Function::CountDistinct, DataType::UI8)] {
            first.columns.push(Source::Aggregate(first.aggregates.len()));
            let input = Some((Slot(6), DataType::R8));
            let distinct = Some(KeyPlan::new(vec![key(6)]));
            first.aggregates.push(Computed { function, input, output, distinct, name: "f".into() });
        }
        let groupings = Arc::new(vec![first]);
        let whole = run(&groupings, &rows, 1000, 1, None).unwrap();
        assert_eq!(whole.written, 0);
        for (tenths, lanes) in [(20, 2), (5, 1), (3, 3), (1, 2)] {
            let limit = whole.peak * tenths / 10;
            let ran = run(&groupings, &rows, 700, lanes, Some(limit)).unwrap();
            assert!(ran.rows == whole.rows, "seed {seed}: other rows with {tenths} tenths");
            assert_eq!(ran.written > 0, tenths < 10, "{tenths} tenths");
            // One partition may take what is not left: of few groups, that is all there is.
            let one = if whole.rows.len() < 1000 { whole.peak } else { whole.peak / 6 };
            assert!(ran.peak <= limit.max(one), "{} of {}, {tenths} tenths", ran.peak, whole.peak);
        }
    }
}

#[test]
fn a_sum_that_does_not_fit_fails() {
    let sum = |output| Computed {
        function: Function::Sum,
        input: Some((Slot(0), DataType::I8)),
        output,
        distinct: None,
        name: "total".into(),
    };
    let big = vec![vec![Sql::Integer(i64::MAX); 8]; 2];
    let grouping = |output| {
        let aggregates = vec![sum(output)];
        Arc::new(vec![Grouping {
            port: 0,
            keys: KeyPlan::new(vec![]),
            aggregates,
            columns: vec![Source::Aggregate(0)],
        }])
    };
    let error = run(&grouping(DataType::I8), &big, 1, 1, None).err().unwrap();
    assert_eq!(error.to_string(), "Arithmetic overflow encountered while aggregating \"total\".");
    assert_eq!(run(&grouping(DataType::UI8), &big, 1, 1, None).unwrap().rows, ["18446744073709551614"]);
    let small = vec![vec![Sql::Integer(200); 8]];
    assert!(run(&grouping(DataType::I1), &small, 1, 1, None).is_err());
    assert_eq!(run(&grouping(DataType::UI1), &small, 1, 1, None).unwrap().rows, ["200"]);
}

#[test]
fn a_cancelled_run_stops_before_it_finishes() {
    let mut cx = open_cx(&Arc::new(Recorder::default()));
    cx.services.memory = Arc::new(Budget::new(None));
    let mut draw = draw(5);
    let stage = Aggregation::new(Arc::new(vec![grouping(&mut draw).0]), &cx);
    cx.services.cancel.cancel();
    assert!(stage.seal(vec![Sealed { lanes: vec![], kept: 0 }]).is_err());
}
