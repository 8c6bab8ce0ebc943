//! Reading and writing package files: what a run pays before anything runs.
#![expect(clippy::expect_used, reason = "a benchmark without its package has nothing to measure")]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use dtsx_benches::root;
use dtsx_loader::dtsx::{LoadOptions, load_str, to_string};
use std::fs;
use std::hint::black_box;

fn package_load(c: &mut Criterion) {
    let mut group = c.benchmark_group("package");
    // The same contents in the two syntaxes, and the largest package of the workloads.
    for file in [
        "tests/packages/derive_and_split_2008.dtsx",
        "tests/packages/derive_and_split_2016.dtsx",
        "benches/workloads/W1.dtsx",
    ] {
        let text = fs::read_to_string(root().join(file)).expect("a package of the project");
        let name = file.rsplit('/').next().unwrap_or(file);
        group.throughput(Throughput::Bytes(text.len() as u64));
        let options = LoadOptions::default();
        group.bench_function(format!("read {name}"), |b| {
            b.iter(|| load_str(black_box(&text), &options).expect("a package"));
        });
        let package = load_str(&text, &options).expect("a package");
        group.bench_function(format!("write {name}"), |b| b.iter(|| to_string(black_box(&package))));
    }
    group.finish();
}

criterion_group!(benches, package_load);
criterion_main!(benches);
