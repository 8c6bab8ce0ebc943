//! Which casts are legal: the table of the reference, for cast operators and Data Conversion alike.

use crate::types::DataType;

/// The columns of [`LEGAL`], by name.
#[cfg(test)]
const ORDER: &str = "I1 I2 I4 R4 R8 CY DATE BOOL NUMERIC DECIMAL UI1 UI2 UI4 I8 UI8 GUID BYTES STR WSTR DBDATE DBTIME \
                     DBTIME2 DBTIMESTAMP DBTIMESTAMP2 DBTIMESTAMPOFFSET FILETIME IMAGE TEXT NTEXT";

/// From (row) to (column): `Y` legal, `-` illegal, `.` the same type.
#[rustfmt::skip]
const LEGAL: [&[u8; 29]; 29] = [
    b".YYYYYYYYYYYYYY--YYYY-Y------", // I1
    b"Y.YYYYYYYYYYYYY--YYYY-Y------", // I2
    b"YY.YYYYYYYYYYYY-YYYYY-Y------", // I4
    b"YYY.YYYYYYYYYYY--YYYY-Y------", // R4
    b"YYYY.YYYYYYYYYY--YYYY-Y------", // R8
    b"YYYYY.-YYYYYYYY--YY----------", // CY
    b"YYYYY-.YY-YYYYY--YYYYYYYY----", // DATE
    b"YYYYYYY.YYYYYYY--YY----------", // BOOL
    b"YYYYYYYY.YYYYYY--YY----------", // NUMERIC
    b"YYYYYY-YY.YYYYY--YYYY-Y------", // DECIMAL
    b"YYYYYYYYYY.YYYY--YYYY-Y------", // UI1
    b"YYYYYYYYYYY.YYY--YYYY-Y------", // UI2
    b"YYYYYYYYYYYY.YY-YYYYY-Y------", // UI4
    b"YYYYYY-YYYYYY.Y-YYY------Y---", // I8
    b"YYYYYY-YYYYYYY.-YYY------Y---", // UI8
    b"---------------.YYY----------", // GUID
    b"---Y--------YYYY.YY-------YYY", // BYTES
    b"YYYYYYYYYYYYYYYYY.YYYYYYYYYYY", // STR
    b"YYYYYYYYYYYYYYYYYY.YYYYYYYYYY", // WSTR
    b"------Y----------YY.YYYYYY---", // DBDATE
    b"------Y----------YYY.YYYYY---", // DBTIME
    b"------Y----------YYYY.YYYY---", // DBTIME2
    b"------Y----------YYYYY.YYY---", // DBTIMESTAMP
    b"------Y----------YYYYYY.YY---", // DBTIMESTAMP2
    b"------Y----------YYYYYYY.Y---", // DBTIMESTAMPOFFSET
    b"------Y------YY--YYYYYYYY.---", // FILETIME
    b"----------------Y---------.YY", // IMAGE
    b"-----------------Y--------Y.Y", // TEXT
    b"------------------Y-------YY.", // NTEXT
];

/// The place of a type in the table; None for DT_NULL.
fn index(data_type: &DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Null => return None,
        DataType::I1 => 0,
        DataType::I2 => 1,
        DataType::I4 => 2,
        DataType::R4 => 3,
        DataType::R8 => 4,
        DataType::Cy => 5,
        DataType::Date => 6,
        DataType::Bool => 7,
        DataType::Numeric { .. } => 8,
        DataType::Decimal { .. } => 9,
        DataType::UI1 => 10,
        DataType::UI2 => 11,
        DataType::UI4 => 12,
        DataType::I8 => 13,
        DataType::UI8 => 14,
        DataType::Guid => 15,
        DataType::Bytes { .. } => 16,
        DataType::Str { .. } => 17,
        DataType::WStr { .. } => 18,
        DataType::DbDate => 19,
        DataType::DbTime => 20,
        DataType::DbTime2 { .. } => 21,
        DataType::DbTimeStamp => 22,
        DataType::DbTimeStamp2 { .. } => 23,
        DataType::DbTimeStampOffset { .. } => 24,
        DataType::FileTime => 25,
        DataType::Image => 26,
        DataType::Text { .. } => 27,
        DataType::NText => 28,
    })
}

/// Code page 0 is the default one.
fn page(number: u32) -> u32 {
    if number == 0 { crate::types::code_page::DEFAULT } else { number }
}

/// Whether a cast between two types is legal. A type can always be cast to itself (with other parameters as well, except
/// that a DT_STR cannot change its code page; DT_TEXT neither), and DT_NULL to anything.
pub fn can_cast(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (DataType::Str { code_page: a, .. }, DataType::Str { code_page: b, .. })
        | (DataType::Text { code_page: a }, DataType::Text { code_page: b }) => page(*a) == page(*b),
        (DataType::Null, _) => true,
        _ => match (index(from), index(to)) {
            (Some(from), Some(to)) => LEGAL[from][to] != b'-',
            _ => false,
        },
    }
}

/// One type of each kind, in the order of the table.
#[cfg(test)]
pub(super) fn all() -> Vec<DataType> {
    ORDER
        .split_whitespace()
        .map(|name| {
            DataType::from_name(name, 50, 18, if name == "NUMERIC" || name == "DECIMAL" { 2 } else { 3 }, 1252).unwrap()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_the_table_is_the_order_of_the_index() {
        let all = all();
        assert_eq!(all.len(), LEGAL.len());
        for (i, data_type) in all.iter().enumerate() {
            assert_eq!(index(data_type), Some(i), "{data_type}");
            assert_eq!(LEGAL[i][i], b'.', "{data_type}");
            assert_eq!(LEGAL[i].iter().filter(|c| **c == b'.').count(), 1, "{data_type}");
            assert!(can_cast(&DataType::Null, data_type));
            assert!(!can_cast(data_type, &DataType::Null));
        }
    }

    #[test]
    fn notable_rules() {
        let of = |name: &str| DataType::from_name(name, 10, 10, 2, 1252).unwrap();
        for (from, to, legal) in [
            ("bool", "dbDate", false),
            ("cy", "date", false),
            ("date", "cy", false),
            ("date", "decimal", false),
            ("numeric", "date", true),
            ("numeric", "dbDate", false),
            ("decimal", "date", false),
            ("decimal", "dbDate", true),
            ("i4", "dbTimeStamp", true),
            ("dbTimeStamp", "i4", false),
            ("i8", "fileTime", true),
            ("i4", "fileTime", false),
            ("i4", "bytes", true),
            ("i2", "bytes", false),
            ("text", "wstr", false),
            ("text", "nText", true),
            ("nText", "str", false),
            ("image", "bytes", true),
            ("guid", "wstr", true),
            ("guid", "i4", false),
        ] {
            assert_eq!(can_cast(&of(from), &of(to)), legal, "{from} to {to}");
        }
        let str = |code_page| DataType::Str { len: 5, code_page };
        assert!(!can_cast(&str(1252), &str(1251)));
        assert!(can_cast(&str(1252), &DataType::WStr { len: 5 }));
    }
}
