//! The types of SQL Server as types of SSIS.

use crate::db::reading::Brought;
use crate::db::session::ColumnInfo;
use dtsx_engine::types::code_page::CodePage;
use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS};
use mssql_tds::datatypes::sql_string::{EncodingType, ResolvedEncoding};
use mssql_tds::datatypes::sqldatatypes::TdsDataType as Kind;
use mssql_tds::query::metadata::ColumnMetadata;
use mssql_tds::token::tokens::SqlCollation;

/// How the text of a column is written on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Coding {
    /// UTF-16, little end first.
    Wide,
    /// The same, with a mark before it that is no part of the text: xml.
    Marked,
    Narrow(CodePage),
}

/// One column of a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub(super) data_type: DataType,
    /// Of a column of text.
    pub(super) coding: Coding,
}

/// What the server says of the type of a column, with its rows or instead of them.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Described {
    pub(super) kind: Kind,
    /// In bytes; [`MAX`] for the types without one.
    pub(super) length: usize,
    pub(super) precision: u8,
    /// None: not said.
    pub(super) scale: Option<u8>,
    /// Of text that is not UTF-16.
    pub(super) page: Option<CodePage>,
    /// Its values are the server's own.
    pub(super) rowversion: bool,
}

/// Digits of a second where the server does not say.
const DIGITS: u8 = 7;
/// The length that stands for (max).
pub(super) const MAX: usize = 0xffff;
/// The user type of rowversion.
const ROWVERSION: u32 = 80;

/// The code page of narrow text. Of the collations of Windows, what the protocol's crate lets be asked knows the usual
/// locales only, and takes all others for Western European: their text would be read and loaded wrong.
pub(super) fn code_page(collation: SqlCollation) -> CodePage {
    page_of(match collation.sort_id {
        _ if collation.utf8() => 65_001,
        0 => page_of_locale(collation.info),
        _ => page_of_sort(collation),
    })
}

/// Of a SQL collation (SQL_*), whose number says it.
fn page_of_sort(collation: SqlCollation) -> u32 {
    match EncodingType::LcidBased(collation).resolved_encoding().map_or("", ResolvedEncoding::name) {
        "IBM437" => 437,
        "IBM850" => 850,
        "Shift_JIS" => 932,
        "GBK" => 936,
        "EUC-KR" => 949,
        "Big5" => 950,
        name => name.strip_prefix("windows-").and_then(|n| n.parse().ok()).unwrap_or(0),
    }
}

/// The ANSI code page of a Windows locale. The bits above its language tell how it sorts (by strokes, as a phone book),
/// and the flags of the collation: they are of no matter to the bytes.
fn page_of_locale(info: u32) -> u32 {
    match info & 0xFFFF {
        // Thai.
        0x041E => 874,
        // Japanese.
        0x0411 => 932,
        // Chinese of the mainland and Singapore.
        0x0804 | 0x1004 => 936,
        // Korean.
        0x0412 => 949,
        // Chinese of Taiwan, Hong Kong and Macao.
        0x0404 | 0x0C04 | 0x1404 => 950,
        // Czech, Hungarian, Polish, Romanian, Slovak, Albanian, Slovenian, Turkmen.
        0x0405 | 0x040E | 0x0415 | 0x0418 | 0x041B | 0x041C | 0x0424 | 0x0442 => 1250,
        // Croatian, Serbian and Bosnian in Latin letters.
        0x041A | 0x081A | 0x101A | 0x141A | 0x181A | 0x241A | 0x2C1A => 1250,
        // Bulgarian, Russian, Ukrainian, Belarusian, Tajik, Macedonian.
        0x0402 | 0x0419 | 0x0422 | 0x0423 | 0x0428 | 0x042F => 1251,
        // Kazakh, Kyrgyz, Tatar, Mongolian, Bashkir, Yakut; Azeri and Uzbek in Cyrillic letters.
        0x043F | 0x0440 | 0x0444 | 0x0450 | 0x046D | 0x0485 | 0x082C | 0x0843 => 1251,
        // Serbian and Bosnian in Cyrillic letters.
        0x0C1A | 0x1C1A | 0x201A | 0x281A | 0x301A => 1251,
        // Greek.
        0x0408 => 1253,
        // Turkish; Azeri and Uzbek in Latin letters.
        0x041F | 0x042C | 0x0443 => 1254,
        // Hebrew.
        0x040D => 1255,
        // Arabic, of every country.
        0x0401 | 0x0801 | 0x0C01 | 0x1001 | 0x1401 | 0x1801 | 0x1C01 | 0x2001 => 1256,
        0x2401 | 0x2801 | 0x2C01 | 0x3001 | 0x3401 | 0x3801 | 0x3C01 | 0x4001 => 1256,
        // Urdu, Persian, Uighur, Dari.
        0x0420 | 0x0429 | 0x0480 | 0x048C => 1256,
        // Estonian, Latvian, Lithuanian and the classic sort of it.
        0x0425 | 0x0426 | 0x0427 | 0x0827 => 1257,
        // Vietnamese.
        0x042A => 1258,
        _ => 1252,
    }
}

/// The code page of a number; the default one for what this build has not.
pub(super) fn page_of(number: u32) -> CodePage {
    let default = || unreachable!("the default code page is there");
    CodePage::of(number).or_else(|| CodePage::of(0)).unwrap_or_else(default)
}

impl Described {
    pub(super) fn of(metadata: &ColumnMetadata) -> Described {
        let length = metadata.type_info.length;
        Described {
            kind: metadata.data_type,
            length: if metadata.is_plp() { MAX } else { length },
            precision: metadata.get_precision().unwrap_or(38),
            scale: metadata.get_scale(),
            page: metadata.get_collation().map(code_page),
            rowversion: metadata.user_type == ROWVERSION && length == 8,
        }
    }

    /// The column, as the reference maps it.
    pub(super) fn column(&self) -> Column {
        use DataType as T;
        let long = self.length >= MAX;
        let digits = self.scale.map_or(DIGITS, |s| s.min(DIGITS));
        let of = |data_type| Column { data_type, coding: Coding::Wide };
        match self.kind {
            Kind::Bit | Kind::BitN => of(T::Bool),
            Kind::Int1 => of(T::UI1),
            Kind::Int2 => of(T::I2),
            Kind::Int4 => of(T::I4),
            Kind::Int8 => of(T::I8),
            Kind::IntN => of(match self.length {
                1 => T::UI1,
                2 => T::I2,
                4 => T::I4,
                _ => T::I8,
            }),
            Kind::Flt4 => of(T::R4),
            Kind::Flt8 => of(T::R8),
            Kind::FltN => of(if self.length == 4 { T::R4 } else { T::R8 }),
            Kind::Decimal | Kind::Numeric | Kind::DecimalN | Kind::NumericN => {
                let precision = self.precision.clamp(1, 38);
                of(T::Numeric { precision, scale: self.scale.unwrap_or(0).min(precision) })
            }
            Kind::Money | Kind::Money4 | Kind::MoneyN => of(T::Cy),
            Kind::DateN => of(T::DbDate),
            Kind::TimeN => of(T::DbTime2 { scale: digits }),
            Kind::DateTime | Kind::DateTim4 | Kind::DateTimeN => of(T::DbTimeStamp),
            Kind::DateTime2N => of(T::DbTimeStamp2 { scale: digits }),
            Kind::DateTimeOffsetN => of(T::DbTimeStampOffset { scale: digits }),
            Kind::Guid => of(T::Guid),
            Kind::BigChar | Kind::BigVarChar | Kind::Char | Kind::VarChar | Kind::Text => {
                let page = self.page.unwrap_or_else(|| page_of(0));
                let data_type = match u32::try_from(self.length) {
                    Ok(len @ 1..=MAX_STR_BYTES) if self.kind != Kind::Text => T::Str { len, code_page: page.number() },
                    _ => T::Text { code_page: page.number() },
                };
                Column { data_type, coding: Coding::Narrow(page) }
            }
            Kind::NChar | Kind::NVarChar => match u32::try_from(self.length / 2) {
                Ok(len @ 1..=MAX_WSTR_UNITS) if !long => of(T::WStr { len }),
                _ => of(T::NText),
            },
            // Every value has a type of its own, and comes as text.
            Kind::SsVariant => of(T::WStr { len: MAX_WSTR_UNITS }),
            Kind::NText => of(T::NText),
            Kind::Xml => Column { data_type: T::NText, coding: Coding::Marked },
            Kind::Json | Kind::Vector => Column { data_type: T::NText, coding: Coding::Narrow(page_of(65_001)) },
            Kind::BigBinary | Kind::BigVarBinary | Kind::Binary | Kind::VarBinary => match u32::try_from(self.length) {
                Ok(len @ 1..=MAX_STR_BYTES) => of(T::Bytes { len }),
                _ => of(T::Image),
            },
            // Types of the CLR among them (geography, hierarchyid): their own bytes.
            Kind::Image | Kind::Udt => of(T::Image),
            Kind::Void | Kind::SqlTable | Kind::None => of(T::NText),
        }
    }

    /// What the server calls the type.
    pub(super) fn native(&self) -> String {
        let short = self.length == 4;
        let name = match self.kind {
            Kind::IntN => match self.length {
                1 => "tinyint",
                2 => "smallint",
                4 => "int",
                _ => "bigint",
            },
            Kind::BitN => "bit",
            Kind::FltN if short => "real",
            Kind::FltN => "float",
            Kind::MoneyN if short => "smallmoney",
            Kind::MoneyN => "money",
            Kind::DateTimeN if short => "smalldatetime",
            Kind::DateTimeN => "datetime",
            Kind::BigBinary if self.rowversion => return "rowversion".to_owned(),
            kind => kind.get_meta_type_name().unwrap_or(""),
        };
        match self.kind {
            Kind::BigChar | Kind::BigVarChar | Kind::BigBinary | Kind::BigVarBinary | Kind::NVarChar
                if self.length >= MAX =>
            {
                format!("{name}(max)")
            }
            Kind::NChar | Kind::NVarChar => format!("{name}({})", self.length / 2),
            Kind::BigChar | Kind::BigVarChar | Kind::BigBinary | Kind::BigVarBinary => {
                format!("{name}({})", self.length)
            }
            Kind::DecimalN | Kind::NumericN => format!("{name}({},{})", self.precision, self.scale.unwrap_or(0)),
            Kind::TimeN | Kind::DateTime2N | Kind::DateTimeOffsetN => {
                format!("{name}({})", self.scale.unwrap_or(DIGITS))
            }
            _ => name.to_owned(),
        }
    }
}

/// A column of a result.
pub(super) fn column(metadata: &ColumnMetadata) -> Column {
    Described::of(metadata).column()
}

/// What is known of a column of a result.
pub(super) fn info(metadata: &ColumnMetadata, column: &Column) -> ColumnInfo {
    let described = Described::of(metadata);
    ColumnInfo {
        nullable: Some(metadata.is_nullable()),
        generated: metadata.is_identity() || metadata.is_computed() || described.rowversion,
        native: described.native(),
        ..ColumnInfo::new(metadata.column_name.as_str(), column.data_type)
    }
}

impl Brought for Column {
    fn data_type(&self) -> DataType {
        self.data_type
    }

    fn wished(self, wished: DataType) -> Column {
        use DataType as T;
        let fits = match (self.data_type, wished) {
            (T::Str { .. } | T::WStr { .. } | T::Text { .. }, T::NText) => true,
            // A byte is a unit of UTF-16 at most.
            (T::Str { len, .. } | T::WStr { len }, T::WStr { len: room }) => len <= room,
            (T::Str { len, code_page }, T::Str { len: room, code_page: other }) => code_page == other && len <= room,
            (T::Str { code_page, .. }, T::Text { code_page: other }) => code_page == other,
            (T::Bytes { .. }, T::Image) => true,
            (T::Bytes { len }, T::Bytes { len: room }) => len <= room,
            (T::Numeric { precision, scale }, T::Numeric { precision: room, scale: other }) => {
                scale == other && precision <= room
            }
            (T::Cy, T::Numeric { precision, scale: 4 }) => precision >= 19,
            (T::DbTimeStamp, T::Date | T::DbTimeStamp2 { scale: 3..=7 }) => true,
            (T::DbTimeStamp2 { scale: 0..=3 }, T::DbTimeStamp | T::Date) => true,
            (T::DbTimeStamp2 { scale }, T::DbTimeStamp2 { scale: room }) => scale <= room,
            (T::DbTime2 { scale }, T::DbTime2 { scale: room }) => scale <= room,
            (T::DbTime2 { scale: 0 }, T::DbTime) => true,
            _ => false,
        };
        if fits { Column { data_type: wished, ..self } } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(kind: Kind, length: usize) -> Described {
        Described { kind, length, precision: 38, scale: None, page: None, rowversion: false }
    }

    #[test]
    fn types_as_the_reference_maps_them() {
        use DataType as T;
        let scaled =
            |kind, length, precision, scale| Described { precision, scale: Some(scale), ..described(kind, length) };
        let narrow = |kind, length, page| Described { page: CodePage::of(page), ..described(kind, length) };
        for (found, expected, native) in [
            (described(Kind::Bit, 1), T::Bool, "bit"),
            (described(Kind::BitN, 1), T::Bool, "bit"),
            (described(Kind::IntN, 1), T::UI1, "tinyint"),
            (described(Kind::Int2, 2), T::I2, "smallint"),
            (described(Kind::IntN, 4), T::I4, "int"),
            (described(Kind::IntN, 8), T::I8, "bigint"),
            (described(Kind::FltN, 4), T::R4, "real"),
            (described(Kind::FltN, 8), T::R8, "float"),
            (scaled(Kind::DecimalN, 17, 38, 10), T::Numeric { precision: 38, scale: 10 }, "decimal(38,10)"),
            (scaled(Kind::NumericN, 5, 9, 0), T::Numeric { precision: 9, scale: 0 }, "numeric(9,0)"),
            (described(Kind::MoneyN, 8), T::Cy, "money"),
            (described(Kind::MoneyN, 4), T::Cy, "smallmoney"),
            (described(Kind::DateN, 3), T::DbDate, "date"),
            (scaled(Kind::TimeN, 5, 0, 7), T::DbTime2 { scale: 7 }, "time(7)"),
            (scaled(Kind::TimeN, 3, 0, 0), T::DbTime2 { scale: 0 }, "time(0)"),
            (described(Kind::DateTimeN, 8), T::DbTimeStamp, "datetime"),
            (described(Kind::DateTimeN, 4), T::DbTimeStamp, "smalldatetime"),
            (scaled(Kind::DateTime2N, 8, 0, 3), T::DbTimeStamp2 { scale: 3 }, "datetime2(3)"),
            (scaled(Kind::DateTimeOffsetN, 10, 0, 7), T::DbTimeStampOffset { scale: 7 }, "datetimeoffset(7)"),
            (described(Kind::Guid, 16), T::Guid, "uniqueidentifier"),
            (narrow(Kind::BigVarChar, 50, 1252), T::Str { len: 50, code_page: 1252 }, "varchar(50)"),
            (narrow(Kind::BigChar, 8000, 1251), T::Str { len: 8000, code_page: 1251 }, "char(8000)"),
            (narrow(Kind::BigVarChar, MAX, 65_001), T::Text { code_page: 65_001 }, "varchar(max)"),
            (narrow(Kind::Text, 2_147_483_647, 1252), T::Text { code_page: 1252 }, "text"),
            (described(Kind::NVarChar, 100), T::WStr { len: 50 }, "nvarchar(50)"),
            (described(Kind::NChar, 8000), T::WStr { len: 4000 }, "nchar(4000)"),
            (described(Kind::NVarChar, MAX), T::NText, "nvarchar(max)"),
            (described(Kind::NText, 2_147_483_646), T::NText, "ntext"),
            (described(Kind::Xml, MAX), T::NText, "xml"),
            (described(Kind::SsVariant, 8009), T::WStr { len: 4000 }, "sql_variant"),
            (described(Kind::BigVarBinary, 16), T::Bytes { len: 16 }, "varbinary(16)"),
            (described(Kind::BigBinary, 8000), T::Bytes { len: 8000 }, "binary(8000)"),
            (Described { rowversion: true, ..described(Kind::BigBinary, 8) }, T::Bytes { len: 8 }, "rowversion"),
            (described(Kind::BigVarBinary, MAX), T::Image, "varbinary(max)"),
            (described(Kind::Image, 2_147_483_647), T::Image, "image"),
            (described(Kind::Udt, MAX), T::Image, "udt"),
        ] {
            assert_eq!((found.column().data_type, found.native().as_str()), (expected, native), "{found:?}");
        }
    }

    fn collation(info: u32, sort_id: u8) -> SqlCollation {
        let col_flags = (info >> 20) as u8;
        SqlCollation { info, lcid_language_id: (info & 0xF_FFFF) as i32, col_flags, sort_id }
    }

    #[test]
    fn code_pages_of_windows_collations() {
        for (locales, number) in [
            (&[0x0409, 0x0407, 0x1_0407, 0x1_0437, 0x0439, 0x0452, 0, 0xFFFF][..], 1252),
            (&[0x041E], 874),
            (&[0x0411, 0x1_0411, 0x4_0411], 932),
            (&[0x0804, 0x2_0804], 936),
            (&[0x0412, 0x1_0412], 949),
            (&[0x0404, 0x3_0404, 0x0C04, 0x1404, 0x2_1404], 950),
            (&[0x0415, 0x040E, 0x1_040E, 0x081A, 0x141A, 0x0442], 1250),
            (&[0x0419, 0x046D, 0x0485, 0x082C, 0x0C1A, 0x201A], 1251),
            (&[0x0408], 1253),
            (&[0x041F, 0x042C, 0x0443], 1254),
            (&[0x040D], 1255),
            (&[0x0401, 0x0420, 0x0429, 0x0480, 0x048C], 1256),
            (&[0x0425, 0x0426, 0x0427, 0x0827], 1257),
            (&[0x042A], 1258),
        ] {
            for locale in locales {
                // With the flags of CI_AS, and a version.
                for info in [*locale, *locale | 0x20D0_0000] {
                    assert_eq!(code_page(collation(info, 0)).number(), number, "{info:#x}");
                }
            }
        }
        assert_eq!(page_of(7).number(), 1252);
    }

    #[test]
    fn code_pages_of_other_collations() {
        // The number of a SQL collation counts, not its locale.
        for (sort_id, number) in
            [(30, 437), (40, 850), (52, 1252), (80, 1250), (106, 1251), (192, 932), (194, 949), (196, 950), (198, 936)]
        {
            assert_eq!(code_page(collation(0x00D0_0409, sort_id)).number(), number, "{sort_id}");
        }
        for info in [0x0400_0409, 0x04D0_0411] {
            assert_eq!(code_page(collation(info, 0)).number(), 65_001, "{info:#x}");
        }
    }

    #[test]
    fn wishes_that_lose_nothing_are_granted() {
        use DataType as T;
        let (latin, cyrillic) = (1252, 1251);
        for (from, to, granted) in [
            (T::WStr { len: 5 }, T::WStr { len: 5 }, true),
            (T::WStr { len: 5 }, T::WStr { len: 4 }, false),
            (T::WStr { len: 5 }, T::NText, true),
            (T::Str { len: 5, code_page: latin }, T::Str { len: 9, code_page: latin }, true),
            (T::Str { len: 5, code_page: latin }, T::Str { len: 9, code_page: cyrillic }, false),
            (T::Str { len: 5, code_page: latin }, T::WStr { len: 5 }, true),
            (T::NText, T::WStr { len: 4000 }, false),
            (T::Numeric { precision: 9, scale: 2 }, T::Numeric { precision: 18, scale: 2 }, true),
            (T::Numeric { precision: 9, scale: 2 }, T::Numeric { precision: 18, scale: 3 }, false),
            (T::Cy, T::Numeric { precision: 19, scale: 4 }, true),
            (T::DbTimeStamp, T::DbTimeStamp2 { scale: 7 }, true),
            (T::DbTimeStamp2 { scale: 7 }, T::DbTimeStamp, false),
            (T::DbTimeStamp2 { scale: 3 }, T::DbTimeStamp, true),
            (T::DbTime2 { scale: 0 }, T::DbTime, true),
            (T::DbTime2 { scale: 7 }, T::DbTime, false),
            (T::Bytes { len: 4 }, T::Image, true),
            (T::I4, T::I8, false),
        ] {
            let found = Column { data_type: from, coding: Coding::Wide }.wished(to);
            assert_eq!(found.data_type, if granted { to } else { from }, "{from} {to}");
        }
    }
}
