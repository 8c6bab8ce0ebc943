//! Reads the rows of a DataReader destination as Arrow record batches, and says how many there are.
//!
//! ```text
//! arrow_rows PACKAGE DESTINATION [CONNECTION=STRING] [check]
//! ```
//!
//! With `check`, of every column as well what tells one result from another: sums of numbers, sums of the lengths of texts,
//! the first and the last date. It is what `benches/run W6` measures as reading into Arrow.

#![expect(clippy::print_stdout, reason = "a program for a terminal")]

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{max, min, sum};
use arrow::datatypes::{DataType, Date32Type, Decimal128Type, Int32Type, Int64Type};
use dtsx::Package;
use std::collections::BTreeMap;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [path, destination, more @ ..] = arguments.as_slice() else {
        return Err("usage: arrow_rows PACKAGE DESTINATION [CONNECTION=STRING] [check]".into());
    };
    let mut package = Package::open(path)?;
    for (name, string) in more.iter().filter_map(|word| word.split_once('=')) {
        package = package.connect(name, string);
    }
    let check = more.iter().any(|word| word == "check");
    let (mut rows, mut marks) = (0, BTreeMap::new());
    for batch in package.read(destination)? {
        let batch = batch?;
        rows += batch.num_rows();
        if check {
            for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
                mark(marks.entry(field.name().clone()).or_default(), column);
            }
        }
    }
    println!("rows {rows}");
    for (name, (total, first, last)) in marks {
        println!("{name} {total} {first} {last}");
    }
    Ok(())
}

/// Adds a column of a batch to its sum, its least and its greatest number.
fn mark((total, first, last): &mut (i128, i64, i64), column: &ArrayRef) {
    match column.data_type() {
        DataType::Int32 => *total += i128::from(sum(column.as_primitive::<Int32Type>()).unwrap_or_default()),
        DataType::Int64 => *total += i128::from(sum(column.as_primitive::<Int64Type>()).unwrap_or_default()),
        DataType::Decimal128(..) => *total += sum(column.as_primitive::<Decimal128Type>()).unwrap_or_default(),
        DataType::Date32 => {
            let days = column.as_primitive::<Date32Type>();
            *first = min(days).map_or(*first, |day| i64::from(day).min(*first));
            *last = max(days).map_or(*last, |day| i64::from(day).max(*last));
        }
        DataType::Utf8View => {
            let lengths = column.as_string_view().iter().flatten().map(|text| text.chars().count() as i128);
            *total += lengths.sum::<i128>();
        }
        _ => *total += column.len() as i128,
    }
}
