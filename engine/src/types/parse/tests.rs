use super::number::digits;
use super::*;
use crate::types::calendar::{self, MAX_TICKS, MIN_TICKS, TICKS_PER_DAY};
use crate::types::format;
use crate::types::locale::Locale;
use ParseError::{Overflow, Sign, Syntax};
use proptest::prelude::*;

const EN: u32 = 1033;
const GB: u32 = 2057;
const DE: u32 = 1031;
const FR: u32 = 1036;
const SV: u32 = 1053;

fn locale(lcid: u32) -> &'static Locale {
    Locale::of(lcid)
}

#[test]
fn plain_integers() {
    for (text, expected) in [
        ("0", Some(0)),
        ("-0", Some(0)),
        ("+7", Some(7)),
        ("12345678", Some(12_345_678)),
        ("123456789012345678", Some(123_456_789_012_345_678)),
        ("9223372036854775807", Some(i64::MAX)),
        ("-9223372036854775808", Some(i64::MIN)),
        ("9223372036854775808", None),
        ("-9223372036854775809", None),
        ("00000000000000000001", None),
        ("", None),
        ("-", None),
        ("+-1", None),
        (" 1", None),
        ("1234567a", None),
        ("1234567/", None),
        ("1234567:", None),
        ("12345678\u{ff11}", None),
    ] {
        assert_eq!(parse_i64(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(digits(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
}

#[test]
fn integers_of_the_standard_parse() {
    for (text, lcid, expected) in [
        ("  12\t", EN, Ok(12)),
        ("12-", EN, Ok(-12)),
        ("- 12", EN, Ok(-12)),
        ("+12", EN, Ok(12)),
        ("--5", EN, Err(Syntax)),
        ("-5-", EN, Err(Syntax)),
        ("(12)", EN, Ok(-12)),
        ("(12", EN, Err(Syntax)),
        ("12)", EN, Err(Syntax)),
        ("($1,234)", EN, Ok(-1234)),
        ("$ 5", EN, Ok(5)),
        ("5$", EN, Ok(5)),
        ("$5$", EN, Err(Syntax)),
        ("£5", EN, Err(Syntax)),
        ("£5", GB, Ok(5)),
        ("5 €", DE, Ok(5)),
        ("1,234,567", EN, Ok(1_234_567)),
        ("1,2", EN, Ok(12)),
        (",12", EN, Err(Syntax)),
        ("12,", EN, Err(Syntax)),
        ("1.234", DE, Ok(1234)),
        ("1\u{a0}234", FR, Ok(1234)),
        ("1\u{202f}234", FR, Ok(1234)),
        ("1 234", FR, Ok(1234)),
        ("1 234", EN, Err(Syntax)),
        ("12.99", EN, Ok(12)),
        ("-12.99", EN, Ok(-12)),
        ("12.", EN, Ok(12)),
        (".9", EN, Ok(0)),
        (".", EN, Err(Syntax)),
        ("1.2.3", EN, Err(Syntax)),
        ("1e3", EN, Ok(1000)),
        ("15e-1", EN, Ok(1)),
        ("1e", EN, Err(Syntax)),
        ("1e+", EN, Err(Syntax)),
        ("1e99999999999", EN, Err(Overflow)),
        ("0e99999999999", EN, Ok(0)),
        ("1e-99999999999", EN, Ok(0)),
        ("&HFF", EN, Ok(255)),
        ("&o17", EN, Ok(15)),
        ("&H", EN, Err(Syntax)),
        ("&HFFFFFFFFFFFFFFFFF", EN, Err(Overflow)),
        ("0000000000000000000000000000000000000000000012", EN, Ok(12)),
        ("2147483648", EN, Err(Overflow)),
        ("-2147483648", EN, Ok(i32::MIN)),
        ("", EN, Err(Syntax)),
        ("   ", EN, Err(Syntax)),
        ("abc", EN, Err(Syntax)),
        ("12x", EN, Err(Syntax)),
        ("\u{ff11}", EN, Err(Syntax)),
        ("NaN", EN, Err(Syntax)),
    ] {
        assert_eq!(parse_int::<i32>(text.as_bytes(), locale(lcid)), expected, "{text:?} in {lcid}");
    }
    let en = locale(EN);
    assert_eq!(parse_int::<u8>(b"255", en), Ok(255));
    assert_eq!(parse_int::<u8>(b"256", en), Err(Overflow));
    assert_eq!(parse_int::<u8>(b"-1", en), Err(Sign));
    assert_eq!(parse_int::<u64>(b"18446744073709551615", en), Ok(u64::MAX));
    assert_eq!(parse_int::<u64>(b"18446744073709551616", en), Err(Overflow));
    assert_eq!(parse_int::<u64>(b"-0.5", en), Ok(0));
}

#[test]
fn integers_of_fast_parse() {
    for (text, expected) in [
        ("12", Ok(12)),
        ("  -12\t", Ok(-12)),
        ("", Ok(0)),
        ("   ", Ok(0)),
        ("+", Err(Syntax)),
        ("1,234", Err(Syntax)),
        ("1e3", Err(Syntax)),
        ("1.0", Err(Syntax)),
        ("$1", Err(Syntax)),
        ("&HFF", Err(Syntax)),
        ("12-", Err(Syntax)),
        ("00000000000000000000000000000000012", Ok(12)),
        ("2147483648", Err(Overflow)),
        ("99999999999999999999999999", Err(Overflow)),
    ] {
        assert_eq!(fast::int::<i32>(text.as_bytes()), expected, "{text:?}");
    }
    assert_eq!(fast::int::<u64>(b"18446744073709551615"), Ok(u64::MAX));
    assert_eq!(fast::int::<u64>(b"-1"), Err(Sign));
}

#[test]
fn decimals() {
    let most = 99_999_999_999_999_999_999_999_999_999_999_999_999i128;
    for (text, precision, scale, lcid, expected) in [
        ("123.45", 10, 2, EN, Ok(12345)),
        ("-123.45", 10, 2, EN, Ok(-12345)),
        ("123", 10, 2, EN, Ok(12300)),
        (".5", 10, 2, EN, Ok(50)),
        ("5.", 10, 2, EN, Ok(500)),
        ("-.5", 10, 2, EN, Ok(-50)),
        ("1.239", 10, 2, EN, Ok(123)),
        ("-1.239", 10, 2, EN, Ok(-123)),
        ("99999999.99", 10, 2, EN, Ok(9_999_999_999)),
        ("100000000.00", 10, 2, EN, Err(Overflow)),
        ("99999999.999", 10, 2, EN, Ok(9_999_999_999)),
        ("1,234.5", 10, 2, EN, Ok(123_450)),
        ("1.234,5", 10, 2, DE, Ok(123_450)),
        ("1234,5", 10, 2, DE, Ok(123_450)),
        ("1e3", 10, 2, EN, Ok(100_000)),
        ("1.5E-2", 10, 2, EN, Ok(1)),
        ("99999999999999999999999999999999999999", 38, 0, EN, Ok(most)),
        ("-99999999999999999999999999999999999999", 38, 0, EN, Ok(-most)),
        ("100000000000000000000000000000000000000", 38, 0, EN, Err(Overflow)),
        ("0.99999999999999999999999999999999999999", 38, 38, EN, Ok(most)),
        ("0.000000000000000000000000000000000000001", 38, 38, EN, Ok(0)),
        ("1", 38, 38, EN, Err(Overflow)),
        ("123456789012345678", 38, 20, EN, Ok(123_456_789_012_345_678 * 10i128.pow(20))),
        ("1234567890123456789", 38, 20, EN, Err(Overflow)),
        ("0.1234567890123456789", 38, 2, EN, Ok(12)),
        ("", 10, 2, EN, Err(Syntax)),
        ("-", 10, 2, EN, Err(Syntax)),
        (".", 10, 2, EN, Err(Syntax)),
        ("1.2.3", 10, 2, EN, Err(Syntax)),
        ("12 3", 10, 2, EN, Err(Syntax)),
    ] {
        assert_eq!(parse_decimal(text.as_bytes(), precision, scale, locale(lcid)), expected, "{text:?}");
    }
}

#[test]
fn currency() {
    for (text, lcid, expected) in [
        ("12", EN, Ok(120_000)),
        ("1.2345", EN, Ok(12_345)),
        ("1.23455", EN, Ok(12_346)),
        ("1.23445", EN, Ok(12_344)),
        ("1.234450000000000000000000000000000000000001", EN, Ok(12_345)),
        ("-$1,234.56", EN, Ok(-12_345_600)),
        ("($1,234.56)", EN, Ok(-12_345_600)),
        ("1.234,56 €", DE, Ok(12_345_600)),
        ("922337203685477.5807", EN, Ok(i64::MAX)),
        ("-922337203685477.5808", EN, Ok(i64::MIN)),
        ("922337203685477.5808", EN, Err(Overflow)),
        ("", EN, Err(Syntax)),
        ("abc", EN, Err(Syntax)),
    ] {
        assert_eq!(parse_currency(text.as_bytes(), locale(lcid)), expected, "{text:?}");
    }
}

#[test]
fn floats() {
    for (text, lcid, expected) in [
        ("1.5", EN, Ok(1.5)),
        ("-1.5e3", EN, Ok(-1500.0)),
        ("1,5", DE, Ok(1.5)),
        (" 1,234.5 ", EN, Ok(1234.5)),
        ("1.", EN, Ok(1.0)),
        (".5", EN, Ok(0.5)),
        ("0.1", EN, Ok(0.1)),
        ("1.7976931348623157E+308", EN, Ok(f64::MAX)),
        ("1e309", EN, Err(Overflow)),
        ("1e-400", EN, Ok(0.0)),
        ("1,0e-400", DE, Ok(0.0)),
        ("1,0e309", DE, Err(Overflow)),
        ("123456789012345678901234567890123456789012345678,5", DE, Ok(1.2345678901234568e47)),
        ("inf", EN, Err(Syntax)),
        ("-inf", EN, Err(Syntax)),
        ("nan", EN, Err(Syntax)),
        ("1_0", EN, Err(Syntax)),
        ("", EN, Err(Syntax)),
    ] {
        assert_eq!(parse_f64(text.as_bytes(), locale(lcid)), expected, "{text:?}");
    }
    assert_eq!(parse_f32(b"3.4028235e38", locale(EN)), Ok(f32::MAX));
    assert_eq!(parse_f32(b"3.5e38", locale(EN)), Err(Overflow));
}

#[test]
fn booleans() {
    let en = locale(EN);
    for (text, expected) in [
        ("True", Ok(true)),
        ("FALSE", Ok(false)),
        (" true ", Ok(true)),
        ("0", Ok(false)),
        ("1", Ok(true)),
        ("-1", Ok(true)),
        ("0.5", Ok(true)),
        ("", Err(ParseError::Syntax)),
        ("yes", Err(ParseError::Syntax)),
        ("truest", Err(ParseError::Syntax)),
    ] {
        assert_eq!(parse_bool(text.as_bytes(), en), expected, "{text:?}");
    }
}

#[test]
fn guids_need_braces() {
    let text = "{098f2470-BAE0-11CD-B579-08002B30BFEB}";
    let guid = parse_guid(text.as_bytes()).unwrap();
    assert_eq!(guid, [9, 0x8f, 0x24, 0x70, 0xba, 0xe0, 0x11, 0xcd, 0xb5, 0x79, 8, 0, 0x2b, 0x30, 0xbf, 0xeb]);
    for bad in
        ["", "{}", &text[1..37], "{098f2470-BAE0-11CD-B579-08002B30BFEX}", "{098f2470BAE0-11CD-B579-08002B30BFEB-}"]
    {
        assert_eq!(parse_guid(bad.as_bytes()), Err(ParseError::Syntax), "{bad}");
    }
}

/// A timestamp in a short form for tables.
fn show(ticks: i64) -> String {
    let mut out = Vec::new();
    format::timestamp(ticks, 7, &mut out);
    String::from_utf8(out).unwrap().trim_end_matches(".0000000").trim_end_matches(" 00:00:00").to_owned()
}

#[test]
fn iso_dates() {
    for (text, expected) in [
        ("1970-01-01", Some(0)),
        ("2000-02-29", Some(11_016)),
        ("2004-02-29", Some(12_477)),
        ("1900-02-29", None),
        ("2001-02-29", None),
        ("2001-04-31", None),
        ("2001-12-31", Some(11_687)),
        ("0001-01-01", Some(calendar::MIN_DAY)),
        ("9999-12-31", Some(calendar::MAX_DAY)),
        ("0000-01-01", None),
        ("2001-00-01", None),
        ("2001-13-01", None),
        ("2001-01-00", None),
        ("2001-1-1", None),
        ("2001/01/01", None),
        ("2001-01-0a", None),
        ("2001-01-01 ", None),
        ("", None),
    ] {
        assert_eq!(iso_date(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn iso_times() {
    const SECOND: i64 = 10_000_000;
    for (text, expected) in [
        ("00:00", Some(0)),
        ("23:59:59", Some(86_399 * SECOND)),
        ("23:59:59.9999999", Some(TICKS_PER_DAY - 1)),
        ("23:59:59.999999999", Some(TICKS_PER_DAY - 1)),
        ("00:00:00.078000000", Some(780_000)),
        ("00:00:00.1", Some(1_000_000)),
        ("00:00:00.", None),
        ("00:00:00.1234567890", None),
        ("00:00:00.12a", None),
        ("00:00:00.12345678a", None),
        ("24:00:00", None),
        ("12:60:00", None),
        ("12:00:60", None),
        ("1:00:00", None),
        ("12:00:00 ", None),
        ("12-00", None),
    ] {
        assert_eq!(iso_time(text.as_bytes()), expected, "{text:?}");
    }
}

#[test]
fn timestamps_of_the_standard_parse() {
    for (text, lcid, expected) in [
        ("2005-03-04 11:06:18.078", EN, "2005-03-04 11:06:18.0780000"),
        ("2005-03-04T11:06:18", DE, "2005-03-04 11:06:18"),
        (" 2005-03-04 ", GB, "2005-03-04"),
        ("2005-3-4", EN, "2005-03-04"),
        ("2005-3-4", GB, "2005-03-04"),
        ("2005-13-4", EN, "2005-04-13"),
        ("2005/03/04", GB, "2005-03-04"),
        // The order of the locale, and the other one where that is impossible.
        ("11/23/2002", EN, "2002-11-23"),
        ("8/6/2003", EN, "2003-08-06"),
        ("8/6/2003", GB, "2003-06-08"),
        ("23/11/2002", EN, "2002-11-23"),
        ("11/23/2002", GB, "2002-11-23"),
        ("04.03.2005", DE, "2005-03-04"),
        ("04-03-05", DE, "2005-03-04"),
        ("05-03-04", SV, "2005-03-04"),
        ("04/03/2005", SV, "2005-04-03"),
        ("31/31/2002", EN, "-"),
        ("2/30/2002", EN, "-"),
        ("2/29/2004", EN, "2004-02-29"),
        ("2/29/2003", EN, "-"),
        // Two-digit years.
        ("1/2/29", EN, "2029-01-02"),
        ("1/2/30", EN, "1930-01-02"),
        ("1/2/00", EN, "2000-01-02"),
        ("1/2/0100", EN, "0100-01-02"),
        // Month names.
        ("March 4, 2005", EN, "2005-03-04"),
        ("4 Mar 2005", EN, "2005-03-04"),
        ("4-MAR-05", EN, "2005-03-04"),
        ("2005 mar 4", EN, "2005-03-04"),
        ("4. März 2005", DE, "2005-03-04"),
        ("4 mar. 2005", DE, "2005-03-04"),
        ("4 août 2005", FR, "2005-08-04"),
        ("4 juil. 2005", FR, "2005-07-04"),
        ("4 jui 2005", FR, "-"),
        ("Mar 2005", EN, "2005-03-01"),
        ("3/2005", EN, "2005-03-01"),
        ("Friday, March 4, 2005", EN, "2005-03-04"),
        ("4 Foo 2005", EN, "-"),
        ("31 Apr 2005", EN, "-"),
        // Times.
        ("3/4/2005 11:06:18 AM", EN, "2005-03-04 11:06:18"),
        ("3/4/2005 11:06:18 PM", EN, "2005-03-04 23:06:18"),
        ("3/4/2005 12:00 AM", EN, "2005-03-04"),
        ("3/4/2005 12:00 pm", EN, "2005-03-04 12:00:00"),
        ("3/4/2005 1 PM", EN, "2005-03-04 13:00:00"),
        ("3/4/2005 1PM", EN, "2005-03-04 13:00:00"),
        ("3/4/2005 13:00 PM", EN, "-"),
        ("3/4/2005 0:00 AM", EN, "-"),
        ("3/4/2005 24:00", EN, "-"),
        ("3/4/2005 9:5", EN, "2005-03-04 09:05:00"),
        ("11:06:18", EN, "1899-12-30 11:06:18"),
        ("11:06:18 3/4/2005", EN, "2005-03-04 11:06:18"),
        ("2005. 03. 04. 11:06:18", 1038, "2005-03-04 11:06:18"),
        ("2005/3/4 上午 11:06:18", 1028, "2005-03-04 11:06:18"),
        ("5/23/2021 8:41:45 PM", EN, "2021-05-23 20:41:45"),
        // No dates.
        ("20050304", EN, "-"),
        ("", EN, "-"),
        ("2005", EN, "-"),
        ("abc", EN, "-"),
        ("PM", EN, "-"),
        ("1/2/3/4", EN, "-"),
        ("1:2 3:4", EN, "-"),
        ("3/4/2005 x", EN, "-"),
        ("3/4/02005", EN, "-"),
        ("\u{0}", EN, "-"),
    ] {
        let found = parse_timestamp(text.as_bytes(), locale(lcid)).map_or("-".to_owned(), show);
        assert_eq!(found, expected, "{text:?} in {lcid}");
    }
    assert_eq!(parse_date(b"3/4/2005 11:06", locale(EN)), Ok(12_846));
    assert_eq!(parse_time(b"11:06 PM", locale(EN)), Ok((23 * 60 + 6) * 600_000_000));
    assert_eq!(parse_ole_date(b"0099-12-31", locale(EN)), Err(Overflow));
    assert!(parse_ole_date(b"0100-01-01", locale(EN)).is_ok());
}

#[test]
fn days_without_a_year_are_of_this_year() {
    let year = calendar::civil_from_days(calendar::today()).0;
    let expected = calendar::date(year, 3, 4).unwrap();
    assert_eq!(parse_date(b"3/4", locale(EN)), Ok(expected));
    assert_eq!(parse_date(b"4/3", locale(GB)), Ok(expected));
    assert_eq!(parse_date(b"4 March", locale(GB)), Ok(expected));
}

#[test]
fn the_types_with_a_two_take_only_iso() {
    assert_eq!(parse_timestamp_strict(b"3/4/2005"), Err(Syntax));
    assert_eq!(
        parse_timestamp_strict(b" 2005-03-04 11:06:18.1234567 ").map(show).unwrap(),
        "2005-03-04 11:06:18.1234567"
    );
    assert_eq!(parse_time_strict(b"11:06 PM"), Err(Syntax));
    assert_eq!(parse_time_strict(b" 11:06 "), Ok((11 * 60 + 6) * 600_000_000));
    for (text, expected) in [
        ("2005-03-04 11:06:18 +02:00", Ok(("2005-03-04 09:06:18", 120))),
        ("2005-03-04 11:06:18+02:00", Ok(("2005-03-04 09:06:18", 120))),
        ("2005-03-04 11:06:18.5 -05:30", Ok(("2005-03-04 16:36:18.5000000", -330))),
        ("2005-03-04 11:06:18Z", Ok(("2005-03-04 11:06:18", 0))),
        ("2005-03-04 11:06:18", Ok(("2005-03-04 11:06:18", 0))),
        ("2005-03-04", Ok(("2005-03-04", 0))),
        ("2005-03-04 11:06:18 +14:00", Ok(("2005-03-03 21:06:18", 840))),
        ("2005-03-04 11:06:18 +14:01", Err(Overflow)),
        ("0001-01-01 00:00:00 +01:00", Err(Overflow)),
        ("9999-12-31 23:30:00 -01:00", Err(Overflow)),
        // As the examples of the reference write offsets.
        ("1999-10-11 20:34:52.123 -3:30", Ok(("1999-10-12 00:04:52.1230000", -210))),
        ("1999-10-11 16:34:52.1234567 + 5:35", Ok(("1999-10-11 10:59:52.1234567", 335))),
        ("2005-03-04 11:06:18 +2:0", Err(Syntax)),
        ("2005-03-04 11:06:18 +", Err(Syntax)),
        ("2005-03-04 11:06:18 +02:60", Err(Syntax)),
    ] {
        let found = parse_offset(text.as_bytes()).map(|(ticks, offset)| (show(ticks), offset));
        assert_eq!(found, expected.map(|(text, offset)| (text.to_owned(), offset)), "{text:?}");
    }
}

#[test]
fn dates_of_fast_parse() {
    for (text, expected) in [
        ("20050304", "2005-03-04"),
        ("2005-03-04", "2005-03-04"),
        ("  2005-03-04", "2005-03-04"),
        ("2005-03", "2005-03-01"),
        ("2005", "2005-01-01"),
        ("200503", "-"),
        ("2005-3-4", "-"),
        ("3/4/2005", "-"),
        ("2005-W10-5", "-"),
        ("2005-063", "-"),
        ("20050229", "-"),
        ("20050304T110618", "2005-03-04 11:06:18"),
        ("2005-03-04T11:06:18.5", "2005-03-04 11:06:18.5000000"),
        ("2005-03-04T11:06:18,5", "2005-03-04 11:06:18.5000000"),
        ("2005-03-04T11:06:18+02:00", "2005-03-04 11:06:18"),
        ("2005-03-04T11Z", "2005-03-04 11:00:00"),
        ("2005-03-04t11", "-"),
        ("2005-03-04 11:06:18", "-"),
        ("2005-03-04T24:00:00", "2005-03-05"),
        ("2005-03-04T24:00:01", "-"),
        ("9999-12-31T24:00", "-"),
        ("2005-03-04T11:06:18 +02:00", "-"),
        ("", "-"),
    ] {
        assert_eq!(fast::timestamp(text.as_bytes()).map_or("-".to_owned(), show), expected, "{text:?}");
    }
    assert_eq!(fast::date(b"20050304"), Ok(12_846));
    assert_eq!(fast::date(b"2005-03-04T11:06"), Ok(12_846));
    assert_eq!(fast::date(b"2005-03-04T99"), Err(Syntax));
    let found = fast::timestamp_offset(b"2005-03-04T11:06-0530").map(|(ticks, offset)| (show(ticks), offset));
    assert_eq!(found, Ok(("2005-03-04 16:36:00".to_owned(), -330)));
}

#[test]
fn times_of_fast_parse() {
    for (text, expected) in [
        ("110618", "11:06:18.0000000"),
        ("11:06:18", "11:06:18.0000000"),
        ("1106", "11:06:00.0000000"),
        ("11:06", "11:06:00.0000000"),
        ("11", "11:00:00.0000000"),
        ("12.750", "12:45:00.0000000"),
        ("1106.5", "11:06:30.0000000"),
        ("11:06,25", "11:06:15.0000000"),
        ("11:06:18.1234567", "11:06:18.1234567"),
        ("11:06:18.123456789012345678901234567890", "11:06:18.1234567"),
        ("24:00", "00:00:00.0000000"),
        ("2400", "00:00:00.0000000"),
        ("24", "00:00:00.0000000"),
        ("24.5", "-"),
        ("24:01", "-"),
        ("23:59:60", "00:00:00.0000000"),
        ("23:59:61", "-"),
        ("23:60", "-"),
        ("25", "-"),
        ("11:06:18Z", "11:06:18.0000000"),
        ("11:06:18+02", "11:06:18.0000000"),
        ("11:06:18+0230", "11:06:18.0000000"),
        ("11:06:18-02:30", "11:06:18.0000000"),
        ("11:06:18-15:00", "-"),
        ("11:06:18+02:3", "-"),
        ("11:0618", "-"),
        ("1106:18", "-"),
        ("1", "-"),
        ("11.", "-"),
        ("11 PM", "-"),
        ("", "-"),
    ] {
        let found = fast::time(text.as_bytes()).map_or("-".to_owned(), |ticks| {
            let mut out = Vec::new();
            format::time(ticks, 7, &mut out);
            String::from_utf8(out).unwrap()
        });
        assert_eq!(found, expected, "{text:?}");
    }
}

fn text(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

/// Locales with every combination of separators and orders.
fn some_locale() -> impl Strategy<Value = &'static Locale> {
    prop::sample::select(vec![EN, GB, DE, FR, SV, 1028, 1038, 1041, 1055, 2055]).prop_map(Locale::of)
}

/// What a parser may meet: bytes of all kinds, mostly such that occur in values.
fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        "[-+()$0-9., :/eETZ]{0,40}".prop_map(String::into_bytes),
        "[0-9]{1,4}[-/. ](?:[0-9]{1,4}|Mar|März|juil)[-/. ][0-9]{1,4} ?[0-9:.]{0,12} ?(?:AM|pm|上午)?"
            .prop_map(String::into_bytes),
    ]
}

proptest! {
    #[test]
    fn integers_come_back(value: i64, locale in some_locale()) {
        prop_assert_eq!(parse_int(&text(|o| format::int(value, o)), locale), Ok(value));
        prop_assert_eq!(fast::int(&text(|o| format::int(value, o))), Ok(value));
    }

    #[test]
    fn unsigned_integers_come_back(value: u64, locale in some_locale()) {
        prop_assert_eq!(parse_int(&text(|o| format::int(value, o)), locale), Ok(value));
    }

    #[test]
    fn doubles_come_back(value in any::<f64>().prop_filter("finite", |v| v.is_finite()), locale in some_locale()) {
        prop_assert_eq!(parse_f64(&text(|o| format::r8(value, locale, o)), locale), Ok(value));
    }

    #[test]
    fn singles_come_back(value in any::<f32>().prop_filter("finite", |v| v.is_finite()), locale in some_locale()) {
        prop_assert_eq!(parse_f32(&text(|o| format::r4(value, locale, o)), locale), Ok(value));
    }

    #[test]
    fn decimals_come_back(value in any::<i128>(), shift in 0u32..120, scale in 0u8..=38, locale in some_locale()) {
        let value = (value >> shift) % 10i128.pow(38);
        prop_assert_eq!(parse_decimal(&text(|o| format::decimal(value, scale, locale, o)), 38, scale, locale), Ok(value));
        prop_assert_eq!(
            parse_decimal(&text(|o| format::decimal_flat(value, scale, locale, o)), 38, scale, locale),
            Ok(value)
        );
    }

    #[test]
    fn currency_comes_back(value: i64, locale in some_locale()) {
        prop_assert_eq!(parse_currency(&text(|o| format::currency(value as i128, locale, o)), locale), Ok(value));
        prop_assert_eq!(parse_currency(&text(|o| format::currency_flat(value as i128, locale, o)), locale), Ok(value));
    }

    #[test]
    fn timestamps_come_back(ticks in MIN_TICKS..=MAX_TICKS, locale in some_locale()) {
        prop_assert_eq!(parse_timestamp(&text(|o| format::timestamp(ticks, 7, o)), locale), Ok(ticks));
        prop_assert_eq!(parse_timestamp_strict(&text(|o| format::timestamp(ticks, 7, o))), Ok(ticks));
        prop_assert_eq!(parse_timestamp(&text(|o| format::timestamp_full(ticks, o)), locale), Ok(ticks));
        let millis = ticks - ticks.rem_euclid(10_000);
        prop_assert_eq!(parse_filetime(&text(|o| format::filetime(ticks, o)), locale), Ok(millis));
        let (day, time) = calendar::split(ticks);
        prop_assert_eq!(parse_date(&text(|o| format::date(day, o)), locale), Ok(day));
        prop_assert_eq!(parse_time(&text(|o| format::time(time, 7, o)), locale), Ok(time));
    }

    #[test]
    fn dates_of_a_locale_come_back(ticks in 0i64..=MAX_TICKS, locale in some_locale()) {
        let seconds = ticks - ticks % calendar::TICKS_PER_SECOND;
        prop_assert_eq!(parse_timestamp(&text(|o| format::date_of_locale(ticks, locale, o)), locale), Ok(seconds));
    }

    #[test]
    fn offsets_come_back(ticks in MIN_TICKS + TICKS_PER_DAY..=MAX_TICKS - TICKS_PER_DAY, offset in -840i16..=840) {
        prop_assert_eq!(parse_offset(&text(|o| format::timestamp_offset(ticks, offset, 7, o))), Ok((ticks, offset)));
    }

    #[test]
    fn guids_come_back(guid: [u8; 16]) {
        prop_assert_eq!(parse_guid(&text(|o| format::guid(&guid, o))), Ok(guid));
    }

    #[test]
    fn no_bytes_upset_a_parser(bytes in some_bytes(), locale in some_locale(), precision in 0u8..=40, scale in 0u8..=40) {
        // None of these may panic, and what is found lies in the range of its type.
        let _ = parse_int::<i8>(&bytes, locale);
        let _ = parse_int::<u64>(&bytes, locale);
        let _ = (parse_f32(&bytes, locale), parse_bool(&bytes, locale), parse_guid(&bytes));
        let _ = (fast::int::<i64>(&bytes), parse_currency(&bytes, locale));
        let _ = parse_decimal(&bytes, precision, scale, locale);
        if let Ok(value) = parse_f64(&bytes, locale) {
            prop_assert!(value.is_finite());
        }
        for ticks in [
            parse_timestamp(&bytes, locale),
            parse_timestamp_strict(&bytes),
            parse_filetime(&bytes, locale),
            fast::timestamp(&bytes),
            parse_offset(&bytes).map(|(ticks, _)| ticks),
            fast::timestamp_offset(&bytes).map(|(ticks, _)| ticks),
        ].into_iter().flatten() {
            prop_assert!((MIN_TICKS..=MAX_TICKS).contains(&ticks));
        }
        for ticks in [parse_time(&bytes, locale), parse_time_strict(&bytes), fast::time(&bytes)].into_iter().flatten() {
            prop_assert!((0..TICKS_PER_DAY).contains(&ticks));
        }
        for day in [parse_date(&bytes, locale), fast::date(&bytes)].into_iter().flatten() {
            prop_assert!((calendar::MIN_DAY..=calendar::MAX_DAY).contains(&day));
        }
    }
}
