//! Rows that fail are found in databases that do not tell them apart.

use super::writer::{Target, Undo};
use crate::db::{
    Canceller, ColumnInfo, Cursor, DbError, Dialect, ErrorKind, Executed, LoadColumn, LoadOptions, Loader, Outcome,
    Param, Relation, RowFailure, Rows, Session, StatementOptions, TableName,
};
use arrow::array::{ArrayRef, AsArray, Int32Array};
use arrow::datatypes::Int32Type;
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// A table of numbers that takes all rows of a call or none: negative ones are refused. Savepoints are lengths.
struct Whole {
    rows: Vec<Option<i32>>,
    saved: Vec<usize>,
    dialect: Dialect,
    calls: usize,
    /// By call: the rows that are refused, and no others, whatever they are.
    refuses: Vec<Vec<usize>>,
}

struct Call<'s>(&'s mut Whole, bool);

impl Loader for Call<'_> {
    fn write(&mut self, rows: &Rows) -> Outcome<Vec<RowFailure>> {
        self.0.calls += 1;
        if let Some(refused) = self.0.refuses.get(self.0.calls - 1) {
            let failure = |row: &usize| RowFailure { row: *row, error: DbError::new(ErrorKind::Constraint, "not now") };
            return Ok(refused.iter().map(failure).collect());
        }
        let new: Vec<Option<i32>> = match rows.columns.get(usize::from(self.1)) {
            Some(column) => column.as_primitive::<Int32Type>().iter().collect(),
            None => vec![Some(7); rows.len],
        };
        if new.iter().flatten().any(|v| *v < 0) {
            // What is written before the row that fails is gone with the call.
            let error = DbError::new(ErrorKind::Constraint, "negative");
            return Ok((0..rows.len).map(|row| RowFailure { row, error: error.clone() }).collect());
        }
        self.0.rows.extend(new);
        Ok(Vec::new())
    }

    fn finish(self: Box<Self>) -> Outcome<()> {
        Ok(())
    }
}

impl Session for Whole {
    fn dialect(&self) -> &Dialect {
        &self.dialect
    }
    fn server(&mut self) -> String {
        "test".into()
    }
    fn execute(&mut self, _: &str, _: &[Param], _: &StatementOptions) -> Outcome<Executed> {
        Ok(Executed::default())
    }
    fn execute_rows(&mut self, _: &str, _: &Rows, _: &[DataType], _: &StatementOptions) -> Outcome<Vec<RowFailure>> {
        Ok(Vec::new())
    }
    fn query<'s>(&'s mut self, _: &str, _: &[Param], _: &StatementOptions) -> Outcome<Box<dyn Cursor + 's>> {
        Err(DbError::unsupported("no queries"))
    }
    fn describe(&mut self, _: &Relation<'_>) -> Outcome<Vec<ColumnInfo>> {
        Ok(Vec::new())
    }
    fn loader<'s>(
        &'s mut self,
        _: &TableName,
        columns: &[LoadColumn],
        options: &LoadOptions,
    ) -> Outcome<Box<dyn Loader + 's>> {
        assert!(options.keep_nulls || columns.len() == 2);
        Ok(Box::new(Call(self, true)))
    }
    fn begin(&mut self) -> Outcome<()> {
        Ok(())
    }
    fn commit(&mut self) -> Outcome<()> {
        Ok(())
    }
    fn rollback(&mut self) -> Outcome<()> {
        Ok(())
    }
    fn in_transaction(&self) -> bool {
        true
    }
    fn savepoint(&mut self, _: &str) -> Outcome<()> {
        self.saved.push(self.rows.len());
        Ok(())
    }
    fn rollback_to(&mut self, _: &str) -> Outcome<()> {
        self.rows.truncate(*self.saved.last().unwrap());
        Ok(())
    }
    fn release(&mut self, _: &str) -> Outcome<()> {
        self.saved.pop().unwrap();
        Ok(())
    }
    fn canceller(&self) -> Canceller {
        Canceller::new(|| {})
    }
    fn resume(&mut self) {}
}

/// What was written, and the rows that failed.
fn written(values: &[Option<i32>], first_only: bool, defaults: Vec<usize>) -> (Vec<Option<i32>>, Vec<usize>, usize) {
    let mut session = Whole {
        rows: Vec::new(),
        saved: Vec::new(),
        dialect: Dialect::of(crate::db::Family::Other),
        calls: 0,
        refuses: Vec::new(),
    };
    let column = |name: &str| LoadColumn { name: name.into(), data_type: DataType::I4 };
    let target = Target {
        columns: vec![column("key"), column("n")],
        places: vec![0, 1],
        there: Vec::new(),
        options: LoadOptions::default(),
        defaults,
        isolates: false,
        first_only,
        keeps: true,
        undo: Undo::Savepoint,
    };
    let keys: ArrayRef = Arc::new(Int32Array::from_iter_values(0..values.len() as i32));
    let numbers: ArrayRef = Arc::new(Int32Array::from(values.to_vec()));
    let rows = Rows::new(values.len(), vec![keys, numbers]);
    let mut failures = Vec::new();
    let table = TableName::parse("T");
    target.isolate(&table, &mut session, &rows, 0, values.len(), &mut failures).unwrap();
    assert!(session.saved.is_empty(), "every savepoint is released");
    (session.rows, failures.iter().map(|f| f.row).collect(), session.calls)
}

#[test]
fn rows_that_fail_are_found_by_halves() {
    for bad in [vec![], vec![0], vec![99], vec![3, 4, 50], (0..100).collect::<Vec<usize>>()] {
        let values: Vec<Option<i32>> = (0..100).map(|v| Some(if bad.contains(&v) { -1 } else { v as i32 })).collect();
        let good = |end: usize| (0..end).filter(|v| !bad.contains(v)).map(|v| Some(v as i32)).collect::<Vec<_>>();
        let (rows, failures, calls) = written(&values, false, Vec::new());
        assert_eq!((rows, &failures), (good(100), &bad));
        assert!(calls <= 1 + bad.len() * 14, "{calls} calls for {} rows", bad.len());
        let (rows, failures, _) = written(&values, true, Vec::new());
        assert_eq!(failures, bad.iter().copied().take(1).collect::<Vec<_>>());
        assert_eq!(rows, good(*bad.first().unwrap_or(&100)), "what comes before the first one stays, and nothing else");
    }
}

#[test]
fn nulls_give_way_to_defaults() {
    // A call without the column writes its default, 7.
    let (rows, failures, calls) = written(&[Some(1), None, Some(3), None, Some(5)], false, vec![1]);
    assert_eq!((rows, failures, calls), ([1, 3, 5, 7, 7].map(Some).to_vec(), vec![], 2));
    let (rows, failures, _) = written(&[Some(1), None, Some(-3), None], false, vec![1]);
    assert_eq!((rows, failures), ([1, 7, 7].map(Some).to_vec(), vec![2]));
}

#[test]
fn a_row_that_is_refused_when_it_is_written_again_is_an_error() {
    // The database tells rows apart: the third is refused; the two before it are written again.
    for (again, expected) in [(vec![], Ok(vec![2])), (vec![1], Err(ErrorKind::Undone))] {
        let dialect = Dialect::of(crate::db::Family::Other);
        let mut session =
            Whole { rows: Vec::new(), saved: Vec::new(), dialect, calls: 0, refuses: vec![vec![2], again] };
        let column = |name: &str| LoadColumn { name: name.into(), data_type: DataType::I4 };
        let target = Target {
            columns: vec![column("key"), column("n")],
            places: vec![0, 1],
            there: Vec::new(),
            options: LoadOptions { keep_nulls: true, ..LoadOptions::default() },
            defaults: Vec::new(),
            isolates: true,
            first_only: true,
            keeps: true,
            undo: Undo::Savepoint,
        };
        let column: ArrayRef = Arc::new(Int32Array::from_iter_values([1, 2, 3]));
        let rows = Rows::new(3, vec![column.clone(), column]);
        let mut failures = Vec::new();
        let done = target.isolate(&TableName::parse("T"), &mut session, &rows, 0, 3, &mut failures);
        let found = done.map(|()| failures.iter().map(|f| f.row).collect::<Vec<_>>());
        assert_eq!(found.map_err(|e| e.kind), expected);
    }
}
