use super::*;
use crate::shared::testing::{Column as File, Harness, column, connection};
use dtsx_engine::flow::Disposition;

/// A file with three columns: i4, str(5), numeric(9,2).
fn three(properties: &[(&str, &str)], delimiter: &str, row: &str) -> Harness {
    let numeric = DataType::Numeric { precision: 9, scale: 2 };
    let columns = [
        File::delimited("id", DataType::I4, delimiter),
        File::delimited("name", DataType::WStr { len: 5 }, delimiter),
        File::delimited("price", numeric, row),
    ];
    Harness::source(connection(properties, &columns))
}

/// Every block size in which rows, qualifiers and delimiters meet block borders.
const BLOCKS: [usize; 6] = [16, 17, 19, 32, 61, 1 << 16];

fn rows_of(harness: &Harness, text: impl AsRef<[u8]>) -> Vec<String> {
    let mut all = Vec::new();
    for block in BLOCKS {
        let rows = harness.clone().block(block).read(text.as_ref()).unwrap().rows;
        all.push(rows);
    }
    assert!(all.windows(2).all(|w| w[0] == w[1]), "block sizes differ: {all:#?}");
    all.remove(0)
}

const QUOTED: &[(&str, &str)] = &[("TextQualifier", "\""), ("CodePage", "65001")];

#[test]
fn plain_rows_with_every_row_delimiter() {
    for (delimiter, row) in [(",", "\n"), (",", "\r\n"), (";", "\r"), ("||", "\n"), ("|", "~#~"), ("\t", "{CR}{LF}")] {
        let harness = three(QUOTED, delimiter, row);
        for last in [row, ""] {
            let rows = ["1", "ab", "2.50"].join(delimiter) + row + &["-22", "\"c\"\"d\"", ".05"].join(delimiter) + last;
            assert_eq!(rows_of(&harness, &rows), ["1|ab|2.50", "-22|c\"d|0.05"], "{delimiter:?} {row:?} {last:?}");
        }
    }
}

#[test]
fn delimiters_and_line_ends_within_qualifiers_are_text() {
    let harness = three(QUOTED, ",", "\r\n");
    let text = "1,\"a,b\",1\r\n2,\"\r\n\",2\r\n3,\"\",3\r\n4,\"\"\"\",4\r\n5,\"\"\",\"\"\",5\r\n";
    assert_eq!(rows_of(&harness, text), ["1|a,b|1.00", "2|\r\n|2.00", "3||3.00", "4|\"|4.00", "5|\",\"|5.00"]);
}

#[test]
fn a_qualifier_within_an_unqualified_value_is_text() {
    let harness = three(QUOTED, ",", "\n");
    let text = "1,5\" x,1\n2,\"a,b\",2\n3,a\"b\",3\n4,\"c\nd\",4\n";
    assert_eq!(rows_of(&harness, text), ["1|5\" x|1.00", "2|a,b|2.00", "3|a\"b\"|3.00", "4|c\nd|4.00"]);
}

#[test]
fn a_column_without_text_qualified_keeps_qualifiers() {
    let columns = [
        File::delimited("a", DataType::WStr { len: 9 }, ",").bare(),
        File::delimited("b", DataType::WStr { len: 9 }, "\n"),
    ];
    let harness = Harness::source(connection(QUOTED, &columns));
    assert_eq!(rows_of(&harness, "\"x,\"y,z\"\n\"q\",\"1,2\"\n"), ["\"x|y,z", "\"q\"|1,2"]);
}

#[test]
fn numbers_may_be_qualified() {
    let harness = three(QUOTED, ",", "\n");
    assert_eq!(rows_of(&harness, "\"1\",\"x\",\"2.5\"\n\" 7 \",,\"1,000.25\"\n"), ["1|x|2.50", "7||1000.25"]);
}

#[test]
fn empty_files_headers_and_skipped_rows() {
    let none: [&str; 0] = [];
    assert_eq!(rows_of(&three(QUOTED, ",", "\n"), ""), none);
    let named = [QUOTED, &[("ColumnNamesInFirstDataRow", "True")]].concat();
    assert_eq!(rows_of(&three(&named, ",", "\n"), "id,name,price"), none);
    assert_eq!(rows_of(&three(&named, ",", "\n"), "id,name,price\n"), none);
    assert_eq!(rows_of(&three(&named, ",", "\n"), "\"i\nd\",name,price\n1,a,1\n"), ["1|a|1.00"]);
    let skipping = [
        QUOTED,
        &[
            ("ColumnNamesInFirstDataRow", "True"),
            ("HeaderRowsToSkip", "2"),
            ("HeaderRowDelimiter", "\r\n"),
            ("DataRowsToSkip", "1"),
        ],
    ]
    .concat();
    let text = "a header, \"not closed\r\n\r\nid,name,price\n0,skipped,0\n1,a,1\n";
    assert_eq!(rows_of(&three(&skipping, ",", "\n"), text), ["1|a|1.00"]);
    assert_eq!(rows_of(&three(&skipping, ",", "\n"), "only one\r\n"), none);
}

#[test]
fn short_rows_end_at_the_row_delimiter_and_lack_columns() {
    let harness = three(QUOTED, ",", "\r\n");
    assert_eq!(
        rows_of(&harness, "1\r\n2,b\r\n3,c,3\r\n\r\n4,\"d\"\r\n"),
        ["1|NULL|NULL", "2|b|NULL", "3|c|3.00", "0|NULL|NULL", "4|d|NULL"]
    );
}

#[test]
fn without_always_check_a_line_end_is_text_until_the_last_column() {
    let properties = [QUOTED, &[("AlwaysCheckForRowDelimiters", "False")]].concat();
    let harness = three(&properties, ",", "\n");
    assert_eq!(rows_of(&harness, "1,a\n2,2\n3,b,3\n"), ["1|a\n2|2.00", "3|b|3.00"]);
}

#[test]
fn surplus_columns_go_into_the_last() {
    let columns = [File::delimited("a", DataType::I4, ","), File::delimited("b", DataType::WStr { len: 20 }, "\n")];
    let harness = Harness::source(connection(QUOTED, &columns));
    assert_eq!(rows_of(&harness, "1,x,y,z\n2,q\n"), ["1|x,y,z", "2|q"]);
}

#[test]
fn a_partial_last_row_is_dropped_with_a_warning() {
    for block in BLOCKS {
        let read = three(QUOTED, ",", "\n").block(block).read("1,a,1\n2,b").unwrap();
        assert_eq!(read.rows, ["1|a|1.00"]);
        assert_eq!(read.codes(), ["0x8020200F"]);
    }
}

#[test]
fn broken_rows_end_the_run_and_say_where() {
    for (text, code, column, row) in [
        ("1,a,1\n2,\"b\"x,2\n", codes::DTS_E_COLUMNDELIMITERNOTFOUND, "name", 2),
        ("1,a,1\n2,\"b,2\n3,c,3\n", codes::DTS_E_TEXTQUALIFIERNOTFOUND, "name", 2),
    ] {
        for block in BLOCKS {
            let error = three(QUOTED, ",", "\n").block(block).read(text).unwrap_err();
            assert_eq!(error.code(), Some(code), "{error}");
            let at = error.row().unwrap();
            assert_eq!((at.column.as_deref(), at.number), (Some(column), Some(row)), "{error}");
        }
    }
}

#[test]
fn empty_fields_with_and_without_retain_nulls() {
    let columns = [
        File::delimited("i", DataType::I8, ","),
        File::delimited("s", DataType::Str { len: 9, code_page: 1252 }, ","),
        File::delimited("b", DataType::Bool, ","),
        File::delimited("d", DataType::DbTimeStamp, "\n"),
    ];
    let format = connection(&[("TextQualifier", "\""), ("CodePage", "1252")], &columns);
    let text = ",,,\n\"\",\"\",\"\",\"\"\n1, ,True,2001-02-03 04:05:06\n";
    let kept = Harness::source(format.clone()).property("RetainNulls", "true");
    assert_eq!(rows_of(&kept, text), ["NULL|NULL|NULL|NULL", "NULL|NULL|NULL|NULL", "1| |true|2001-02-03T04:05:06"]);
    let defaults = "0||false|1753-01-01T00:00:00";
    assert_eq!(rows_of(&Harness::source(format), text), [defaults, defaults, "1| |true|2001-02-03T04:05:06"]);
}

#[test]
fn redirected_rows_carry_the_raw_line() {
    let harness = three(QUOTED, ",", "\r\n").disposition("id", Disposition::Redirect, Disposition::Fail).disposition(
        "name",
        Disposition::Fail,
        Disposition::Redirect,
    );
    let text = "1,a,1\r\nx,\"b,b\",2\r\n3,toolong,3\r\ny,toolong,4\r\n5,e,5\r\n";
    for block in BLOCKS {
        let read = harness.clone().block(block).read(text).unwrap();
        assert_eq!(read.rows, ["1|a|1.00", "5|e|5.00"]);
        assert_eq!(
            read.errors,
            [
                "x,\"b,b\",2|-1071607676|1",
                "3,toolong,3|-1071628257|2",
                // The first column that rejects the row.
                "y,toolong,4|-1071607676|1",
            ]
            .map(|e| e.replace("-1071628257", &codes::DTS_E_TRUNCATIONTRIGGEREDREDIRECTION.signed().to_string()))
        );
    }
}

#[test]
fn ignored_faults_are_null_or_cut() {
    let harness = three(QUOTED, ",", "\n").disposition("id", Disposition::Ignore, Disposition::Fail).disposition(
        "name",
        Disposition::Fail,
        Disposition::Ignore,
    );
    assert_eq!(rows_of(&harness, "x,abcdefg,1\n99999999999,äöüßéà,2\n"), ["NULL|abcde|1.00", "NULL|äöüßé|2.00"]);
}

#[test]
fn a_failing_row_names_row_column_and_value() {
    for (text, column, value, induced) in [
        ("1,a,1\n2,b,2\nx,c,3\n", "id", "x", "0xC0209029"),
        ("1,a,1\n2,b,2\n3,\"too,long\",3\n", "name", "too,long", "0xC020902A"),
        ("1,a,1\n2,b,2\n3,c,12345678.00\n", "price", "12345678.00", "0xC0209029"),
    ] {
        for block in BLOCKS {
            let harness = three(QUOTED, ",", "\n").block(block);
            let (error, events) = harness.fail(text);
            assert_eq!(error.code(), Some(codes::DTS_E_ERRORWHILEREADINGDATAROWS));
            let row = error.row().unwrap();
            assert_eq!((row.number, row.column.as_deref(), row.value.as_deref()), (Some(3), Some(column), Some(value)));
            assert_eq!(events.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["0xC02020A1", induced]);
            assert!(events[0].1.contains(column), "{events:?}");
        }
    }
}

#[test]
fn unread_columns_are_checked() {
    let harness = three(QUOTED, ",", "\n").unread(&["id", "name"]);
    assert_eq!(harness.clone().read("1,a,1\n").unwrap().rows, ["-|-|1.00"]);
    assert!(harness.clone().read("x,a,1\n").is_err());
    assert!(harness.read("1,toolong,1\n").is_err());
}

#[test]
fn code_pages_and_unicode() {
    let columns = |page| {
        [
            File::delimited("a", DataType::Str { len: 6, code_page: page }, "|"),
            File::delimited("b", DataType::WStr { len: 6 }, "\r\n"),
        ]
    };
    let text = "Жук|\"а|б\"\r\nabc|\"\"\"д\"\r\n";
    let expected = ["Жук|а|б", "abc|\"д"];
    let (cyrillic, ..) = encoding_rs::WINDOWS_1251.encode(text);
    let harness = Harness::source(connection(&[("TextQualifier", "\""), ("CodePage", "1251")], &columns(1251)));
    assert_eq!(rows_of(&harness, &cyrillic), expected);
    let harness = Harness::source(connection(&[("TextQualifier", "\""), ("CodePage", "65001")], &columns(65001)));
    assert_eq!(rows_of(&harness, text), expected);
    assert_eq!(rows_of(&harness, ["\u{feff}", text].concat()), expected);
    let utf16: Vec<u8> = ["\u{feff}", text].concat().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let harness = Harness::source(connection(&[("TextQualifier", "\""), ("Unicode", "True")], &columns(1251)));
    assert_eq!(rows_of(&harness, &utf16), expected);
    assert_eq!(rows_of(&harness, &utf16[2..]), expected);
    // The second byte of U+30BD is that of a backslash, of U+30DD that of a vertical bar.
    let text = "ソポ|ポ\r\nx|日本\r\n";
    let (japanese, ..) = encoding_rs::SHIFT_JIS.encode(text);
    let harness = Harness::source(connection(&[("CodePage", "932")], &columns(932)));
    assert_eq!(rows_of(&harness, &japanese), ["ソポ|ポ", "x|日本"]);
}

#[test]
fn malformed_utf8_becomes_the_replacement_character() {
    let columns = [File::delimited("a", DataType::WStr { len: 40 }, "\n")];
    let harness = Harness::source(connection(&[("CodePage", "65001")], &columns));
    assert_eq!(
        rows_of(&harness, b"fine\nbad \xFF byte\nlong enough to be a view, \xC3\xA9\n"),
        ["fine", "bad \u{fffd} byte", "long enough to be a view, é"]
    );
}

#[test]
fn text_ends_at_a_nul() {
    let columns = [File::delimited("a", DataType::WStr { len: 5 }, "\n")];
    let harness = Harness::source(connection(&[("CodePage", "65001")], &columns));
    assert_eq!(rows_of(&harness, "ab\0cdefgh\nx\n"), ["ab", "x"]);
}

#[test]
fn fixed_width_and_ragged_right() {
    let text = DataType::Str { len: 3, code_page: 1252 };
    let columns = [File::fixed("a", text, 3), File::fixed("n", DataType::I4, 4), File::fixed("x", text, 2)];
    let harness = Harness::source(connection(&[("Format", "FixedWidth"), ("CodePage", "1252")], &columns));
    assert_eq!(rows_of(&harness, b"ab 0012\r\nc\xE9d  -7yy"), ["ab |12|\r\n", "céd|-7|yy"]);
    let columns = [File::fixed("a", text, 3), File::fixed("n", DataType::I4, 4), File::delimited("x", text, "\r\n")];
    let harness = Harness::source(connection(&[("Format", "RaggedRight"), ("CodePage", "1252")], &columns));
    assert_eq!(
        rows_of(&harness, b"ab 0012xyz\r\nc d   7\r\nab\r\nabc1\r\nzzz9999q"),
        ["ab |12|xyz", "c d|7|", "ab|NULL|NULL", "abc|1|NULL", "zzz|9999|q"]
    );
    let wide = DataType::WStr { len: 3 };
    let columns = [File::fixed("a", wide, 3), File::delimited("x", wide, "\r\n")];
    let harness = Harness::source(connection(&[("Format", "RaggedRight"), ("Unicode", "True")], &columns));
    let utf16: Vec<u8> = "äöüß\r\n😀a日\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(rows_of(&harness, utf16), ["äöü|ß", "😀a|日"]);
}

#[test]
fn many_files_in_order_with_their_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("b.csv", "id\n3\n"), ("a.csv", "id\n1\n2"), ("c.csv", "id\n")] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let columns = [File::delimited("id", DataType::I4, "\n")];
    let mut format = connection(&[("ColumnNamesInFirstDataRow", "True"), ("CodePage", "65001")], &columns);
    format.kind = "MULTIFLATFILE".into();
    let pattern = format!("{}/*.csv", folder.path().display());
    format.properties.set_text("ConnectionString", &pattern, dtsx_engine::props::Origin::Package);
    let harness = Harness::source(format)
        .property("FileNameColumnName", "file")
        .output(column("file", DataType::WStr { len: 260 }));
    let name = |file: &str| format!("{}/{file}", folder.path().display());
    assert_eq!(
        harness.run().unwrap().rows,
        [format!("1|{}", name("a.csv")), format!("2|{}", name("a.csv")), format!("3|{}", name("b.csv"))]
    );
}

#[test]
fn a_missing_file_is_named() {
    let mut format = connection(&[], &[File::delimited("id", DataType::I4, "\n")]);
    format.properties.set_text("ConnectionString", r"C:\no\such.txt", dtsx_engine::props::Origin::Package);
    let error = Harness::source(format).run().unwrap_err();
    assert_eq!(error.code(), Some(codes::DTS_E_CANNOTOPENDATAFILE));
    assert!(error.message().contains(r"C:\no\such.txt"), "{error}");
}

#[test]
fn the_other_types() {
    let columns = [
        File::delimited("cy", DataType::Cy, ","),
        File::delimited("r8", DataType::R8, ","),
        File::delimited("date", DataType::DbDate, ","),
        File::delimited("time", DataType::DbTime, ","),
        File::delimited("guid", DataType::Guid, ","),
        File::delimited("u1", DataType::UI1, "\n"),
    ];
    let harness = Harness::source(connection(&[("CodePage", "1252"), ("LocaleID", "1033")], &columns));
    let guid = "{00112233-4455-6677-8899-AABBCCDDEEFF}";
    let text = format!("1431.5,1e3,2020-02-29,10:20:30,{guid},255\n$2.00,-.5,2/3/2021,1:02 PM,{guid},0\n");
    let hex = "00112233445566778899aabbccddeeff";
    assert_eq!(
        rows_of(&harness, text),
        [format!("1431.5000|1000.0|2020-02-29|10:20:30|{hex}|255"), format!("2.0000|-0.5|2021-02-03|13:02:00|{hex}|0")]
    );
    let error = harness.read("1,1,2020-02-30,10:20:30,,1\n").unwrap_err();
    assert_eq!(error.row().unwrap().column.as_deref(), Some("date"));
}

mod against_a_reference {
    use super::*;
    use proptest::prelude::*;

    /// The rules of delimited rows as plainly as they can be said: one character after the other.
    fn reference(text: &str, qualified: [bool; 3], always: bool) -> Option<Vec<[Option<String>; 3]>> {
        let chars: Vec<char> = text.chars().collect();
        let (mut at, mut rows) = (0, Vec::new());
        'rows: while at < chars.len() {
            let mut row = [None, None, None];
            for column in 0..3 {
                let mut value = String::new();
                if qualified[column] && chars.get(at) == Some(&'"') {
                    at += 1;
                    loop {
                        match (chars.get(at), chars.get(at + 1)) {
                            (Some('"'), Some('"')) => {
                                value.push('"');
                                at += 2;
                            }
                            (Some('"'), _) => {
                                at += 1;
                                break;
                            }
                            (Some(c), _) => {
                                value.push(*c);
                                at += 1;
                            }
                            (None, _) => return None,
                        }
                    }
                    let next = (chars.get(at), chars.get(at + 1));
                    let row_end_counts = always || column == 2;
                    let fine = match next {
                        (Some(','), _) => column < 2,
                        (Some('\r'), Some('\n')) => row_end_counts,
                        (next, _) => next.is_none(),
                    };
                    if !fine {
                        return None;
                    }
                }
                loop {
                    match (chars.get(at), chars.get(at + 1)) {
                        (Some(','), _) if column < 2 => {
                            at += 1;
                            row[column] = Some(value);
                            break;
                        }
                        (Some('\r'), Some('\n')) if always || column == 2 => {
                            at += 2;
                            row[column] = Some(value);
                            rows.push(row);
                            continue 'rows;
                        }
                        (Some(c), _) => {
                            value.push(*c);
                            at += 1;
                        }
                        (None, _) if column == 2 => {
                            row[column] = Some(value);
                            break;
                        }
                        (None, _) => return Some(rows),
                    }
                }
            }
            rows.push(row);
        }
        Some(rows)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
        #[test]
        fn rows_are_those_of_the_reference(
            pieces in proptest::collection::vec(
                prop_oneof![
                    3 => Just(","), 2 => Just("\r\n"), 3 => Just("\""), 2 => Just("\"\""), 1 => Just("\r"),
                    1 => Just("\n"), 4 => Just("ab"), 1 => Just("é"), 2 => Just("\"x,\r\ny\""), 1 => Just("longer text 0123"),
                    2 => Just("a,\"b\",c\r\n"), 1 => Just("1234567890123456789012345678901234567890"),
                ],
                0..40,
            ),
            mask in 0u8..8,
            always in any::<bool>(),
            block in 16usize..200,
        ) {
            let text = pieces.concat();
            let qualified = [mask & 1 != 0, mask & 2 != 0, mask & 4 != 0];
            let all: Vec<File> = (0..3)
                .map(|i| {
                    let end = if i == 2 { "\r\n" } else { "," };
                    let column = File::delimited(["a", "b", "c"][i], DataType::NText, end);
                    if qualified[i] { column } else { column.bare() }
                })
                .collect();
            let check = if always { "True" } else { "False" };
            let properties = [QUOTED, &[("AlwaysCheckForRowDelimiters", check)]].concat();
            let harness = Harness::source(connection(&properties, &all)).block(block);
            match (harness.read(&text), reference(&text, qualified, always)) {
                (Ok(read), Some(expected)) => {
                    let expected: Vec<String> = expected
                        .into_iter()
                        .map(|row| row.map(|v| v.unwrap_or_else(|| "NULL".to_owned())).join("|"))
                        .collect();
                    prop_assert_eq!(read.rows, expected);
                }
                (Err(_), None) => {}
                (read, expected) => prop_assert!(false, "{:?} / {:?}", read.map(|r| r.rows), expected),
            }
        }
    }
}

#[test]
fn a_column_that_nobody_reads_is_checked_all_the_same() {
    let types = [
        DataType::I1,
        DataType::I2,
        DataType::I4,
        DataType::I8,
        DataType::UI1,
        DataType::UI4,
        DataType::UI8,
        DataType::Cy,
        DataType::Numeric { precision: 6, scale: 2 },
        DataType::Numeric { precision: 18, scale: 0 },
        DataType::Numeric { precision: 38, scale: 5 },
        DataType::Decimal { scale: 8 },
        DataType::DbDate,
        DataType::DbTimeStamp,
        DataType::R8,
        DataType::Bool,
        DataType::Str { len: 3, code_page: 1252 },
        DataType::WStr { len: 3 },
    ];
    let texts = [
        "",
        "0",
        "-0",
        "7",
        "-7",
        "+7",
        "99",
        "100",
        "127",
        "128",
        "-128",
        "255",
        "256",
        "9999",
        "10000",
        "65536",
        "999999999",
        "2147483647",
        "2147483648",
        "4294967296",
        "9999999999999999",
        "99999999999999999999",
        "1.5",
        "1.50",
        "-1.50",
        ".50",
        "9999.99",
        "10000.00",
        "123456.78",
        "1.00000",
        "1.00000000",
        ".",
        "-",
        "-.",
        "1a",
        "1:",
        "a.50",
        "1.5a",
        "12 ",
        " 12",
        "2020-02-29",
        "2021-02-29",
        "2020-13-01",
        "2020/01/02",
        "1e5",
        "\"5\"",
        "\"1.50\"",
        "\"abc\"",
        "\"abcd\"",
        "\"ab\"\"\"",
        "\"a\"\"b\"\"c\"",
        "abcd",
        "True",
    ];
    for data_type in types {
        let columns = [File::delimited("v", data_type, ","), File::delimited("n", DataType::I4, "\n")];
        let file = connection(&[("Format", "Delimited"), ("TextQualifier", "\""), ("CodePage", "1252")], &columns);
        for text in texts {
            let rows = format!("{text},1\n{text},2\n");
            let outcome = |read: Result<crate::shared::testing::Read>| match read {
                Ok(read) => Ok(read.rows.len()),
                Err(error) => Err((error.code(), error.row().cloned())),
            };
            let read = outcome(Harness::source(file.clone()).read(&rows));
            let unread = outcome(Harness::source(file.clone()).unread(&["v"]).read(&rows));
            assert_eq!(unread, read, "{data_type} {text:?}");
        }
    }
}
