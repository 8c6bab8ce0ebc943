//! The expression language: compiling the expressions of the workloads, and evaluating them over a batch.
#![expect(clippy::expect_used, reason = "a benchmark whose expression is wrong has nothing to measure")]

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int32Array, StringViewArray};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dtsx_engine::diag::Error;
use dtsx_engine::expr::{Environment, EvalContext, Reference, compile};
use dtsx_engine::types::{DataType, Value};
use std::hint::black_box;
use std::sync::Arc;

const N_ROWS: usize = 8192;
const EN_US: u32 = 1033;

const MONEY: DataType = DataType::Numeric { precision: 15, scale: 2 };
const COLUMNS: &[(&str, DataType)] = &[
    ("quantity", DataType::I4),
    ("price", MONEY),
    ("discount", MONEY),
    ("mode", DataType::Str { len: 10, code_page: 1252 }),
    ("comment", DataType::Str { len: 100, code_page: 1252 }),
    ("shipped", DataType::DbDate),
];

const EXPRESSIONS: &[&str] = &[
    "quantity * 2 + 1",
    "price * (1 - discount)",
    "(DT_NUMERIC,18,4)(price * (1 - discount)) * (DT_NUMERIC,15,2)(1 + discount)",
    "LOWER(TRIM(mode))",
    "SUBSTRING(UPPER(comment),1,10)",
    "YEAR(shipped)",
    "mode == \"MAIL\"",
    "quantity > 25 && !ISNULL(mode) ? price : discount",
    "(DT_WSTR,12)quantity",
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
    vec![
        Arc::new(Int32Array::from_iter_values((0..N_ROWS).map(|n| (number(n) % 50) as i32))),
        Arc::new(money(10_000_000)),
        Arc::new(money(11)),
        Arc::new(StringViewArray::from_iter_values((0..N_ROWS).map(|n| modes[number(n) as usize % modes.len()]))),
        Arc::new(StringViewArray::from_iter_values((0..N_ROWS).map(|n| comments[number(n) as usize % comments.len()]))),
        Arc::new(Date32Array::from_iter_values((0..N_ROWS).map(|n| 8_035 + (number(n) % 2_500) as i32))),
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
    let mut group = c.benchmark_group("expression");
    group.throughput(Throughput::Elements(N_ROWS as u64));
    for text in EXPRESSIONS {
        let program = compile(text, &Columns).expect("an expression");
        let inputs: Vec<ArrayRef> = columns.clone();
        group.bench_function(*text, |b| {
            b.iter(|| program.eval(black_box(&inputs), N_ROWS, &context).expect("an array"));
        });
    }
    group.finish();
}

criterion_group!(benches, compiling, evaluating);
criterion_main!(benches);
