//! The expression language: compiling the expressions of the workloads, and evaluating them over a batch.
#![expect(clippy::expect_used, reason = "a benchmark whose expression is wrong has nothing to measure")]

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int32Array, StringViewArray, TimestampMicrosecondArray,
};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dtsx_engine::diag::Error;
use dtsx_engine::expr::{Environment, EvalContext, Reference, compile};
use dtsx_engine::types::{DataType, Value};
use std::hint::black_box;
use std::sync::Arc;

/// That of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const N_ROWS: usize = 10_000;
const EN_US: u32 = 1033;

const MONEY: DataType = DataType::Numeric { precision: 15, scale: 2 };
const COLUMNS: &[(&str, DataType)] = &[
    ("quantity", DataType::I4),
    ("price", MONEY),
    ("discount", MONEY),
    ("mode", DataType::Str { len: 10, code_page: 1252 }),
    ("comment", DataType::Str { len: 100, code_page: 1252 }),
    ("shipped", DataType::DbDate),
    ("digits", DataType::WStr { len: 12 }),
    ("amount", DataType::WStr { len: 12 }),
    ("day", DataType::WStr { len: 10 }),
    ("moment", DataType::WStr { len: 19 }),
    ("ratio", DataType::R8),
    ("stamp", DataType::DbTimeStamp),
];

/// As packages combine them.
const EXPRESSIONS: &[&str] = &[
    "quantity * 2 + 1",
    "price * (1 - discount)",
    "(DT_NUMERIC,18,4)(price * (1 - discount)) * (DT_NUMERIC,15,2)(1 + discount)",
    "LOWER(TRIM(mode))",
    "SUBSTRING(UPPER(comment),1,10)",
    "YEAR(shipped)",
    "quantity > 25 && !ISNULL(mode) ? price : discount",
];

/// One kernel each; short texts and longer ones than a view holds.
const KERNELS: &[&str] = &[
    "SUBSTRING(mode,2,3)",
    "SUBSTRING(comment,4,8)",
    "SUBSTRING(comment,2,20)",
    "LEFT(comment,5)",
    "RIGHT(comment,5)",
    "TRIM(mode)",
    "TRIM(comment)",
    "UPPER(mode)",
    "UPPER(comment)",
    "LOWER(comment)",
    "LEN(comment)",
    "REPLACE(comment,\"e\",\"EE\")",
    "FINDSTRING(comment,\"ly\",1)",
    "TOKEN(comment,\" \",2)",
    "REVERSE(mode)",
    "mode + \"-\" + comment",
    "mode == \"MAIL\"",
    "mode < comment",
    "quantity + quantity",
    "quantity / 7",
    "quantity % 7",
    "price + discount",
    "price * discount",
    "price / 3.0",
    "price > discount",
    "ratio * 2.5",
    "ROUND(price,1)",
    "SQRT(ratio)",
    "(DT_I4)digits",
    "(DT_I8)digits",
    "(DT_NUMERIC,12,2)amount",
    "(DT_R8)amount",
    "(DT_DBDATE)day",
    "(DT_DBTIMESTAMP)moment",
    "(DT_WSTR,12)quantity",
    "(DT_WSTR,20)price",
    "(DT_WSTR,30)stamp",
    "(DT_DBDATE)stamp",
    "DATEADD(\"dd\",1,stamp)",
    "DATEDIFF(\"dd\",stamp,shipped)",
    "DATEPART(\"mm\",stamp)",
    "ISNULL(mode) ? \"?\" : mode",
    "REPLACENULL(mode,\"?\")",
];

struct Columns;

impl Environment for Columns {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        let Reference::Name { column, .. } = reference else { return None };
        let slot = COLUMNS.iter().position(|(name, _)| name == column)?;
        Some((slot, COLUMNS[slot].1))
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        Err(Error::internal(name))
    }

    fn lcid(&self) -> u32 {
        EN_US
    }
}

/// The columns, filled with numbers that repeat late; the same in every run.
fn batch() -> Vec<ArrayRef> {
    let number = |n: usize| (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
    let money = |limit: u64| {
        let values = (0..N_ROWS).map(|n| i128::from(number(n) % limit));
        Decimal128Array::from_iter_values(values).with_precision_and_scale(15, 2).expect("two digits of fifteen")
    };
    let modes = ["MAIL      ", "REG AIR   ", "TRUCK     ", "SHIP      "];
    let comments = ["egular courts above the", "ly final dependencies: slyly bold", "riously. regular, express dep"];
    let text = |f: &dyn Fn(u64) -> String| -> ArrayRef {
        Arc::new(StringViewArray::from_iter_values((0..N_ROWS).map(|n| f(number(n)))))
    };
    vec![
        Arc::new(Int32Array::from_iter_values((0..N_ROWS).map(|n| (number(n) % 50) as i32))),
        Arc::new(money(10_000_000)),
        Arc::new(money(11)),
        text(&|n| modes[n as usize % modes.len()].to_owned()),
        text(&|n| comments[n as usize % comments.len()].to_owned()),
        Arc::new(Date32Array::from_iter_values((0..N_ROWS).map(|n| 8_035 + (number(n) % 2_500) as i32))),
        text(&|n| (n % 10_000_000).to_string()),
        text(&|n| format!("{}.{:02}", n % 100_000, n % 97)),
        text(&|n| format!("{}-{:02}-{:02}", 1990 + n % 30, 1 + n % 12, 1 + n % 28)),
        text(&|n| format!("{}-{:02}-{:02} {:02}:{:02}:00", 1990 + n % 30, 1 + n % 12, 1 + n % 28, n % 24, n % 60)),
        Arc::new(Float64Array::from_iter_values((0..N_ROWS).map(|n| number(n) as f64 / 1e3))),
        Arc::new(TimestampMicrosecondArray::from_iter_values((0..N_ROWS).map(|n| (number(n) as i64) * 1_000_000))),
    ]
}

fn compiling(c: &mut Criterion) {
    c.bench_function("expression/compile", |b| {
        b.iter(|| {
            for text in EXPRESSIONS {
                compile(black_box(text), &Columns).expect("an expression");
            }
        });
    });
}

fn evaluating(c: &mut Criterion) {
    let columns = batch();
    let context = EvalContext::new(EN_US);
    for (name, texts) in [("expression", EXPRESSIONS), ("kernel", KERNELS)] {
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Elements(N_ROWS as u64));
        for text in texts {
            let program = compile(text, &Columns).expect("an expression");
            let (_, faults) = program.eval(&columns, N_ROWS, &context).expect("an array");
            assert!(faults.is_empty(), "{text}: what fails is not measured");
            group.bench_function(*text, |b| {
                b.iter(|| program.eval(black_box(&columns), N_ROWS, &context).expect("an array"));
            });
        }
        group.finish();
    }
}

criterion_group!(benches, compiling, evaluating);
criterion_main!(benches);
