//! Every code that the language documents, reached.

use super::{Names, cx, result};
use crate::diag::{Code, codes};
use crate::expr::{compile, compile_assignment, parse};
use crate::types::scalar::array_of;
use crate::types::{DataType, Value};

fn names() -> Names {
    let one = |ty: DataType, value: Value| (ty, Some(array_of(&value, &ty, 1).unwrap()));
    let mut columns = Vec::new();
    let mut add = |name, (ty, array)| columns.push((name, ty, array));
    add("i", one(DataType::I4, Value::I4(i32::MAX)));
    add("zero", one(DataType::I4, Value::I4(0)));
    add("least", one(DataType::I4, Value::I4(i32::MIN)));
    add("u", one(DataType::UI4, Value::UI4(1)));
    add("u8", one(DataType::UI8, Value::UI8(1)));
    add("n38", one(DataType::Numeric { precision: 38, scale: 0 }, Value::Decimal(1, 0)));
    add("r", one(DataType::R8, Value::R8(1e308)));
    add("cy", one(DataType::Cy, Value::Decimal(i64::MAX.into(), 4)));
    add("b", one(DataType::Bool, Value::Bool(true)));
    add("s", one(DataType::WStr { len: 9 }, Value::text("abc")));
    add("empty", one(DataType::WStr { len: 9 }, Value::text("")));
    add("a1252", one(DataType::Str { len: 9, code_page: 1252 }, Value::text("abc")));
    add("t1252", one(DataType::Text { code_page: 1252 }, Value::text("abc")));
    add("t1251", one(DataType::Text { code_page: 1251 }, Value::text("abc")));
    add("g", one(DataType::Guid, Value::Guid([0; 16])));
    add("d", one(DataType::DbDate, Value::Days(0)));
    add("t", one(DataType::DbTime, Value::Time(0)));
    add("void", (DataType::Null, None));
    Names {
        columns,
        variables: vec![
            ("User::o", DataType::Null, Value::Object(std::sync::Arc::new(1))),
            ("User::long", DataType::WStr { len: 0 }, Value::text("x".repeat(4001))),
        ],
        ambiguous: vec!["twice"],
        ..Names::default()
    }
}

#[rustfmt::skip]
const CODES: &[(u32, &str)] = &[
    // Rows and constants that cannot be computed.
    (0xC004707B, "i / zero"),
    (0xC004707B, "i % zero"),
    (0xC004707B, "r / 0.0"),
    (0xC004707B, "cy / (DT_CY)0"),
    (0xC004707B, "n38 == 1 ? 1.5 / (zero * 1.0) : 0.5"),
    (0xC004707C, "3000000000"),
    (0xC004707C, "5000000000U"),
    (0xC004707C, "0xFFFFFFFF"),
    (0xC004707C, "1e999"),
    (0xC004707C, "123456789012345678901234567890123456789.5"),
    (0xC004707D, "n38 * n38"),
    (0xC004707D, "n38 + n38"),
    (0xC004707E, "i + 1"),
    (0xC004707E, "i * i"),
    (0xC004707E, "least - 1"),
    (0xC004707E, "least / -1"),
    (0xC004707E, "r * r"),
    (0xC004707E, "cy + cy"),
    (0xC004707F, "ABS(least)"),
    (0xC004707F, "EXP(r)"),
    (0xC004707F, r#"DATEADD("yy",i,d)"#),
    (0xC00470C0, "(DT_I1)i"),
    (0xC0049064, "(DT_I4)s"),
    (0xC00470DF, "SQRT(least)"),
    (0xC00470E0, "LN(zero)"),
    (0xC00470E1, "LOG(least)"),
    (0xC00470E2, "POWER(zero,-1)"),
    (0xC00470E5, "-least"),
    (0xC00470E7, "LEFT(s,least)"),
    (0xC00470E7, "RIGHT(s,least)"),
    (0xC00470E8, "REPLICATE(s,least)"),
    (0xC00470EE, r#"FINDSTRING(s,"a",zero)"#),
    (0xC004708B, "SUBSTRING(s,1,least)"),
    (0xC004708C, "SUBSTRING(s,zero,1)"),
    (0xC00470C5, r#"REPLACE(s,empty,"x")"#),
    (0xC00470C5, r#"REPLACE(s,"","x")"#),
    // Types.
    (0xC0047080, r#""a" + 5"#),
    (0xC0047080, "u8 + i"),
    (0xC0047080, "b == i"),
    (0xC0047080, "s == g"),
    (0xC0047080, "d < t"),
    (0xC0047080, "t1252 + s"),
    (0xC0047081, "b + b"),
    (0xC0047081, "d + d"),
    (0xC0047081, "r % r"),
    (0xC0047081, "b < b"),
    (0xC0047081, "g > g"),
    (0xC0047081, "t1252 < t1252"),
    (0xC0047081, "i && b"),
    (0xC0047082, "i & u"),
    (0xC0047086, "-u"),
    (0xC0047086, "!i"),
    (0xC0047086, "~r"),
    (0xC0047089, "LEN(i)"),
    (0xC0047089, "ABS(s)"),
    (0xC0047089, "SIGN(u)"),
    (0xC0047089, "YEAR(s)"),
    (0xC0047089, "REPLACENULL(t1252,t1252)"),
    (0xC0047089, "REPLACENULL(g,5)"),
    (0xC004709E, "i ? 1 : 2"),
    (0xC004709F, r#"b ? 1 : "a""#),
    (0xC004709F, "b ? d : t"),
    (0xC00470AF, "b ? t1252 : t1251"),
    (0xC00470CE, "t1252 + t1251"),
    (0xC00470CE, "t1252 == t1251"),
    (0xC00470D1, "(DT_STR,5,1251)a1252"),
    (0xC0047095, "(DT_DBDATE)b"),
    (0xC0047095, "(DT_STR,5,1252)(DT_NTEXT)s"),
    (0xC00470BE, "void"),
    (0xC00470BE, "(DT_FOO)1"),
    (0xC00470EC, r#"NULL(DT_STR,5,1252) + "a""#),
    (0xC00470ED, r#"b ? NULL(DT_STR,5,1252) : "a""#),
    // Functions and their parameters.
    (0xC004708A, "NOSUCH(1)"),
    (0xC004708F, r#"DATEPART("xx",d)"#),
    (0xC004708F, r#"DATEPART("w",d)"#),
    (0xC00470F0, "DATEPART(s,d)"),
    (0xC00470F9, "SUBSTRING(s)"),
    (0xC00470FA, "LEN(s,s)"),
    (0xC00470FB, "SUBSTRING(s,1)"),
    (0xC0047090, "NULL(DT_WSTR)"),
    (0xC0047091, r#"NULL(DT_WSTR,1.5)"#),
    (0xC0047092, "NULL(DT_WSTR,i)"),
    (0xC00470F2, "NULL(DT_STR,5,1)"),
    (0xC00470F3, "NULL(DT_NUMERIC,39,2)"),
    (0xC00470F4, "NULL(DT_NUMERIC,5,6)"),
    (0xC00470F5, "NULL(DT_WSTR,-1)"),
    (0xC0047093, "(DT_STR,5)s"),
    (0xC0047093, "(DT_I4,5)s"),
    (0xC0047094, "(DT_WSTR,1.5)s"),
    (0xC0047094, "(DT_WSTR,\"a\")s"),
    (0xC0047094, "(DT_WSTR,i)s"),
    (0xC00470AA, "(DT_STR,5,1)s"),
    (0xC00470AB, "(DT_NUMERIC,0,0)i"),
    (0xC00470AC, "(DT_DECIMAL,29)i"),
    (0xC00470AC, "(DT_DBTIMESTAMP2,8)d"),
    (0xC00470F1, "(DT_WSTR,-1)s"),
    // Names.
    (0xC00470A2, "nowhere"),
    (0xC00470A3, "#99"),
    (0xC00470DC, "Source.nowhere"),
    (0xC00470DB, "twice"),
    (0xC00470A6, "@nowhere"),
    (0xC00470DD, "@twice"),
    (0xC00470D0, "@[User::o]"),
    (0xC0047100, "@[User::long]"),
    // Text that is no expression.
    (0xC004709A, " \t\n"),
    (0xC0047096, "1 $ 2"),
    (0xC0047096, "@ x"),
    (0xC0047096, "\"abc"),
    (0xC0047096, "12abc"),
    (0xC0047096, "[]"),
    (0xC0047099, "1 +"),
    (0xC0047099, "1 2"),
    (0xC0047099, "(1"),
    (0xC0047099, "LEN(s"),
    (0xC0047099, "b ? 1"),
    (0xC0047099, "s."),
    (0xC00470B7, r#""\x12""#),
    (0xC00470B7, r#""\x0000""#),
    (0xC00470B8, r#""\q""#),
    (0xC00470D6, "'a'"),
    (0xC00470D7, "i = 1"),
    (0xC00470E6, "LEN( «character_expression» )"),
];

#[test]
fn every_documented_code_is_reached() {
    let names = names();
    for (code, text) in CODES {
        assert_eq!(result(text, &names), format!("error {}", Code(*code)), "{text}");
    }
}

/// Codes that other tests reach, and where.
const ELSEWHERE: &[(u32, &str)] = &[
    (0xC00470FF, "long_literals_are_refused"),
    (0xC00470A4, "without_columns_names_are_unknown_tokens"),
    (0xC00470A5, "without_columns_names_are_unknown_tokens"),
    (0x800470D8, "without_columns_names_are_unknown_tokens"),
    (0xC00470C1, "types::convert: an illegal cast that no expression had checked"),
    (0xC001F186, "control::tests::variables: an assignment of another type"),
    (0xC001F187, "control::tests::variables: an assignment to a constant"),
    (0xC001F188, "control::tests::variables: an assignment to nothing"),
    (0xC0017006, "control::tests: a constraint that is no Boolean"),
    (0xC004709D, "tests/flows/derived_column/refused.flow"),
    (0xC020700C, "transforms::expression: the message of an expression that does not compile"),
    (0x00200001, "types::convert: text and fractions that a cast cuts; no error, rows go on"),
];

/// Codes that nothing reaches, and why.
const UNREACHED: &[(u32, &str)] = &[
    (0xC0047083, "wraps the failure of an operator: here its own code stands, with the place"),
    (0xC0047087, "the same of a unary operator"),
    (0xC00470C3, "the same of ? :"),
    (0xC00470C4, "the same of a cast: rows and constants have DTS_E_EXPREVALSTATIC_CASTFAILED"),
    (0xC00470CF, "the same of a variable: its own error stands, DTS_E_EXPREVALVARIABLENOTFOUND for one"),
    (0xC00470EA, "the same: variables are read before an expression is compiled, and cannot be locked against it"),
    (0xC004709B, "the same of an expression; only what is a defect of this program has it"),
    (0xC0207006, "the same, said by a component: DTS_E_EXPRESSIONVALIDATIONFAILED is, with the reason"),
    (0xC0207007, "the same, said by a component of a row: rows have their own codes"),
    (0xC0047084, "setting a type cannot fail: types are values"),
    (0xC0047088, "setting a type cannot fail"),
    (0xC00470A0, "setting a type cannot fail"),
    (0xC0047085, "comparing two texts cannot fail: the original asks the operating system"),
    (0xC004708E, "mapping characters cannot fail: the original asks the operating system"),
    (0xC0047097, "the parser has no unexpected state: what it does not take is DTS_E_EXPREVALFAILEDTOPARSEEXPRESSION"),
    (0xC0047098, "the same, with a code of the operating system"),
    (0xC00470A7, "the lexer has no invalid state"),
    (0xC00470FC, "out of memory ends the program, not the parser"),
    (0xC004709C, "expressions are written from their trees, which cannot fail"),
    (0xC00470C2, "conversions have DTS_E_EXPREVALSTATIC_CASTFAILED and DTS_E_EXPREVALDATACONVERSIONOVERFLOW"),
    (0xC00470C6, "parameters that must be static are checked as such: DTS_E_EXPREVALINVALIDDATEPARTNODE and the like"),
    (0xC0049065, "a DT_STR column is text already: transcoding failed, if it did, where it was read"),
    (0xC001F189, "every type of the language is one of variables and properties"),
    (0xC001F18A, "the same: assignments have DTS_E_EXPREVALASSIGNMENTTYPEMISMATCH"),
    (0xC001700E, "a text that is cut is no error in expressions; Derived Column has its own code for its columns"),
    (0x800470EB, "about unused input columns of a component: the designer's concern, the plan drops them"),
    (0xC0049014, "a row has the code of what failed in it"),
    (0xC0049042, "the number of parameters is known when an expression is compiled: 0xC00470F9 to 0xC00470FB"),
    (0xC0049056, "columns are known when an expression is compiled: 0xC00470A4, 0xC00470A5"),
];

#[test]
fn every_code_of_the_reference_is_reached_or_explained() {
    let reached = |code: u32| CODES.iter().map(|c| c.0).chain(ELSEWHERE.iter().map(|c| c.0)).any(|c| c == code);
    let explained = |code: u32| UNREACHED.iter().any(|c| c.0 == code);
    let is_ours = |name: &str| {
        let bare = name.get(6..).unwrap_or_default();
        bare.starts_with("EXPREVAL") || bare.starts_with("EXPRESSION")
    };
    let table = || crate::diag::codes::TABLE.iter().filter(|entry| is_ours(entry.1));
    let mut silent = Vec::new();
    for (code, name, _) in table() {
        // The short form of another code, without its insertions, which the original gives where it has no texts. Here
        // rows have the code itself, but for casts, whose static form is what error outputs are known to hold.
        let twin = name.contains("EXPREVALSTATIC_")
            && table().any(|other| other.1 == name.replace("STATIC_", "") && (reached(other.0) || explained(other.0)));
        if !(twin || reached(*code) || explained(*code)) {
            silent.push(format!("{} {name}", Code(*code)));
        }
        assert!(!(reached(*code) && explained(*code)), "{} {name} is reached, and explained away", Code(*code));
    }
    assert!(silent.is_empty(), "{silent:#?}");
    assert!(table().count() > 150);
}

#[test]
fn long_literals_are_refused() {
    let fits = format!("\"{}\"", "x".repeat(4000));
    assert!(parse(&fits).is_ok());
    let long = format!("\"{}\"", "x".repeat(4001));
    assert_eq!(parse(&long).unwrap_err().code, Code(0xC00470FF));
}

#[test]
fn without_columns_names_are_unknown_tokens() {
    let names = Names { no_columns: true, ..names() };
    let names = Names { columns: Vec::new(), ..names };
    assert_eq!(compile("x", &names).unwrap_err().code, Code(0xC00470A4));
    assert_eq!(compile("#12", &names).unwrap_err().code, Code(0xC00470A5));
    // Texts of variables may be of any length outside of data flows.
    let program = compile("@[User::long] + \"y\"", &names).unwrap();
    assert_eq!(program.eval_row(&cx()).unwrap(), Value::text("x".repeat(4001) + "y"));
    assert_eq!(program.data_type(), DataType::WStr { len: 4000 });
    assert_eq!(program.warnings()[0].code, Some(Code(0x800470D8)));
}

#[test]
fn what_is_always_cut_is_warned_of() {
    let program = compile("(DT_WSTR,2)\"abc\"", &names()).unwrap();
    assert_eq!(program.warnings()[0].code, Some(Code(0x802070CC)));
    assert!(compile("(DT_WSTR,3)\"abc\"", &names()).unwrap().warnings().is_empty());
    // The length of a DT_STR is in bytes.
    assert_eq!(compile("(DT_STR,3,932)\"日本\"", &names()).unwrap().warnings()[0].code, Some(Code(0x802070CC)));
    assert!(compile("(DT_STR,4,932)\"日本\"", &names()).unwrap().warnings().is_empty());
    // What may be longer than a column.
    for text in ["REPLICATE(\"ab\",3000)", "NULL(DT_STR,8001,1252)", "(DT_WSTR,4001)i"] {
        assert_eq!(compile(text, &names()).unwrap().warnings()[0].code, Some(Code(0x800470D8)), "{text}");
    }
}

#[test]
fn messages_quote_the_literal() {
    for (text, expected) in [
        (
            r#""one \" two \q three" + "x""#,
            r#"The string literal "one \" two \q three" contains an illegal escape sequence of "\q"."#,
        ),
        (r#""a\x41""#, r#"The string literal "a\x41" contains an illegal hexadecimal escape sequence of "\x41"."#),
    ] {
        let message = compile(text, &names()).unwrap_err().message;
        assert!(message.contains(expected), "{message}");
    }
    let message = compile("NULL(DT_WSTR,@x)", &names()).unwrap_err().message;
    assert!(message.contains("\"NULL\""), "{message}");
}

#[test]
fn assignments_name_their_variable() {
    for text in ["@x = 1 + 2", "@[x]=1+2", "@x := 3"] {
        let (name, program) = compile_assignment(text, &names()).unwrap();
        assert_eq!((name.as_str(), program.eval_row(&cx()).unwrap()), ("x", Value::I4(3)), "{text}");
    }
    assert!(compile_assignment("@x == 1", &names()).is_err());
    assert_eq!(compile_assignment("1 + 2", &names()).unwrap_err().expected, ["@variable = value"]);
    assert_eq!(compile("@x = 1", &names()).unwrap_err().code, Code(0xC00470D7));
}

#[test]
fn what_cannot_be_computed_points_at_the_part_that_fails() {
    let names = Names {
        variables: vec![
            ("zero", DataType::I4, Value::I4(0)),
            ("n", DataType::I4, Value::I4(-2)),
            ("s", DataType::WStr { len: 0 }, Value::text("abc")),
        ],
        ..Names::default()
    };
    for (text, place, said) in [
        ("1 + 10 / @zero * 2", "10 / @zero", "evaluates to zero in the expression \"10 / @zero\""),
        ("LEN(SUBSTRING(@s, @n, 1)) > 1", "SUBSTRING(@s, @n, 1)", "The start index -2 is not valid"),
        ("@n < 0 ? LEFT(@s, @n) : @s", "LEFT(@s, @n)", "The length -2 specified for function \"LEFT\""),
        ("@zero != 0 && 1 / @zero > 1 || SQRT(@n) > 1", "SQRT(@n)", "SQRT cannot operate on negative"),
        ("@s + (DT_WSTR,5)(DT_I4)@s", "(DT_I4)@s", "type cast from DT_WSTR to DT_I4."),
        ("SUBSTRING(\"abc\",0,1)", "SUBSTRING(\"abc\",0,1)", "The start index 0 is not valid"),
    ] {
        let error = compile(text, &names).and_then(|p| p.eval_row(&cx())).unwrap_err();
        assert_eq!(&text[error.span.clone()], place, "{text}");
        assert!(error.message.contains(said), "{text}: {error}");
    }
}

/// A package is validated before anything sets its variables: what their values lead to is not refused then.
#[test]
fn branches_that_variables_choose_fail_when_they_are_run() {
    let names = Names { variables: vec![("zero", DataType::I4, Value::I4(0))], ..Names::default() };
    for text in
        ["@zero == 0 ? 1 / 0 : 2", "@zero != 0 ? 2 : 1 / 0", "@zero == 0 && 1 / 0 > 1", "@zero != 0 || 1 / 0 > 1"]
    {
        let error = compile(text, &names).unwrap().eval_row(&cx()).unwrap_err();
        assert_eq!(error.code, codes::DTS_E_EXPREVALDIVBYZERO, "{text}");
    }
    for text in ["1 == 1 ? 1 / 0 : 2", "1 == 1 && 1 / 0 > 1", "@zero + 1 / 0 > 1"] {
        assert_eq!(compile(text, &names).unwrap_err().code, codes::DTS_E_EXPREVALDIVBYZERO, "{text}");
    }
}

#[test]
fn names_of_functions_that_are_almost_right_are_offered() {
    for (text, first) in [("SUBSTR(\"a\",1,1)", "SUBSTRING"), ("Lenn(\"a\")", "LEN"), ("UPER(\"a\")", "UPPER")] {
        assert_eq!(compile(text, &names()).unwrap_err().expected.first().map(String::as_str), Some(first), "{text}");
    }
    assert!(compile("COALESCE(1,2)", &names()).unwrap_err().expected.is_empty());
}

#[test]
fn errors_show_the_place_and_what_would_be_legal() {
    let error = compile("1 +\n  LEN(i)", &names()).unwrap_err();
    assert_eq!(error.position(), (2, 7));
    assert_eq!(
        error.to_string(),
        "The function \"LEN\" does not support the data type \"DT_I4\" for parameter number 1 (line 2, column 7); \
         expected LEN(text)\n    LEN(i)\n        ^"
    );
    let error = compile("1 + é )", &names()).unwrap_err();
    assert_eq!(error.to_string().lines().next_back(), Some("        ^"), "{error}");
}
