//! Typing, folding and evaluation: expressions over every type of column. A batch, its rows one by one, and a cut of it
//! give the same values and the same faults.
#![no_main]

use arrow::array::{Array, ArrayRef};
use dtsx_engine::expr::{Program, compile};
use dtsx_engine::types::scalar::value_at;
use dtsx_fuzz::{Bytes, Columns, MOST_ROWS, context, expression, rows};
use libfuzzer_sys::fuzz_target;

fn results(program: &Program, columns: &[ArrayRef], rows: usize) -> Vec<Result<String, u32>> {
    let (array, faults) = program.eval(columns, rows, &context()).expect("no defect");
    assert_eq!(array.len(), rows);
    assert_eq!(array.data_type(), &program.data_type().arrow());
    let result = |row: usize| match faults.iter().find(|fault| fault.row == row as u32) {
        Some(fault) => {
            assert!(array.is_null(row));
            Err(fault.code.0)
        }
        None => Ok(format!("{:?}", value_at(&array, &program.data_type(), row).expect("a value"))),
    };
    (0..rows).map(result).collect()
}

fuzz_target!(|data: &[u8]| {
    let mut bytes = Bytes(data);
    let n_rows = 1 + bytes.byte() as usize % MOST_ROWS;
    let mut text = String::new();
    expression(&mut bytes, 4, &mut text);
    let program = match compile(&text, &Columns) {
        Ok(program) => program,
        Err(error) => {
            assert!(error.text.get(error.span.clone()).is_some());
            return;
        }
    };
    let columns = rows(&mut bytes, n_rows, &text);
    let whole = results(&program, &columns, n_rows);
    for row in 0..n_rows {
        let one: Vec<ArrayRef> = columns.iter().map(|column| column.slice(row, 1)).collect();
        assert_eq!(results(&program, &one, 1)[0], whole[row], "{text}, row {row}");
        let once = program.eval_one(&one, &context());
        let once = once.map(|value| format!("{value:?}")).map_err(|error| {
            assert!(error.text.get(error.span.clone()).is_some());
            error.code.0
        });
        assert_eq!(once, whole[row], "{text}, row {row} by itself");
    }
    let tail: Vec<ArrayRef> = columns.iter().map(|column| column.slice(n_rows / 2, n_rows - n_rows / 2)).collect();
    assert_eq!(results(&program, &tail, n_rows - n_rows / 2), whole[n_rows / 2..], "{text}, cut");
});
