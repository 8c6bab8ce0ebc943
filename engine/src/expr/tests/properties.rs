//! What holds for all expressions.

use super::{Names, cx};
use crate::expr::ast::{Ast, BinaryOp, Expr, ExprKind, Literal, UnaryOp};
use crate::expr::{compile, functions, parse, parse_assignment, quoted};
use crate::types::scalar::{array_of, value_at};
use crate::types::{DataType, Value};
use arrow::array::{Array, ArrayRef};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z_äßЖ][a-zA-Z0-9_@$#é]{0,8}",
        "[^\\[\\]\\p{C}]{1,8}",
        select(vec!["true", "FALSE", "DT_I4", "NULLS", "x.y", "1a", " "]).prop_map(str::to_owned),
    ]
}

fn literal() -> impl Strategy<Value = Literal> {
    prop_oneof![
        (0..=i32::MAX).prop_map(Literal::I4),
        any::<u32>().prop_map(Literal::UI4),
        (0..=i64::MAX).prop_map(Literal::I8),
        any::<u64>().prop_map(Literal::UI8),
        (1u8..=38, any::<u8>(), any::<u128>()).prop_map(|(p, s, v)| {
            let limit = 10u128.pow(u32::from(p));
            Literal::Numeric((v % limit) as i128, p, s % (p + 1))
        }),
        (0f32..=f32::MAX).prop_map(Literal::R4),
        (0f64..=f64::MAX).prop_map(Literal::R8),
        any::<String>().prop_map(Literal::Text),
        any::<bool>().prop_map(Literal::Bool),
    ]
}

fn data_type() -> impl Strategy<Value = DataType> {
    use DataType::*;
    prop_oneof![
        select(vec![I1, I2, I4, I8, UI1, UI2, UI4, UI8, R4, R8, Cy, Bool, Date, DbDate, DbTime, DbTimeStamp, FileTime]),
        select(vec![Guid, Image, NText, Text { code_page: 1252 }, Str { len: 7, code_page: 65001 }, WStr { len: 0 }]),
        (0u32..9000).prop_map(|len| Bytes { len }),
        (0u8..=7).prop_map(|scale| DbTimeStamp2 { scale }),
        (0u8..=28).prop_map(|scale| Decimal { scale }),
        (1u8..=38, any::<u8>()).prop_map(|(precision, s)| Numeric { precision, scale: s % (precision + 1) }),
    ]
}

fn tree() -> impl Strategy<Value = Expr> {
    let e = |kind| Expr { kind, span: 0..0 };
    let leaf = prop_oneof![
        literal().prop_map(ExprKind::Literal),
        "[0-9]{1,5}".prop_map(ExprKind::Lineage),
        "Package\\\\[a-z ]{1,8}\\.Outputs\\[[a-z]{1,4}\\]\\.Columns\\[[a-z{} ]{1,6}\\]".prop_map(ExprKind::Lineage),
        (proptest::option::of(name()), name()).prop_map(|(component, column)| ExprKind::Column { component, column }),
        name().prop_map(ExprKind::Variable),
        data_type().prop_map(ExprKind::NullOf),
    ]
    .prop_map(e);
    leaf.prop_recursive(6, 40, 3, move |inner| {
        use BinaryOp::*;
        let unary = select(vec![UnaryOp::Minus, UnaryOp::Not, UnaryOp::Complement]);
        let binary = select(vec![
            Multiply,
            Divide,
            Modulo,
            Add,
            Subtract,
            Less,
            Greater,
            LessEqual,
            GreaterEqual,
            Equal,
            NotEqual,
            BitAnd,
            BitXor,
            BitOr,
            And,
            Or,
        ]);
        let boxed = inner.clone().prop_map(Box::new);
        prop_oneof![
            (unary, boxed.clone()).prop_map(|(op, x)| ExprKind::Unary(op, x)),
            (binary, boxed.clone(), boxed.clone()).prop_map(|(op, a, b)| ExprKind::Binary(op, a, b)),
            [inner.clone(), inner.clone(), inner.clone()].prop_map(|parts| ExprKind::Conditional(Box::new(parts))),
            (data_type(), boxed).prop_map(|(to, x)| ExprKind::Cast(to, x)),
            (name().prop_filter("NULL is no call", |n| !n.eq_ignore_ascii_case("null")), vec(inner, 0..4))
                .prop_map(|(name, args)| ExprKind::Call(name, args)),
        ]
        .prop_map(e)
    })
}

/// Pieces that look like an expression, and some that do not.
fn soup() -> impl Strategy<Value = String> {
    let mut words: Vec<String> = [
        "1",
        "0",
        "2.5",
        "1e3",
        "7L",
        "0x1F",
        "\"a\"",
        "\"",
        "\\",
        "TRUE",
        "c_i4",
        "c_text",
        "[",
        "]",
        "[c_i4]",
        "#1",
        "#{",
        "}",
        "@",
        "@x",
        "@[x]",
        "+",
        "-",
        "*",
        "/",
        "%",
        "==",
        "!=",
        "<",
        ">=",
        "&&",
        "||",
        "!",
        "&",
        "|",
        "^",
        "~",
        "?",
        ":",
        "(",
        ")",
        ",",
        "(DT_I4)",
        "(DT_WSTR,5)",
        "(DT_STR,",
        "NULL(",
        "NULL(DT_I4)",
        ".",
        "=",
        "'",
        "\n",
        "é",
        "«x»",
        "😀",
        "\u{0}",
    ]
    .map(str::to_owned)
    .into();
    words.extend(functions().iter().map(|f| format!("{}(", f.name)));
    prop_oneof![
        3 => vec(select(words), 0..14).prop_map(|w| w.join(" ")),
        1 => any::<String>(),
    ]
}

/// What an expression of the generator below is of.
#[derive(Clone, Copy)]
enum Of {
    Int,
    Decimal,
    Double,
    Text,
    Bool,
    Date,
}

const PARTS: [&str; 11] = ["year", "qq", "mm", "dy", "dd", "wk", "dw", "hh", "mi", "ss", "ms"];

/// Well-typed expressions over the columns of [`columns`].
fn typed(of: Of, depth: u32) -> BoxedStrategy<String> {
    let leaf: Vec<&'static str> = match of {
        Of::Int => vec!["c_i4", "c_small", "0", "1", "3", "2147483647", "NULL(DT_I4)"],
        Of::Decimal => vec!["c_num", "c_cy", "1.5", "0.0", "(DT_CY)2", "99.99"],
        Of::Double => vec!["c_r8", "1e0", "2.5L", "0e0"],
        Of::Text => vec!["c_text", "c_wide", "\"\"", "\"ab\"", "\"a longer literal, 😀\"", "NULL(DT_WSTR,3)"],
        Of::Bool => vec!["c_bool", "TRUE", "FALSE", "NULL(DT_BOOL)"],
        Of::Date => vec!["c_ts", "c_day", "(DT_DBTIMESTAMP)\"2024-02-29 12:00:00\"", "GETDATE()"],
    };
    let leaf = select(leaf).prop_map(str::to_owned).boxed();
    if depth == 0 {
        return leaf;
    }
    let sub = |of| typed(of, depth - 1);
    fn call(shape: &'static str, args: Vec<BoxedStrategy<String>>) -> BoxedStrategy<String> {
        args.prop_map(move |args| {
            let mut args = args.iter();
            shape.split('$').map(str::to_owned).reduce(|a, b| a + args.next().unwrap() + &b).unwrap()
        })
        .boxed()
    }
    let mut all = vec![leaf, call("($ ? $ : $)", vec![sub(Of::Bool), sub(of), sub(of)])];
    match of {
        Of::Int => {
            for shape in ["($ + $)", "($ - $)", "($ * $)", "($ / $)", "($ % $)", "($ & $)", "($ | $)", "($ ^ $)"] {
                all.push(call(shape, vec![sub(of), sub(of)]));
            }
            for shape in ["(-$)", "(~$)", "ABS($)", "SIGN($)"] {
                all.push(call(shape, vec![sub(of)]));
            }
            all.push(call("REPLACENULL($,$)", vec![sub(of), sub(of)]));
            all.push(call("LEN($)", vec![sub(Of::Text)]));
            all.push(call("FINDSTRING($,$,$)", vec![sub(Of::Text), sub(Of::Text), sub(of)]));
            all.push(call("TOKENCOUNT($,$)", vec![sub(Of::Text), sub(Of::Text)]));
            all.push(call("(DT_I4)$", vec![sub(Of::Decimal)]));
            all.push(call("(DT_I4)CODEPOINT($)", vec![sub(Of::Text)]));
            all.push(call("MONTH($)", vec![sub(Of::Date)]));
            all.push(call("(DT_I4)$", vec![sub(Of::Bool)]));
            for part in PARTS {
                let quoted = move || Just(format!("\"{part}\"")).boxed();
                all.push(call("DATEPART($,$)", vec![quoted(), sub(Of::Date)]));
                all.push(call("DATEDIFF($,$,$)", vec![quoted(), sub(Of::Date), sub(Of::Date)]));
            }
        }
        Of::Decimal => {
            for shape in ["($ + $)", "($ - $)", "($ * $)", "($ / $)"] {
                all.push(call(shape, vec![sub(of), sub(of)]));
            }
            for shape in ["(-$)", "ABS($)", "FLOOR($)", "CEILING($)", "ROUND($,1)", "(DT_NUMERIC,12,3)$", "(DT_CY)$"] {
                all.push(call(shape, vec![sub(of)]));
            }
            all.push(call("ROUND($,$)", vec![sub(of), sub(Of::Int)]));
            all.push(call("REPLACENULL($,$)", vec![sub(of), sub(Of::Int)]));
            all.push(call("(DT_DECIMAL,2)$", vec![sub(Of::Int)]));
        }
        Of::Double => {
            for shape in ["($ + $)", "($ - $)", "($ * $)", "($ / $)", "POWER($,$)"] {
                all.push(call(shape, vec![sub(of), sub(of)]));
            }
            for shape in ["SQRT($)", "LN($)", "LOG($)", "EXP($)", "SQUARE($)", "(-$)", "ROUND($,2)", "FLOOR($)"] {
                all.push(call(shape, vec![sub(of)]));
            }
            all.push(call("($ + $)", vec![sub(of), sub(Of::Decimal)]));
            all.push(call("(DT_R8)$", vec![sub(Of::Int)]));
        }
        Of::Text => {
            for shape in ["TRIM($)", "LTRIM($)", "RTRIM($)", "UPPER($)", "LOWER($)", "REVERSE($)", "(DT_WSTR,3)$"] {
                all.push(call(shape, vec![sub(of)]));
            }
            all.push(call("$ + $", vec![sub(of), sub(of)]).prop_map(|t| format!("({t})")).boxed());
            all.push(call("SUBSTRING($,$,$)", vec![sub(of), sub(Of::Int), sub(Of::Int)]));
            all.push(call("LEFT($,$)", vec![sub(of), sub(Of::Int)]));
            all.push(call("RIGHT($,$)", vec![sub(of), sub(Of::Int)]));
            all.push(call("REPLACE($,$,$)", vec![sub(of), sub(of), sub(of)]));
            all.push(call("TOKEN($,$,$)", vec![sub(of), sub(of), sub(Of::Int)]));
            all.push(call("REPLICATE($,c_small)", vec![sub(of)]));
            all.push(call("REPLACENULL($,$)", vec![sub(of), sub(of)]));
            all.push(call("HEX($)", vec![sub(Of::Int)]));
            all.push(call("(DT_STR,20,1252)$", vec![sub(Of::Int)]));
            all.push(call("(DT_WSTR,30)$", vec![sub(Of::Decimal)]));
            all.push(call("(DT_WSTR,30)$", vec![sub(Of::Date)]));
        }
        Of::Bool => {
            for shape in ["($ && $)", "($ || $)", "($ == $)"] {
                all.push(call(shape, vec![sub(of), sub(of)]));
            }
            all.push(call("(!$)", vec![sub(of)]));
            for shape in ["($ == $)", "($ != $)", "($ < $)", "($ >= $)"] {
                for of in [Of::Int, Of::Decimal, Of::Double, Of::Text, Of::Date] {
                    all.push(call(shape, vec![sub(of), sub(of)]));
                }
            }
            for of in [Of::Int, Of::Text, Of::Date, Of::Decimal] {
                all.push(call("ISNULL($)", vec![sub(of)]));
            }
        }
        Of::Date => {
            for part in PARTS {
                let quoted = Just(format!("\"{part}\"")).boxed();
                all.push(call("DATEADD($,$,$)", vec![quoted, sub(Of::Int), sub(of)]));
            }
            all.push(call("(DT_DBDATE)$", vec![sub(of)]));
            all.push(call("(DT_DBTIMESTAMP2,7)$", vec![sub(of)]));
            all.push(call("REPLACENULL($,$)", vec![sub(of), sub(of)]));
        }
    }
    proptest::strategy::Union::new(all).boxed()
}

fn any_typed() -> BoxedStrategy<String> {
    proptest::strategy::Union::new(
        [Of::Int, Of::Decimal, Of::Double, Of::Text, Of::Bool, Of::Date].map(|of| typed(of, 3)),
    )
    .boxed()
}

type Row = Vec<Value>;

fn types() -> [(&'static str, DataType); 10] {
    [
        ("c_i4", DataType::I4),
        ("c_small", DataType::I4),
        ("c_num", DataType::Numeric { precision: 9, scale: 2 }),
        ("c_cy", DataType::Cy),
        ("c_r8", DataType::R8),
        ("c_text", DataType::WStr { len: 60 }),
        ("c_wide", DataType::WStr { len: 60 }),
        ("c_bool", DataType::Bool),
        ("c_ts", DataType::DbTimeStamp),
        ("c_day", DataType::DbDate),
    ]
}

fn row() -> impl Strategy<Value = Row> {
    fn some(values: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
        prop_oneof![4 => values, 1 => Just(Value::Null)].boxed()
    }
    // 1900 to 2100.
    const FIRST: i64 = -2_208_988_800_000;
    const LAST: i64 = 4_102_444_800_000;
    vec![
        some(prop_oneof![any::<i32>(), -3i32..9].prop_map(Value::I4)),
        some((-1i32..12).prop_map(Value::I4)),
        some((-999_999_999i128..=999_999_999).prop_map(|v| Value::Decimal(v, 2))),
        some(prop_oneof![any::<i64>(), -50_000i64..50_000].prop_map(|v| Value::Decimal(v.into(), 4))),
        some(prop_oneof![-10f64..10.0, -1e300..1e300].prop_map(Value::R8)),
        some("[ a-cA-C,;]{0,6}|[ -~]{10,20}".prop_map(Value::text)),
        some("[ a-cäöß😀,]{0,8}|[a-z ä日😀]{10,16}".prop_map(Value::text)),
        some(any::<bool>().prop_map(Value::Bool)),
        some((FIRST..LAST).prop_map(|ms| Value::Timestamp(ms * 1000))),
        some((FIRST / 86_400_000..LAST / 86_400_000).prop_map(|d| Value::Days(d as i32))),
    ]
}

fn columns(rows: &[Row]) -> Vec<ArrayRef> {
    let column = |(i, (_, ty)): (usize, (&str, DataType))| -> ArrayRef {
        let parts: Vec<ArrayRef> = rows.iter().map(|r| array_of(&r[i], &ty, 1).unwrap()).collect();
        let parts: Vec<&dyn Array> = parts.iter().map(|p| &**p).collect();
        arrow::compute::concat(&parts).unwrap()
    };
    types().into_iter().enumerate().map(column).collect()
}

fn column_names() -> Names {
    Names { columns: types().into_iter().map(|(n, t)| (n, t, None)).collect(), ..Names::default() }
}

/// The columns' values of one row as variables of the same names.
fn variables(row: &Row) -> Names {
    let variables = types().into_iter().zip(row).map(|((n, t), v)| (n, t, v.clone())).collect();
    Names { variables, ..Names::default() }
}

/// Values and codes, row by row.
type Results = Vec<Result<String, u32>>;

fn over_rows(text: &str, columns: &[ArrayRef], rows: usize) -> Results {
    let program = compile(text, &column_names()).unwrap();
    let (array, faults) = program.eval(columns, rows, &cx()).unwrap();
    assert_eq!(array.len(), rows);
    assert_eq!(array.data_type(), &program.data_type().arrow());
    assert!(faults.windows(2).all(|w| w[0].row < w[1].row), "{faults:?}");
    (0..rows)
        .map(|row| match faults.iter().find(|f| f.row == row as u32) {
            Some(fault) => {
                assert!(array.is_null(row));
                Err(fault.code.0)
            }
            None => Ok(format!("{:?}", value_at(&array, &program.data_type(), row).unwrap())),
        })
        .collect()
}

fn once(text: &str, row: &Row) -> Result<String, u32> {
    let program = compile(&text.replace("c_", "@c_"), &variables(row)).map_err(|e| e.code.0)?;
    program.eval_row(&cx()).map(|v| format!("{v:?}")).map_err(|e| e.code.0)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn printing_and_parsing_are_inverse(root in tree(), target in proptest::option::of(name())) {
        let ast = Ast { root, target };
        let printed = ast.to_string();
        let again = parse_assignment(&printed);
        prop_assert_eq!(again.as_ref(), Ok(&ast), "{}", printed);
    }

    #[test]
    fn nothing_that_is_read_panics(text in soup(), rows in vec(row(), 1..3)) {
        let _ = parse_assignment(&text);
        if let Err(e) = parse(&text) {
            // An error can be shown, whatever the text.
            prop_assert!(!e.to_string().is_empty());
        }
        if let Ok(program) = compile(&text, &column_names()) {
            let _ = program.eval(&columns(&rows), rows.len(), &cx()).unwrap();
        }
    }

    #[test]
    fn batches_rows_and_folding_agree(text in any_typed(), rows in vec(row(), 1..7)) {
        let columns = columns(&rows);
        if compile(&text, &column_names()).is_err() {
            // More than 38 digits, or a constant that fails: what is refused, is so whatever the rows.
            prop_assert!(rows.iter().all(|r| once(&text, r).is_err()), "{}", text);
            return Ok(());
        }
        let all = over_rows(&text, &columns, rows.len());
        for (i, row) in rows.iter().enumerate() {
            // One row of the same columns, as a batch of its own.
            let one: Vec<ArrayRef> = columns.iter().map(|c| c.slice(i, 1)).collect();
            prop_assert_eq!(&over_rows(&text, &one, 1)[0], &all[i], "{} on {:?}", text, row);
            // The same values as variables: every part is constant, and folded. A part that fails does so before a
            // part beside the clock's, which waits for the run.
            let folded = once(&text, row);
            if !(text.contains("GETDATE") && folded.is_err() && all[i].is_err()) {
                prop_assert_eq!(&folded, &all[i], "{} on {:?}", text, row);
            }
        }
    }
}

proptest! {
    #[test]
    fn texts_are_written_so_that_they_read_the_same(text in "\\PC{0,20}|(?s).{0,20}|[\u{a0}\u{200b}\u{feff}\u{1f600}\u{301}\\\\\"\\x07-\\x0d]{0,20}") {
        let written = quoted(&text).to_string();
        let program = compile(&written, &crate::expr::NoNames).unwrap();
        prop_assert_eq!(program.eval_row(&cx()).unwrap(), Value::text(&text), "{}", written);
    }
}

#[test]
fn texts_show_what_cannot_be_seen() {
    let text = "a\u{a0}\u{7}\u{8}\u{c}\n\r\t\u{b}\"\\\u{1b}\u{200b}é'\u{e0001}";
    assert_eq!(quoted(text).to_string(), r#""a\x00A0\a\b\f\n\r\t\v\"\\\x001B\x200Bé'\xDB40\xDC01""#);
}
