//! Text to values and back, a value at a time: what the flat file source and destination do for every field.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dtsx_engine::types::locale::Locale;
use dtsx_engine::types::{format, parse};
use std::hint::black_box;

const N: usize = 4096;
const EN_US: u32 = 1033;

/// Numbers without an obvious pattern; the same in every run.
fn numbers() -> impl Iterator<Item = u64> {
    (0..N as u64).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20)
}

fn parsing(c: &mut Criterion) {
    let locale = Locale::of(EN_US);
    let mut group = c.benchmark_group("parse");
    group.throughput(Throughput::Elements(N as u64));
    let integers: Vec<Vec<u8>> = numbers().map(|n| (n % 6_000_000).to_string().into_bytes()).collect();
    group.bench_function("DT_I8", |b| {
        b.iter(|| {
            integers.iter().map(|text| parse::parse_int::<i64>(black_box(text), locale).is_ok() as u64).sum::<u64>()
        });
    });
    let decimals: Vec<Vec<u8>> = numbers().map(|n| format!("{}.{:02}", n % 100_000, n % 97).into_bytes()).collect();
    group.bench_function("DT_NUMERIC(15,2)", |b| {
        b.iter(|| {
            decimals.iter().map(|text| parse::parse_decimal(black_box(text), 15, 2, locale).unwrap_or(0)).sum::<i128>()
        });
    });
    let dates: Vec<Vec<u8>> =
        numbers().map(|n| format!("{}-{:02}-{:02}", 1992 + n % 7, 1 + n % 12, 1 + n % 28).into_bytes()).collect();
    group.bench_function("DT_DBDATE", |b| {
        b.iter(|| {
            dates.iter().map(|text| i64::from(parse::parse_date(black_box(text), locale).unwrap_or(0))).sum::<i64>()
        });
    });
    group.finish();
}

fn formatting(c: &mut Criterion) {
    let locale = Locale::of(EN_US);
    let mut group = c.benchmark_group("format");
    group.throughput(Throughput::Elements(N as u64));
    let values: Vec<i128> = numbers().map(i128::from).collect();
    let mut out = Vec::with_capacity(N * 24);
    group.bench_function("DT_I8", |b| {
        b.iter(|| {
            out.clear();
            values.iter().for_each(|&value| format::int(black_box(value as i64), &mut out));
            out.len()
        });
    });
    group.bench_function("DT_NUMERIC(15,2)", |b| {
        b.iter(|| {
            out.clear();
            values.iter().for_each(|&value| format::decimal_flat(black_box(value), 2, locale, &mut out));
            out.len()
        });
    });
    group.bench_function("DT_DBDATE", |b| {
        b.iter(|| {
            out.clear();
            values.iter().for_each(|&value| format::date(black_box((value % 10_957) as i32), &mut out));
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, parsing, formatting);
criterion_main!(benches);
