//! Columns of many rows: nulls, faults, branches.

use super::{Names, cx};
use crate::batch::Fault;
use crate::diag::codes;
use crate::expr::{Environment, compile};
use crate::types::DataType;
use arrow::array::*;
use std::sync::Arc;

const W: DataType = DataType::WStr { len: 50 };

fn names(columns: Vec<(&'static str, DataType, ArrayRef)>) -> Names {
    Names { columns: columns.into_iter().map(|(n, t, a)| (n, t, Some(a))).collect(), ..Names::default() }
}

fn eval(text: &str, names: &Names) -> (ArrayRef, Vec<Fault>) {
    let program = compile(text, names).unwrap_or_else(|e| panic!("{e}"));
    let columns: Vec<ArrayRef> = names.columns.iter().map(|c| c.2.clone().unwrap()).collect();
    let rows = columns[0].len();
    program.eval(&columns, rows, &cx()).unwrap()
}

fn ints(text: &str, names: &Names) -> (Vec<Option<i32>>, Vec<(u32, u32)>) {
    let (array, faults) = eval(text, names);
    (
        array.as_primitive::<arrow::datatypes::Int32Type>().iter().collect(),
        faults.iter().map(|f| (f.row, f.code.0)).collect(),
    )
}

fn texts(text: &str, names: &Names) -> Vec<Option<String>> {
    let (array, faults) = eval(text, names);
    assert!(faults.is_empty(), "{text}: {faults:?}");
    array.as_string_view().iter().map(|t| t.map(str::to_owned)).collect()
}

fn numbers() -> Names {
    let a: ArrayRef = Arc::new(Int32Array::from(vec![Some(10), Some(7), None, Some(-4), Some(i32::MIN), Some(0)]));
    let b: ArrayRef = Arc::new(Int32Array::from(vec![Some(2), Some(0), Some(0), None, Some(-1), Some(0)]));
    let zeros: ArrayRef = Arc::new(Int32Array::from(vec![0; 6]));
    names(vec![("a", DataType::I4, a), ("b", DataType::I4, b), ("zeros", DataType::I4, zeros)])
}

#[test]
fn one_bad_row_is_a_fault_and_not_a_dead_batch() {
    let (zero, overflow) = (codes::DTS_E_EXPREVALDIVBYZERO.0, codes::DTS_E_EXPREVALBINARYOPOVERFLOW.0);
    let values = vec![Some(5), None, None, None, None, None];
    assert_eq!(ints("a / b", &numbers()), (values, vec![(1, zero), (4, overflow), (5, zero)]));
    // Of two faults in a row the first stands; what was computed from a faulty row is NULL in the result.
    let (values, faults) = ints("ISNULL(a / b) ? 1 / zeros : 2", &numbers());
    assert_eq!(values, [Some(2), None, None, None, None, None]);
    assert_eq!(faults, [(1, zero), (2, zero), (3, zero), (4, overflow), (5, zero)]);
}

#[test]
fn branches_fail_only_the_rows_that_take_them() {
    let (values, faults) = ints("b == 0 ? 0 : b == -1 ? 1 : a / b", &numbers());
    assert_eq!(values, [Some(5), Some(0), Some(0), None, Some(1), Some(0)]);
    assert_eq!(faults, []);
    // As above, taken by few rows, so that they are gathered first.
    let (values, faults) = ints("a == 10 ? 20 / b : a == 7 ? 1 / b : 3", &numbers());
    assert_eq!(values, [Some(10), None, None, Some(3), Some(3), Some(3)]);
    assert_eq!(faults, [(1, codes::DTS_E_EXPREVALDIVBYZERO.0)]);
    // A constant that fails, in a branch.
    let (values, faults) = ints("b == 2 ? 1 / 0 : 4", &numbers());
    assert_eq!(values, [None, Some(4), Some(4), None, Some(4), Some(4)]);
    assert_eq!(faults, [(0, codes::DTS_E_EXPREVALDIVBYZERO.0)]);
}

#[test]
fn the_side_that_decides_hides_the_other() {
    let (array, faults) = eval("b != 0 && a / b > 1", &numbers());
    let values: Vec<_> = array.as_boolean().iter().collect();
    assert_eq!(values, [Some(true), Some(false), Some(false), None, None, Some(false)]);
    assert_eq!(faults.iter().map(|f| f.row).collect::<Vec<_>>(), [4]);
    let (array, faults) = eval("b == 0 || b == -1 || a / b > 1", &numbers());
    let values: Vec<_> = array.as_boolean().iter().collect();
    assert_eq!(values, [Some(true), Some(true), Some(true), None, Some(true), Some(true)]);
    assert!(faults.is_empty());
}

#[test]
fn logic_has_three_values() {
    let all = [Some(true), Some(false), None];
    let a: ArrayRef = Arc::new(BooleanArray::from_iter(all.iter().flat_map(|v| [*v; 3])));
    let b: ArrayRef = Arc::new(BooleanArray::from_iter(all.iter().cycle().take(9).copied()));
    let names = names(vec![("a", DataType::Bool, a), ("b", DataType::Bool, b)]);
    let (t, f, n) = (Some(true), Some(false), None);
    for (text, expected) in [
        ("a && b", [t, f, n, f, f, f, n, f, n]),
        ("a || b", [t, t, t, t, f, n, t, n, n]),
        ("!a", [f, f, f, t, t, t, n, n, n]),
        ("a == b", [t, f, n, f, t, n, n, n, n]),
        ("a != b", [f, t, n, t, f, n, n, n, n]),
        ("a && NULL(DT_BOOL)", [n, n, n, f, f, f, n, n, n]),
        ("a || TRUE", [t; 9]),
        ("a ? b : !b", [t, f, n, f, t, n, n, n, n]),
    ] {
        let (array, _) = eval(text, &names);
        assert_eq!(array.as_boolean().iter().collect::<Vec<_>>(), expected, "{text}");
    }
}

fn words() -> Names {
    let s: ArrayRef = Arc::new(StringViewArray::from(vec![
        Some("  padded  "),
        Some("a longer text, beyond what a view holds"),
        None,
        Some(""),
        Some("ÄÖÜ straße 😀 und mehr als zwölf"),
        Some("x,y;z"),
    ]));
    let n: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), Some(3), Some(2), Some(5), Some(13), None]));
    names(vec![("s", W, s), ("n", DataType::I4, n)])
}

#[test]
fn text_functions_over_columns() {
    let some = |t: &str| Some(t.to_owned());
    for (text, expected) in [
        ("SUBSTRING(s,n,4)", vec![some("  pa"), some("long"), None, some(""), some("\u{FFFD} un"), None]),
        (
            "SUBSTRING(s,3,30)",
            vec![
                some("padded  "),
                some("longer text, beyond what a vie"),
                None,
                some(""),
                some("Ü straße 😀 und mehr als zwölf"),
                some("y;z"),
            ],
        ),
        ("LEFT(s,2)", vec![some("  "), some("a "), None, some(""), some("ÄÖ"), some("x,")]),
        (
            "RIGHT(s,n)",
            vec![some(" "), some("lds"), None, some(""), some("mehr als zwölf").map(|t| t[1..].to_owned()), None],
        ),
        (
            "TRIM(s)",
            vec![
                some("padded"),
                some("a longer text, beyond what a view holds"),
                None,
                some(""),
                some("ÄÖÜ straße 😀 und mehr als zwölf"),
                some("x,y;z"),
            ],
        ),
        (
            "UPPER(s)",
            vec![
                some("  PADDED  "),
                some("A LONGER TEXT, BEYOND WHAT A VIEW HOLDS"),
                None,
                some(""),
                some("ÄÖÜ STRAßE 😀 UND MEHR ALS ZWÖLF"),
                some("X,Y;Z"),
            ],
        ),
        (
            "LOWER(s)",
            vec![
                some("  padded  "),
                some("a longer text, beyond what a view holds"),
                None,
                some(""),
                some("äöü straße 😀 und mehr als zwölf"),
                some("x,y;z"),
            ],
        ),
        ("TOKEN(s,\" ,;\",2)", vec![None, some("longer"), None, None, some("straße"), some("y")]),
        (
            "REPLACE(s,\"a\",\"--\")",
            vec![
                some("  p--dded  "),
                some("-- longer text, beyond wh--t -- view holds"),
                None,
                some(""),
                some("ÄÖÜ str--ße 😀 und mehr --ls zwölf"),
                some("x,y;z"),
            ],
        ),
        (
            "\"<\" + s + \">\"",
            vec![
                some("<  padded  >"),
                some("<a longer text, beyond what a view holds>"),
                None,
                some("<>"),
                some("<ÄÖÜ straße 😀 und mehr als zwölf>"),
                some("<x,y;z>"),
            ],
        ),
        (
            "REPLACENULL(s,\"none\")",
            vec![
                some("  padded  "),
                some("a longer text, beyond what a view holds"),
                some("none"),
                some(""),
                some("ÄÖÜ straße 😀 und mehr als zwölf"),
                some("x,y;z"),
            ],
        ),
        (
            "ISNULL(s) || LEN(s) > 10 ? \"long\" : s",
            vec![some("  padded  "), some("long"), some("long"), some(""), some("long"), some("x,y;z")],
        ),
        ("REVERSE(LEFT(s,3))", vec![some("p  "), some("l a"), None, some(""), some("ÜÖÄ"), some("y,x")]),
    ] {
        assert_eq!(texts(text, &words()), expected, "{text}");
    }
    assert_eq!(ints("LEN(s)", &words()).0, [Some(10), Some(39), None, Some(0), Some(32), Some(5)]);
    assert_eq!(ints("FINDSTRING(s,\"e\",2)", &words()).0, [Some(0), Some(11), None, Some(0), Some(20), Some(0)]);
    assert_eq!(ints("TOKENCOUNT(s,\",\")", &words()).0, [Some(1), Some(2), Some(0), Some(0), Some(1), Some(2)]);
}

#[test]
fn parts_of_texts_copy_no_text() {
    let names = words();
    let input = names.columns[0].2.clone().unwrap();
    for text in
        ["SUBSTRING(s,2,20)", "LEFT(s,20)", "RIGHT(s,19)", "TRIM(s)", "TOKEN(s,\",\",1)", "REPLACE(s,\"QQ\",\"\")"]
    {
        let (array, _) = eval(text, &names);
        let (input, output) = (input.as_string_view().data_buffers(), array.as_string_view().data_buffers());
        assert_eq!(input.len(), output.len(), "{text}");
        for (a, b) in input.iter().zip(output.iter()) {
            assert_eq!(a.as_ptr(), b.as_ptr(), "{text}");
        }
    }
}

#[test]
fn a_value_for_all_rows_is_one_value() {
    let (array, faults) = eval("YEAR(GETDATE()) * 100 + MONTH(GETUTCDATE())", &numbers());
    assert_eq!(array.as_primitive::<arrow::datatypes::Int32Type>().values(), &[202403; 6]);
    assert!(faults.is_empty());
    let (array, faults) = eval("1 / (YEAR(GETDATE()) - 2024)", &numbers());
    assert_eq!((array.null_count(), faults.len()), (6, 6));
}

#[test]
fn no_rows_are_no_trouble() {
    for text in
        ["a / b", "a == 1 ? 1 / 0 : 2", "ISNULL(a) || a / b > 1", "1 / (YEAR(GETDATE()) - 2024)", "\"x\"", "a + 1"]
    {
        let empty: ArrayRef = Arc::new(Int32Array::from(Vec::<i32>::new()));
        let names = names(vec![("a", DataType::I4, empty.clone()), ("b", DataType::I4, empty)]);
        let (array, faults) = eval(text, &names);
        assert_eq!((array.len(), faults.len()), (0, 0), "{text}");
    }
}

#[test]
fn columns_are_found_by_every_kind_of_name() {
    let one: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let names = names(
        ["plain", "with blank", "Source.Column", "#123", "#Package\\Flow\\Source.Outputs[Out].Columns[a}b]"]
            .map(|n| (n, DataType::I4, one.clone()))
            .into(),
    );
    let text = "PLAIN + [with blank] + Source.[Column] + [Source].Column + #123 \
                + #{Package\\Flow\\Source.Outputs[Out].Columns[a}b]}";
    assert_eq!(ints(text, &names), (vec![Some(6)], vec![]));
    assert_eq!(compile(text, &names).unwrap().slots(), [0, 1, 2, 3, 4]);
    assert!(names.lcid() == 1033);
}

#[test]
fn deep_expressions_are_refused_and_not_run_over() {
    let names = numbers();
    for (open, close) in [("(", ")"), ("ABS(", ")"), ("-", ""), ("(DT_I8)", ""), ("a == 1 ? 2 : ", ""), ("a + ", "")] {
        for depth in [10, 90, 390, 5000, 100_000] {
            let text = format!("{}a{}", open.repeat(depth), close.repeat(depth));
            match compile(&text, &names) {
                Ok(program) => {
                    let columns: Vec<ArrayRef> = names.columns.iter().map(|c| c.2.clone().unwrap()).collect();
                    program.eval(&columns, 6, &cx()).unwrap();
                }
                Err(e) => assert!(depth > 90 && e.message.contains("deep"), "{open} {depth} {}", e.message),
            }
        }
    }
}

/// As of a hash over some hundred columns, or a long list of codes.
#[test]
fn long_chains_are_no_deep_expressions() {
    let names = numbers();
    let columns: Vec<ArrayRef> = names.columns.iter().map(|c| c.2.clone().unwrap()).collect();
    for link in [" + a", " * 1", " || a == 3", " && a != 3", " + \"|\""] {
        let first = if link.contains('"') { "\"\"" } else { "zeros" };
        let first = if link.contains('=') { "zeros == 0" } else { first };
        let program = compile(&(first.to_owned() + &link.repeat(1_900)), &names).unwrap_or_else(|e| panic!("{e}"));
        let (_, faults) = program.eval(&columns, 6, &cx()).unwrap();
        assert_eq!(faults.is_empty(), link != " + a", "{link}");
        drop(program.clone());
    }
}

#[test]
fn replacements_of_null_keep_the_type() {
    let price: ArrayRef =
        Arc::new(Decimal128Array::from(vec![Some(12_345), None]).with_precision_and_scale(8, 2).expect("two digits"));
    let large = vec![12_345_678_912, 12_345_678_912];
    let large: ArrayRef = Arc::new(Decimal128Array::from(large).with_precision_and_scale(38, 2).expect("two digits"));
    let names = names(vec![
        ("p", DataType::Numeric { precision: 8, scale: 2 }, price),
        ("large", DataType::Numeric { precision: 38, scale: 2 }, large),
    ]);
    let (_, faults) = eval("REPLACENULL(p,large)", &names);
    assert_eq!(faults.iter().map(|f| f.row).collect::<Vec<_>>(), [0, 1], "it is computed for every row");
    assert!(compile("REPLACENULL(p,123456789.12)", &names).is_err());
    let (array, faults) = eval("REPLACENULL(p,1.5)", &names);
    assert_eq!((array.null_count(), faults), (0, vec![]));
}

#[test]
fn dates_lose_what_a_timestamp_lacks() {
    let moment: ArrayRef = Arc::new(TimestampMicrosecondArray::from(vec![12_345_678]));
    let names = names(vec![("d", DataType::Date, moment)]);
    let (array, _) = eval("DATEADD(\"ms\",1,d)", &names);
    assert_eq!(array.as_primitive::<arrow::datatypes::TimestampMicrosecondType>().value(0), 12_346_000);
}

#[test]
fn counts_at_the_ends_of_their_type_are_values_or_faults() {
    let n: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MIN + 1, -1, i64::MAX]));
    let text: ArrayRef = Arc::new(StringViewArray::from(vec!["a text"; 4]));
    let price: ArrayRef =
        Arc::new(Decimal128Array::from(vec![12_345; 4]).with_precision_and_scale(12, 3).expect("three digits"));
    let day: ArrayRef = Arc::new(Date32Array::from(vec![19_000; 4]));
    let names = names(vec![
        ("n", DataType::I8, n),
        ("t", W, text),
        ("p", DataType::Numeric { precision: 12, scale: 3 }, price),
        ("d", DataType::DbDate, day),
    ]);
    for (expression, faults) in [
        ("ROUND(p,n)", vec![0, 1, 2]),
        ("ROUND((DT_R8)p,n)", vec![0, 1, 2]),
        ("SUBSTRING(t,n,n)", vec![0, 1, 2]),
        ("SUBSTRING(t,2,n)", vec![0, 1, 2]),
        ("SUBSTRING(t,-9223372036854775807L-1,n)", vec![0, 1, 2, 3]),
        ("LEFT(t,n)", vec![0, 1, 2]),
        ("RIGHT(t,n)", vec![0, 1, 2]),
        ("TOKEN(t,\" \",n)", vec![]),
        ("FINDSTRING(t,\"e\",n)", vec![0, 1, 2]),
        ("DATEADD(\"yy\",n,d)", vec![0, 1, 3]),
        ("DATEADD(\"ms\",n,d)", vec![0, 1, 3]),
    ] {
        let (_, found) = eval(expression, &names);
        assert_eq!(found.iter().map(|f| f.row).collect::<Vec<_>>(), faults, "{expression}");
    }
}
