//! `DT_*` types: identity, parameters, spelling in packages, physical Arrow type.

use arrow::datatypes::{DataType as ArrowType, Field, TimeUnit};
use std::fmt;

/// The longest DT_STR and DT_BYTES column, in bytes.
pub const MAX_STR_BYTES: u32 = 8000;
/// The longest DT_WSTR column, in UTF-16 code units.
pub const MAX_WSTR_UNITS: u32 = 4000;

/// A data-flow data type with its parameters.
///
/// Physical form in a batch ([`DataType::arrow`]):
///
/// | types | Arrow | unit |
/// |---|---|---|
/// | `I1`…`UI8`, `R4`, `R8`, `Bool` | the Arrow type of that width | |
/// | `Cy`, `Decimal`, `Numeric` | Decimal128 (19,4), (29,s), (p,s) | |
/// | `Date`, `DbTimeStamp` | Timestamp(µs), no zone | a DbTimeStamp keeps milliseconds only |
/// | `DbTimeStamp2`, `FileTime` | Int64 | ticks of 100 ns since 1970-01-01, as ns do not reach 0001..9999 |
/// | `DbTimeStampOffset` | Struct{ticks: Int64 (UTC), offset: Int16 (minutes)} | |
/// | `DbDate` / `DbTime` / `DbTime2` | Date32 / Time32(s) / Time64(ns) | |
/// | `Guid` | FixedSizeBinary(16) | bytes in the order of the text form |
/// | `Str`, `WStr`, `Text`, `NText` | Utf8View | text is transcoded at borders only |
/// | `Bytes`, `Image` | BinaryView | |
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(missing_docs, reason = "the variants are the DT_ names of SSIS")]
pub enum DataType {
    Null,
    I1,
    I2,
    I4,
    I8,
    UI1,
    UI2,
    UI4,
    UI8,
    R4,
    R8,
    Cy,
    Decimal {
        scale: u8,
    },
    Numeric {
        precision: u8,
        scale: u8,
    },
    Bool,
    Date,
    DbDate,
    DbTime,
    DbTime2 {
        scale: u8,
    },
    DbTimeStamp,
    DbTimeStamp2 {
        scale: u8,
    },
    DbTimeStampOffset {
        scale: u8,
    },
    FileTime,
    Guid,
    /// `len` in bytes.
    Bytes {
        len: u32,
    },
    /// `len` in bytes of `code_page`.
    Str {
        len: u32,
        code_page: u32,
    },
    /// `len` in UTF-16 code units.
    WStr {
        len: u32,
    },
    Image,
    Text {
        code_page: u32,
    },
    NText,
}

impl DataType {
    /// Builds a type from the number that connection managers store (`DTS:DataType="129"`) and its attributes.
    pub fn from_code(code: i32, length: u32, precision: u8, scale: u8, code_page: u32) -> Option<DataType> {
        Some(match code {
            0 | 1 => DataType::Null,
            2 => DataType::I2,
            3 => DataType::I4,
            4 => DataType::R4,
            5 => DataType::R8,
            6 => DataType::Cy,
            7 => DataType::Date,
            11 => DataType::Bool,
            14 => DataType::Decimal { scale },
            16 => DataType::I1,
            17 => DataType::UI1,
            18 => DataType::UI2,
            19 => DataType::UI4,
            20 => DataType::I8,
            21 => DataType::UI8,
            64 => DataType::FileTime,
            72 => DataType::Guid,
            128 => DataType::Bytes { len: length },
            129 => DataType::Str { len: length, code_page },
            130 => DataType::WStr { len: length },
            131 => DataType::Numeric { precision, scale },
            133 => DataType::DbDate,
            134 => DataType::DbTime,
            135 => DataType::DbTimeStamp,
            145 => DataType::DbTime2 { scale },
            146 => DataType::DbTimeStampOffset { scale },
            301 => DataType::Image,
            302 => DataType::NText,
            303 => DataType::Text { code_page },
            304 => DataType::DbTimeStamp2 { scale },
            _ => return None,
        })
    }

    /// Builds a type from its name, in the spelling of pipeline XML (`wstr`, `dbTimeStamp`), of `ReferenceMetadataXml`
    /// or of the expression language (`DT_WSTR`); letter case does not matter.
    pub fn from_name(name: &str, length: u32, precision: u8, scale: u8, code_page: u32) -> Option<DataType> {
        let lower = name.to_ascii_lowercase();
        let code = match lower.strip_prefix("dt_").unwrap_or(&lower) {
            "empty" => 0,
            "null" => 1,
            "i1" => 16,
            "i2" => 2,
            "i4" => 3,
            "i8" => 20,
            "ui1" => 17,
            "ui2" => 18,
            "ui4" => 19,
            "ui8" => 21,
            "r4" => 4,
            "r8" => 5,
            "cy" => 6,
            "decimal" => 14,
            "numeric" => 131,
            "bool" => 11,
            "date" => 7,
            "dbdate" => 133,
            "dbtime" => 134,
            "dbtime2" => 145,
            "dbtimestamp" => 135,
            "dbtimestamp2" => 304,
            "dbtimestampoffset" => 146,
            "filetime" | "datetime" => 64,
            "guid" => 72,
            "bytes" => 128,
            "str" => 129,
            "wstr" => 130,
            "image" => 301,
            "ntext" => 302,
            "text" => 303,
            _ => return None,
        };
        DataType::from_code(code, length, precision, scale, code_page)
    }

    /// The number of the SSIS `DataType` enumeration.
    pub fn code(&self) -> i32 {
        match self {
            DataType::Null => 1,
            DataType::I2 => 2,
            DataType::I4 => 3,
            DataType::R4 => 4,
            DataType::R8 => 5,
            DataType::Cy => 6,
            DataType::Date => 7,
            DataType::Bool => 11,
            DataType::Decimal { .. } => 14,
            DataType::I1 => 16,
            DataType::UI1 => 17,
            DataType::UI2 => 18,
            DataType::UI4 => 19,
            DataType::I8 => 20,
            DataType::UI8 => 21,
            DataType::FileTime => 64,
            DataType::Guid => 72,
            DataType::Bytes { .. } => 128,
            DataType::Str { .. } => 129,
            DataType::WStr { .. } => 130,
            DataType::Numeric { .. } => 131,
            DataType::DbDate => 133,
            DataType::DbTime => 134,
            DataType::DbTimeStamp => 135,
            DataType::DbTime2 { .. } => 145,
            DataType::DbTimeStampOffset { .. } => 146,
            DataType::Image => 301,
            DataType::NText => 302,
            DataType::Text { .. } => 303,
            DataType::DbTimeStamp2 { .. } => 304,
        }
    }

    /// The `DT_` name, as in the expression language and in messages.
    pub fn name(&self) -> &'static str {
        match self {
            DataType::Null => "DT_NULL",
            DataType::I1 => "DT_I1",
            DataType::I2 => "DT_I2",
            DataType::I4 => "DT_I4",
            DataType::I8 => "DT_I8",
            DataType::UI1 => "DT_UI1",
            DataType::UI2 => "DT_UI2",
            DataType::UI4 => "DT_UI4",
            DataType::UI8 => "DT_UI8",
            DataType::R4 => "DT_R4",
            DataType::R8 => "DT_R8",
            DataType::Cy => "DT_CY",
            DataType::Decimal { .. } => "DT_DECIMAL",
            DataType::Numeric { .. } => "DT_NUMERIC",
            DataType::Bool => "DT_BOOL",
            DataType::Date => "DT_DATE",
            DataType::DbDate => "DT_DBDATE",
            DataType::DbTime => "DT_DBTIME",
            DataType::DbTime2 { .. } => "DT_DBTIME2",
            DataType::DbTimeStamp => "DT_DBTIMESTAMP",
            DataType::DbTimeStamp2 { .. } => "DT_DBTIMESTAMP2",
            DataType::DbTimeStampOffset { .. } => "DT_DBTIMESTAMPOFFSET",
            DataType::FileTime => "DT_FILETIME",
            DataType::Guid => "DT_GUID",
            DataType::Bytes { .. } => "DT_BYTES",
            DataType::Str { .. } => "DT_STR",
            DataType::WStr { .. } => "DT_WSTR",
            DataType::Image => "DT_IMAGE",
            DataType::Text { .. } => "DT_TEXT",
            DataType::NText => "DT_NTEXT",
        }
    }

    /// The physical Arrow type of a column of this type.
    pub fn arrow(&self) -> ArrowType {
        match self {
            DataType::Null => ArrowType::Null,
            DataType::I1 => ArrowType::Int8,
            DataType::I2 => ArrowType::Int16,
            DataType::I4 => ArrowType::Int32,
            DataType::I8 => ArrowType::Int64,
            DataType::UI1 => ArrowType::UInt8,
            DataType::UI2 => ArrowType::UInt16,
            DataType::UI4 => ArrowType::UInt32,
            DataType::UI8 => ArrowType::UInt64,
            DataType::R4 => ArrowType::Float32,
            DataType::R8 => ArrowType::Float64,
            DataType::Cy => ArrowType::Decimal128(19, 4),
            DataType::Decimal { scale } => ArrowType::Decimal128(29, *scale as i8),
            DataType::Numeric { precision, scale } => ArrowType::Decimal128(*precision, *scale as i8),
            DataType::Bool => ArrowType::Boolean,
            DataType::Date | DataType::DbTimeStamp => ArrowType::Timestamp(TimeUnit::Microsecond, None),
            DataType::DbDate => ArrowType::Date32,
            DataType::DbTime => ArrowType::Time32(TimeUnit::Second),
            DataType::DbTime2 { .. } => ArrowType::Time64(TimeUnit::Nanosecond),
            DataType::DbTimeStamp2 { .. } | DataType::FileTime => ArrowType::Int64,
            DataType::DbTimeStampOffset { .. } => ArrowType::Struct(
                vec![Field::new("ticks", ArrowType::Int64, false), Field::new("offset", ArrowType::Int16, false)]
                    .into(),
            ),
            DataType::Guid => ArrowType::FixedSizeBinary(16),
            DataType::Str { .. } | DataType::WStr { .. } | DataType::Text { .. } | DataType::NText => {
                ArrowType::Utf8View
            }
            DataType::Bytes { .. } | DataType::Image => ArrowType::BinaryView,
        }
    }

    /// DT_STR, DT_WSTR.
    pub fn is_string(&self) -> bool {
        matches!(self, DataType::Str { .. } | DataType::WStr { .. })
    }

    /// DT_TEXT, DT_NTEXT, DT_IMAGE.
    pub fn is_blob(&self) -> bool {
        matches!(self, DataType::Text { .. } | DataType::NText | DataType::Image)
    }

    /// Signed and unsigned integers.
    pub fn is_integer(&self) -> bool {
        use DataType::*;
        matches!(self, I1 | I2 | I4 | I8 | UI1 | UI2 | UI4 | UI8)
    }

    /// Integers, floats, currency, decimal, numeric.
    pub fn is_numeric(&self) -> bool {
        use DataType::*;
        self.is_integer() || matches!(self, R4 | R8 | Cy | Decimal { .. } | Numeric { .. })
    }

    /// Every type with a date, a time or both.
    pub fn is_date_time(&self) -> bool {
        use DataType::*;
        matches!(
            self,
            Date | DbDate
                | DbTime
                | DbTime2 { .. }
                | DbTimeStamp
                | DbTimeStamp2 { .. }
                | DbTimeStampOffset { .. }
                | FileTime
        )
    }

    /// The `length` attribute of a column of this type (0 where the type has none).
    pub fn length(&self) -> u32 {
        match self {
            DataType::Bytes { len } | DataType::Str { len, .. } | DataType::WStr { len } => *len,
            _ => 0,
        }
    }

    /// The `precision` attribute (0 where the type has none; DT_DECIMAL stores none).
    pub fn precision(&self) -> u8 {
        match self {
            DataType::Numeric { precision, .. } => *precision,
            _ => 0,
        }
    }

    /// The `scale` attribute (0 where the type has none).
    pub fn scale(&self) -> u8 {
        match self {
            DataType::Decimal { scale }
            | DataType::Numeric { scale, .. }
            | DataType::DbTime2 { scale }
            | DataType::DbTimeStamp2 { scale }
            | DataType::DbTimeStampOffset { scale } => *scale,
            _ => 0,
        }
    }

    /// The `codePage` attribute (0 where the type has none).
    pub fn code_page(&self) -> u32 {
        match self {
            DataType::Str { code_page, .. } | DataType::Text { code_page } => *code_page,
            _ => 0,
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            DataType::Bytes { len } | DataType::WStr { len } => write!(f, "({len})"),
            DataType::Str { len, code_page } => write!(f, "({len},{code_page})"),
            DataType::Text { code_page } => write!(f, "({code_page})"),
            DataType::Decimal { scale }
            | DataType::DbTime2 { scale }
            | DataType::DbTimeStamp2 { scale }
            | DataType::DbTimeStampOffset { scale } => write!(f, "({scale})"),
            DataType::Numeric { precision, scale } => write!(f, "({precision},{scale})"),
            _ => Ok(()),
        }
    }
}

/// The Arrow field of a column: physical type, nullable, with the `DT_*` identity in the metadata
/// (`dtsx.type`, and `dtsx.length`, `dtsx.codePage`, `dtsx.precision`, `dtsx.scale` where the type has them).
pub fn field_for(name: &str, data_type: &DataType) -> Field {
    let mut metadata = std::collections::HashMap::from([("dtsx.type".to_owned(), data_type.name().to_owned())]);
    let numbers = [
        ("dtsx.length", data_type.length()),
        ("dtsx.codePage", data_type.code_page()),
        ("dtsx.precision", data_type.precision() as u32),
        ("dtsx.scale", data_type.scale() as u32),
    ];
    for (key, number) in numbers.into_iter().filter(|(_, n)| *n != 0) {
        metadata.insert(key.to_owned(), number.to_string());
    }
    Field::new(name, data_type.arrow(), true).with_metadata(metadata)
}
