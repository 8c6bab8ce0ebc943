use super::matrix::all;
use super::*;
use crate::types::parse;
use arrow::array::{AsArray, Int32Array, StringViewArray};
use proptest::prelude::*;

const EN: u32 = 1033;

fn type_of(text: &str) -> DataType {
    let (name, rest) = text.split_once('(').unwrap_or((text, ""));
    let numbers: Vec<u32> = rest.trim_end_matches(')').split(',').filter_map(|n| n.trim().parse().ok()).collect();
    let at = |i: usize| numbers.get(i).copied().unwrap_or(0);
    match name {
        "str" => DataType::Str { len: at(0), code_page: at(1) },
        "text" => DataType::Text { code_page: at(0) },
        "numeric" => DataType::Numeric { precision: at(0) as u8, scale: at(1) as u8 },
        _ => DataType::from_name(name, at(0), 0, at(0) as u8, 0).unwrap_or_else(|| panic!("{text}")),
    }
}

/// A value of a type from its text, for tables.
fn value_of(text: &str, data_type: &DataType) -> Value {
    let en = super::super::locale::Locale::of(EN);
    let bytes = text.as_bytes();
    if text == "NULL" {
        return Value::Null;
    }
    match data_type {
        DataType::I1 => Value::I1(text.parse().unwrap()),
        DataType::I2 => Value::I2(text.parse().unwrap()),
        DataType::I4 => Value::I4(text.parse().unwrap()),
        DataType::I8 => Value::I8(text.parse().unwrap()),
        DataType::UI1 => Value::UI1(text.parse().unwrap()),
        DataType::UI2 => Value::UI2(text.parse().unwrap()),
        DataType::UI4 => Value::UI4(text.parse().unwrap()),
        DataType::UI8 => Value::UI8(text.parse().unwrap()),
        DataType::R4 => Value::R4(text.parse().unwrap()),
        DataType::R8 => Value::R8(text.parse().unwrap()),
        DataType::Cy => Value::Decimal(parse::parse_currency(bytes, en).unwrap() as i128, 4),
        DataType::Decimal { scale } | DataType::Numeric { scale, .. } => {
            Value::Decimal(parse::parse_decimal(bytes, 38, *scale, en).unwrap(), *scale)
        }
        DataType::Bool => Value::Bool(text.parse().unwrap()),
        DataType::DbDate => Value::Days(parse::iso_date(bytes).unwrap()),
        DataType::DbTime | DataType::DbTime2 { .. } => Value::Time(parse::iso_time(bytes).unwrap() * 100),
        DataType::Date | DataType::DbTimeStamp => Value::Timestamp(parse::iso_timestamp(bytes).unwrap().div_euclid(10)),
        DataType::DbTimeStamp2 { .. } | DataType::FileTime => Value::Ticks(parse::iso_timestamp(bytes).unwrap()),
        DataType::DbTimeStampOffset { .. } => {
            let (ticks, offset) = parse::parse_offset(bytes).unwrap();
            Value::TicksOffset(ticks, offset)
        }
        DataType::Guid => Value::Guid(parse::parse_guid(bytes).unwrap()),
        DataType::Bytes { .. } | DataType::Image => {
            let digits: Vec<u8> = bytes.iter().map(|b| parse::hex(*b).unwrap()).collect();
            Value::Bytes(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
        }
        DataType::Str { .. } | DataType::WStr { .. } | DataType::Text { .. } | DataType::NText => Value::text(text),
        DataType::Null => Value::Null,
    }
}

fn sample(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Bool => "true",
        DataType::Guid => "{098f2470-BAE0-11CD-B579-08002B30BFEB}",
        DataType::DbDate => "2005-03-04",
        DataType::DbTime | DataType::DbTime2 { .. } => "11:06:18",
        t if t.is_date_time() => "2005-03-04 11:06:18",
        DataType::Bytes { .. } | DataType::Image => "01020304",
        _ => "17",
    }
}

#[test]
fn every_pair_of_the_matrix_is_cast_or_refused() {
    for from in all() {
        let value = value_of(sample(&from), &from);
        let one = scalar::array_of(&value, &from, 1).unwrap();
        let none = scalar::array_of(&Value::Null, &from, 1).unwrap();
        let array = arrow::compute::concat(&[&one, &none, &one]).unwrap();
        for to in all() {
            for (mode, fast_parse) in
                [(CastMode::Expression, false), (CastMode::DataFlow, false), (CastMode::DataFlow, true)]
            {
                let result = cast_array(&array, &from, &to, &CastOptions { lcid: EN, fast_parse, mode });
                match result {
                    Err(error) => {
                        assert!(!can_cast(&from, &to), "{from} to {to}: {error}");
                        assert_eq!(error.owner(), Owner::Package);
                    }
                    Ok((result, faults)) => {
                        assert!(can_cast(&from, &to), "{from} to {to}");
                        assert_eq!(result.data_type(), &to.arrow(), "{from} to {to}");
                        assert_eq!(result.len(), 3);
                        assert!(result.is_null(1), "{from} to {to}");
                        let lost = faults.iter().filter(|f| !f.truncation).count();
                        assert_eq!(result.null_count(), 1 + lost, "{from} to {to}: {faults:?}");
                        assert!(faults.iter().all(|f| f.row != 1), "{from} to {to}: {faults:?}");
                    }
                }
            }
        }
    }
}

/// Casts the text form of a value and shows the result as text, or the name of the fault.
fn show(from: &str, text: &str, to: &str, mode: CastMode, lcid: u32) -> String {
    let (from, to) = (type_of(from), type_of(to));
    let options = CastOptions { lcid, fast_parse: false, mode };
    let array = scalar::array_of(&value_of(text, &from), &from, 1).unwrap();
    let (array, faults) = cast_array(&array, &from, &to, &options).unwrap();
    let value = scalar::value_at(&array, &to, 0).unwrap();
    let shown = super::super::format::format_value(&value, &to, lcid);
    match faults.as_slice() {
        [] if value.is_null() => "NULL".to_owned(),
        [] => shown,
        [fault] if fault.truncation => {
            assert_eq!(fault.code, FaultCodes::of(mode).truncated);
            format!("{shown} (cut)")
        }
        [fault] => {
            assert!(value.is_null());
            let codes = FaultCodes::of(mode);
            match fault.code {
                code if code == codes.overflow => "overflow",
                code if code == codes.sign_mismatch => "sign",
                code if code == codes.cannot_convert => "cannot convert",
                code => panic!("{code:?}"),
            }
            .to_owned()
        }
        faults => panic!("{faults:?}"),
    }
}

#[test]
fn casts_in_the_data_flow() {
    for (from, text, to, expected) in [
        // Integers: range and sign.
        ("i4", "127", "i1", "127"),
        ("i4", "128", "i1", "overflow"),
        ("i4", "-128", "i1", "-128"),
        ("i4", "-1", "ui8", "sign"),
        ("i8", "-9223372036854775808", "i8", "-9223372036854775808"),
        ("ui8", "18446744073709551615", "i8", "overflow"),
        ("ui8", "18446744073709551615", "numeric(20,0)", "18446744073709551615"),
        ("i4", "100", "numeric(4,2)", "overflow"),
        ("i4", "99", "numeric(4,2)", "99.00"),
        ("i8", "9223372036854775807", "numeric(38,19)", "9223372036854775807.0000000000000000000"),
        ("i8", "9223372036854775807", "numeric(38,28)", "overflow"),
        ("i8", "922337203685478", "cy", "overflow"),
        ("i8", "-922337203685477", "cy", "-922337203685477"),
        ("i8", "9223372036854775807", "r8", "9.223372036854776E+18"),
        ("i2", "0", "bool", "False"),
        ("i2", "-3", "bool", "True"),
        // Fractions go towards zero.
        ("r8", "3.99", "i4", "3"),
        ("r8", "-3.99", "i4", "-3"),
        ("r8", "2147483648", "i4", "overflow"),
        ("r8", "2147483647.9", "i4", "2147483647"),
        ("r8", "-0.5", "ui1", "0"),
        ("r8", "-1.5", "ui1", "sign"),
        ("r8", "18446744073709550000", "ui8", "18446744073709549568"),
        ("r8", "1e300", "i8", "overflow"),
        ("r8", "NaN", "i8", "overflow"),
        ("r8", "NaN", "bool", "True"),
        ("r8", "1e39", "r4", "overflow"),
        ("numeric(10,2)", "-12.99", "i4", "-12"),
        ("numeric(10,2)", "300", "ui1", "overflow"),
        ("cy", "2.5", "i4", "2"),
        // Doubles to decimals drop digits, to currency they round.
        ("r8", "123.4567", "numeric(10,2)", "123.45"),
        ("r8", "1.15", "numeric(10,2)", "1.15"),
        ("r8", "1.005", "numeric(10,3)", "1.005"),
        ("r8", "-1.999", "numeric(10,2)", "-1.99"),
        ("r8", "1e37", "numeric(38,0)", "10000000000000000000000000000000000000"),
        ("r8", "1e38", "numeric(38,0)", "overflow"),
        ("r8", "1e-300", "numeric(38,38)", "0.00000000000000000000000000000000000000"),
        ("r8", "167.39999389648438", "cy", "167.4"),
        ("r8", "1.00006", "cy", "1.0001"),
        ("r8", "0.03125", "cy", "0.0312"),
        ("r8", "0.09375", "cy", "0.0938"),
        ("r8", "922337203685477.5", "cy", "922337203685477.5"),
        ("r8", "922337203685478", "cy", "overflow"),
        ("r4", "0.1", "numeric(10,9)", "0.100000000"),
        ("r4", "0.1", "cy", "0.1"),
        // Decimals among each other.
        ("numeric(10,4)", "123.4567", "numeric(10,2)", "123.45"),
        ("numeric(10,2)", "12345678.99", "numeric(6,2)", "overflow"),
        ("numeric(38,0)", "99999999999999999999999999999999999999", "numeric(38,1)", "overflow"),
        ("numeric(38,0)", "79228162514264337593543950335", "decimal(0)", "79228162514264337593543950335"),
        ("numeric(38,0)", "79228162514264337593543950336", "decimal(0)", "overflow"),
        ("numeric(18,6)", "1.000049", "cy", "1"),
        ("numeric(18,6)", "1.000051", "cy", "1.0001"),
        ("numeric(10,3)", "0.001", "bool", "True"),
        ("numeric(38,20)", "0.1", "r8", "0.1"),
        ("numeric(38,0)", "12345678901234567890123456789012345678", "r8", "1.2345678901234568E+37"),
        // Booleans.
        ("bool", "true", "i4", "-1"),
        ("bool", "true", "ui1", "1"),
        ("bool", "false", "r8", "0"),
        ("bool", "true", "numeric(4,2)", "-1.00"),
        ("bool", "true", "wstr(5)", "True"),
        ("bool", "false", "wstr(4)", "Fals (cut)"),
        // Text to numbers.
        ("wstr(20)", " 42 ", "i4", "42"),
        ("wstr(20)", "12x", "i4", "cannot convert"),
        ("wstr(20)", "", "i4", "cannot convert"),
        ("wstr(20)", "-1", "ui4", "sign"),
        ("wstr(20)", "2147483648", "i4", "overflow"),
        ("wstr(20)", "1.239", "numeric(10,2)", "1.23"),
        ("wstr(20)", "$1,234.56", "cy", "1234.56"),
        ("wstr(20)", "922337203685478", "cy", "overflow"),
        ("wstr(20)", "1 2 x", "cy", "cannot convert"),
        ("wstr(20)", "yes", "bool", "cannot convert"),
        // Numbers to text: digits before the point cannot be cut.
        ("i4", "-12345", "wstr(6)", "-12345"),
        ("i4", "-12345", "wstr(5)", "overflow"),
        ("numeric(10,4)", "123.4567", "wstr(6)", "123.45 (cut)"),
        ("numeric(10,4)", "123.4567", "wstr(4)", "123 (cut)"),
        ("numeric(10,4)", "123.4567", "wstr(2)", "overflow"),
        ("r8", "1e30", "wstr(3)", "overflow"),
        // Dates.
        ("dbTimeStamp", "2005-03-04 11:06:18", "dbDate", "2005-03-04"),
        ("dbTimeStamp2(7)", "2005-03-04 11:06:18.1234567", "dbTime", "11:06:18 (cut)"),
        ("dbTimeStamp2(7)", "2005-03-04 11:06:18.1234567", "dbTime2(3)", "11:06:18.123 (cut)"),
        ("dbTimeStamp2(7)", "2005-03-04 11:06:18.1234567", "dbTimeStamp", "2005-03-04 11:06:18.123000000 (cut)"),
        ("dbTimeStamp2(7)", "2005-03-04 11:06:18.1230000", "dbTimeStamp2(3)", "2005-03-04 11:06:18.123"),
        ("dbTimeStamp2(7)", "1752-12-31", "dbTimeStamp", "overflow"),
        ("dbDate", "0001-01-01", "date", "overflow"),
        ("dbDate", "0100-01-01", "date", "1/1/0100"),
        ("dbDate", "1600-12-31", "fileTime", "overflow"),
        ("dbTimeStampOffset(0)", "2005-03-04 23:30:00 -05:00", "dbDate", "2005-03-05"),
        (
            "dbTimeStampOffset(7)",
            "2005-03-04 23:30:00.25 -05:00",
            "dbTimeStampOffset(1)",
            "2005-03-04 23:30:00.2 -05:00 (cut)",
        ),
        ("dbTimeStamp", "2005-03-04 11:06:18", "dbTimeStampOffset(0)", "2005-03-04 11:06:18 +00:00"),
        ("i4", "38415", "date", "3/4/2005"),
        ("r8", "38415.75", "dbTimeStamp", "2005-03-04 18:00:00"),
        ("r8", "1e10", "date", "overflow"),
        ("date", "2005-03-04 18:00:00", "r8", "38415.75"),
        ("date", "2005-03-04 18:00:00", "i4", "38415"),
        ("date", "2005-03-04 18:00:00", "i2", "overflow"),
        ("i8", "0", "fileTime", "1601-01-01 00:00:00:000"),
        ("i8", "-1", "fileTime", "overflow"),
        ("fileTime", "1601-01-01 00:00:01", "ui8", "10000000"),
        ("wstr(30)", "2005-03-04 11:06:18.1234", "dbTimeStamp", "2005-03-04 11:06:18.123000000 (cut)"),
        ("wstr(30)", "20050304", "dbDate", "cannot convert"),
        ("wstr(30)", "3/4/2005", "dbTimeStamp2(3)", "cannot convert"),
        ("wstr(30)", "2005-03-04 11:06:18:078", "fileTime", "2005-03-04 11:06:18:078"),
        ("dbTimeStamp", "2022-12-20 18:47:42.078", "wstr(40)", "2022-12-20 18:47:42.078000000"),
        ("dbTimeStamp", "2022-12-20 18:47:42", "wstr(10)", "2022-12-20 (cut)"),
        ("date", "2005-03-04 11:06:18", "wstr(40)", "3/4/2005 11:06:18 AM"),
        // Text to text: units of the target.
        ("wstr(20)", "abcdef", "wstr(3)", "abc (cut)"),
        ("wstr(20)", "a\u{1F600}b", "wstr(4)", "a\u{1F600}b"),
        ("wstr(20)", "a\u{1F600}b", "wstr(3)", "a\u{1F600} (cut)"),
        ("wstr(20)", "a\u{1F600}b", "wstr(2)", "a (cut)"),
        ("wstr(20)", "äöü", "str(3,1252)", "äöü"),
        ("wstr(20)", "äöü", "str(5,65001)", "äö (cut)"),
        ("wstr(20)", "中文字", "str(5,936)", "中文 (cut)"),
        ("wstr(20)", "a中", "str(3,932)", "a中"),
        ("wstr(20)", "中文", "str(5,1252)", "??"),
        ("wstr(20)", "日本", "text(1252)", "??"),
        ("str(20,1252)", "äöü", "wstr(2)", "äö (cut)"),
        // GUID and binary data.
        ("guid", "{098f2470-bae0-11cd-b579-08002b30bfeb}", "wstr(38)", "{098F2470-BAE0-11CD-B579-08002B30BFEB}"),
        ("guid", "{00112233-4455-6677-8899-AABBCCDDEEFF}", "bytes(16)", "33221100554477668899AABBCCDDEEFF"),
        ("bytes(16)", "33221100554477668899AABBCCDDEEFF", "guid", "{00112233-4455-6677-8899-AABBCCDDEEFF}"),
        ("bytes(4)", "01020304", "guid", "cannot convert"),
        ("wstr(38)", "098F2470-BAE0-11CD-B579-08002B30BFEB", "guid", "cannot convert"),
        ("i4", "258", "bytes(10)", "02010000"),
        ("bytes(4)", "02010000", "ui4", "258"),
        ("bytes(3)", "020100", "ui4", "cannot convert"),
        ("bytes(4)", "DEADBEEF", "wstr(8)", "DEADBEEF"),
        ("wstr(8)", "deadbeef", "bytes(3)", "DEADBE (cut)"),
        ("wstr(8)", "xyz", "bytes(3)", "cannot convert"),
        ("nText", "aä", "image", "6100E400"),
        ("image", "6100E400", "nText", "aä"),
        ("text(1252)", "aä", "image", "61E4"),
        ("nText", "ab\0cd", "wstr(9)", "ab"),
        ("nText", "ab\0cd", "text(1252)", "ab\0cd"),
        ("wstr(8)", "NULL", "i4", "NULL"),
    ] {
        assert_eq!(show(from, text, to, CastMode::DataFlow, EN), expected, "{from} {text:?} to {to}");
    }
}

#[test]
fn casts_of_expressions_cut_silently() {
    for (from, text, to, expected) in [
        ("wstr(20)", "abcdef", "wstr(3)", "abc"),
        ("dbTimeStamp", "2022-12-20 18:47:42.078", "wstr(10)", "2022-12-20"),
        ("numeric(10,4)", "123.4567", "wstr(5)", "123.4"),
        ("i4", "12345", "wstr(4)", "overflow"),
        ("i4", "300", "ui1", "overflow"),
        ("wstr(5)", "-1", "ui1", "overflow"),
        ("wstr(5)", "x", "ui1", "cannot convert"),
        ("dbTimeStamp2(7)", "2005-03-04 11:06:18.1234567", "dbTimeStamp2(2)", "2005-03-04 11:06:18.12"),
    ] {
        assert_eq!(show(from, text, to, CastMode::Expression, EN), expected, "{from} {text:?} to {to}");
    }
}

#[test]
fn casts_follow_the_locale() {
    const DE: u32 = 1031;
    for (from, text, to, lcid, expected) in [
        ("wstr(20)", "1.234,5", "r8", DE, "1234,5"),
        ("wstr(20)", "1.234,5", "numeric(10,2)", DE, "1234,50"),
        ("wstr(20)", "4.3.2005", "dbDate", DE, "2005-03-04"),
        ("wstr(20)", "3/4/2005", "dbDate", EN, "2005-03-04"),
        ("wstr(20)", "3/4/2005", "dbDate", 2057, "2005-04-03"),
        ("r8", "1.5", "wstr(20)", DE, "1,5"),
        ("date", "2005-03-04 11:06:18", "wstr(40)", DE, "04.03.2005 11:06:18"),
        ("wstr(20)", "1 234,5", "r8", 1036, "1234,5"),
    ] {
        assert_eq!(show(from, text, to, CastMode::DataFlow, lcid), expected, "{from} {text:?} to {to} in {lcid}");
    }
}

#[test]
fn what_needs_no_work_is_shared() {
    let long = "x".repeat(40);
    let array: ArrayRef = Arc::new(StringViewArray::from_iter([Some(long.as_str()), None, Some("Ä")]));
    let same = |from: DataType, to: DataType| {
        let (result, faults) = cast_array(&array, &from, &to, &CastOptions::data_flow(EN)).unwrap();
        assert!(faults.is_empty());
        std::ptr::eq(
            result.as_string_view().data_buffers()[0].as_ptr(),
            array.as_string_view().data_buffers()[0].as_ptr(),
        )
    };
    assert!(same(DataType::WStr { len: 50 }, DataType::WStr { len: 40 }));
    assert!(same(DataType::WStr { len: 50 }, DataType::Str { len: 40, code_page: 1252 }));
    assert!(same(DataType::Str { len: 50, code_page: 1252 }, DataType::WStr { len: 50 }));
    assert!(same(DataType::WStr { len: 50 }, DataType::NText));
    assert!(!same(DataType::WStr { len: 50 }, DataType::Str { len: 40, code_page: 932 }));
}

#[test]
fn faults_are_ascending_and_nulls_stay() {
    let array: ArrayRef = Arc::new(StringViewArray::from_iter([Some("1"), Some("x"), None, Some("3"), Some("")]));
    let (from, to) = (DataType::WStr { len: 9 }, DataType::I4);
    let (result, faults) = cast_array(&array, &from, &to, &CastOptions::data_flow(EN)).unwrap();
    assert_eq!(result.as_primitive(), &Int32Array::from_iter([Some(1), None, None, Some(3), None]));
    assert_eq!(faults.iter().map(|f| f.row).collect::<Vec<_>>(), [1, 4]);
    let fast = CastOptions { fast_parse: true, ..CastOptions::data_flow(EN) };
    let (result, faults) = cast_array(&array, &from, &to, &fast).unwrap();
    assert_eq!(result.as_primitive(), &Int32Array::from_iter([Some(1), None, None, Some(3), Some(0)]));
    assert_eq!(faults.len(), 1);
}

#[test]
fn slices_are_cast_as_slices() {
    let array: ArrayRef = Arc::new(Int32Array::from_iter([Some(1), None, Some(300), Some(4)]));
    let (result, faults) =
        cast_array(&array.slice(1, 3), &DataType::I4, &DataType::UI1, &CastOptions::data_flow(EN)).unwrap();
    assert_eq!(faults.iter().map(|f| f.row).collect::<Vec<_>>(), [1]);
    assert_eq!((result.is_null(0), result.is_null(1)), (true, true));
    assert_eq!(scalar::value_at(&result, &DataType::UI1, 2).unwrap(), Value::UI1(4));
}

#[test]
fn single_values() {
    let options = CastOptions::expression(EN);
    let cast = |value: Value, from: &str, to: &str| cast_value(&value, &type_of(from), &type_of(to), &options);
    assert_eq!(cast(Value::text("17"), "wstr(5)", "i4"), Ok(Value::I4(17)));
    assert_eq!(cast(Value::Null, "wstr(5)", "i4"), Ok(Value::Null));
    assert_eq!(cast(Value::I4(300), "i4", "ui1"), Err(codes::DTS_E_EXPREVALDATACONVERSIONOVERFLOW));
    assert_eq!(cast(Value::text("x"), "wstr(5)", "i4"), Err(codes::DTS_E_EXPREVALSTATIC_CASTFAILED));
    assert_eq!(cast(Value::Bool(true), "bool", "dbDate"), Err(codes::DTS_E_EXPREVALDATACONVERSIONNOTSUPPORTED));
    assert_eq!(cast(Value::text("abcdef"), "wstr(9)", "wstr(2)"), Ok(Value::text("ab")));
}

/// Any value of the physical form of a type, whether the type reaches it or not.
fn any_value(data_type: DataType) -> BoxedStrategy<Value> {
    use DataType as T;
    match data_type {
        T::Null => Just(Value::Null).boxed(),
        T::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
        T::I1 => any::<i8>().prop_map(Value::I1).boxed(),
        T::I2 => any::<i16>().prop_map(Value::I2).boxed(),
        T::I4 => any::<i32>().prop_map(Value::I4).boxed(),
        T::I8 => any::<i64>().prop_map(Value::I8).boxed(),
        T::UI1 => any::<u8>().prop_map(Value::UI1).boxed(),
        T::UI2 => any::<u16>().prop_map(Value::UI2).boxed(),
        T::UI4 => any::<u32>().prop_map(Value::UI4).boxed(),
        T::UI8 => any::<u64>().prop_map(Value::UI8).boxed(),
        T::R4 => any::<f32>().prop_map(Value::R4).boxed(),
        T::R8 => any::<f64>().prop_map(Value::R8).boxed(),
        T::Cy => any::<i64>().prop_map(|v| Value::Decimal(v as i128, 4)).boxed(),
        T::Decimal { scale } | T::Numeric { scale, .. } => {
            (any::<i128>(), 0u32..127).prop_map(move |(v, shift)| Value::Decimal(v >> shift, scale)).boxed()
        }
        T::DbDate => any::<i32>().prop_map(Value::Days).boxed(),
        T::DbTime => any::<i32>().prop_map(|v| Value::Time(v as i64 * 1_000_000_000)).boxed(),
        T::DbTime2 { .. } => any::<i64>().prop_map(Value::Time).boxed(),
        T::Date | T::DbTimeStamp => any::<i64>().prop_map(Value::Timestamp).boxed(),
        T::DbTimeStamp2 { .. } | T::FileTime => any::<i64>().prop_map(Value::Ticks).boxed(),
        T::DbTimeStampOffset { .. } => any::<(i64, i16)>().prop_map(|(t, o)| Value::TicksOffset(t, o)).boxed(),
        T::Guid => any::<[u8; 16]>().prop_map(Value::Guid).boxed(),
        T::Bytes { .. } | T::Image => {
            prop::collection::vec(any::<u8>(), 0..70).prop_map(|v| Value::Bytes(v.into())).boxed()
        }
        T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText => prop_oneof![
            ".{0,60}",
            "[-+]?[0-9]{1,30}([.,][0-9]{0,30})?",
            "[0-9]{4}-[0-1][0-9]-[0-3][0-9]([T ][0-9:.]{8,16})?"
        ]
        .prop_map(Value::text)
        .boxed(),
    }
}

fn any_pair() -> impl Strategy<Value = (Value, DataType, DataType)> {
    (prop::sample::select(all()), prop::sample::select(all()))
        .prop_flat_map(|(from, to)| (any_value(from), Just(from), Just(to)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn any_value_is_cast_or_a_fault((value, from, to) in any_pair(), fast_parse: bool, lcid in prop::sample::select(vec![EN, 1031, 1036, 1041])) {
        for mode in [CastMode::Expression, CastMode::DataFlow] {
            let Ok(array) = scalar::array_of(&value, &from, 1) else { continue };
            let Ok((result, faults)) = cast_array(&array, &from, &to, &CastOptions { lcid, fast_parse, mode }) else {
                prop_assert!(!can_cast(&from, &to));
                continue;
            };
            prop_assert_eq!(result.data_type(), &to.arrow());
            prop_assert!(faults.len() <= 1);
            prop_assert_eq!(result.is_null(0), faults.iter().any(|f| !f.truncation));
            let found = scalar::value_at(&result, &to, 0).unwrap();
            super::super::format::format_value(&found, &to, lcid);
            if let (Value::Text(text), Ok(limit)) = (&found, TextLimit::of(&to)) && to != from {
                prop_assert_eq!(limit.fit(text), text.len());
            }
            if let (Value::Decimal(v, _), DataType::Numeric { precision, .. }) = (&found, to) && to != from {
                prop_assert!(crate::types::decimal::fit(*v, precision).is_some());
            }
        }
    }
}
