//! SQLite's declared types as types of SSIS.

use dtsx_engine::types::{DataType, MAX_STR_BYTES, MAX_WSTR_UNITS};

/// The type that a declaration promises, in the words of SQL Server where it has them: `varchar(20)` → DT_WSTR(20).
/// None: nothing is declared, or nothing that says what the values are.
pub(super) fn declared(declaration: &str) -> Option<DataType> {
    let lower = declaration.trim().to_ascii_lowercase();
    let (name, arguments) = match lower.split_once('(') {
        Some((name, rest)) => (name.trim(), rest.split(')').next().unwrap_or("")),
        None => (lower.as_str(), ""),
    };
    let number = |at: usize| arguments.split(',').nth(at).and_then(|n| n.trim().parse::<u32>().ok());
    let text = |len: Option<u32>| match len {
        Some(len @ 1..=MAX_WSTR_UNITS) => DataType::WStr { len },
        _ => DataType::NText,
    };
    Some(match name {
        "" => return None,
        "tinyint" => DataType::UI1,
        "smallint" | "int2" => DataType::I2,
        "int" | "mediumint" | "int4" => DataType::I4,
        // A row id is 64 bits wide, and `integer` is how SQLite spells its type.
        "integer" | "bigint" | "int8" | "unsigned big int" => DataType::I8,
        "bit" | "bool" | "boolean" => DataType::Bool,
        "real" | "float" | "double" | "double precision" => DataType::R8,
        "money" | "smallmoney" => DataType::Cy,
        "decimal" | "numeric" | "number" => match number(0) {
            Some(precision @ 1..=38) => {
                let scale = number(1).unwrap_or(0).min(precision);
                DataType::Numeric { precision: precision as u8, scale: scale as u8 }
            }
            _ => DataType::R8,
        },
        "date" => DataType::DbDate,
        "time" => DataType::DbTime2 { scale: number(0).unwrap_or(7).min(7) as u8 },
        "datetime" | "smalldatetime" => DataType::DbTimeStamp,
        "datetime2" | "timestamp" => DataType::DbTimeStamp2 { scale: number(0).unwrap_or(7).min(7) as u8 },
        "datetimeoffset" => DataType::DbTimeStampOffset { scale: number(0).unwrap_or(7).min(7) as u8 },
        "uniqueidentifier" | "guid" | "uuid" => DataType::Guid,
        "char" | "varchar" | "nchar" | "nvarchar" | "character" | "varying character" | "native character"
        | "nvarchar2" | "varchar2" | "sysname" => text(number(0)),
        "text" | "ntext" | "clob" | "xml" | "tinytext" | "longtext" => DataType::NText,
        "binary" | "varbinary" => match number(0) {
            Some(len @ 1..=MAX_STR_BYTES) => DataType::Bytes { len },
            _ => DataType::Image,
        },
        "blob" | "image" => DataType::Image,
        // What is left, by the rules of SQLite's affinities.
        name if name.contains("int") => DataType::I8,
        name if name.contains("char") || name.contains("text") || name.contains("clob") => text(number(0)),
        name if name.contains("real") || name.contains("floa") || name.contains("doub") => DataType::R8,
        _ => return None,
    })
}

/// The type in which values of a declared type are delivered when nobody wishes for another: one that holds whatever
/// SQLite may keep there, as lengths and widths of declarations bind it to nothing.
pub(super) fn delivered(declared: DataType) -> DataType {
    match declared {
        t if t.is_integer() => DataType::I8,
        DataType::WStr { .. } => DataType::NText,
        DataType::Bytes { .. } => DataType::Image,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations() {
        for (text, expected) in [
            ("integer", Some(DataType::I8)),
            ("INT", Some(DataType::I4)),
            ("varchar(20)", Some(DataType::WStr { len: 20 })),
            ("nvarchar(max)", Some(DataType::NText)),
            ("numeric(19,4)", Some(DataType::Numeric { precision: 19, scale: 4 })),
            ("decimal", Some(DataType::R8)),
            ("timestamp(3)", Some(DataType::DbTimeStamp2 { scale: 3 })),
            ("datetime", Some(DataType::DbTimeStamp)),
            ("UNSIGNED INT", Some(DataType::I8)),
            ("", None),
            ("whatever", None),
        ] {
            assert_eq!(declared(text), expected, "{text}");
        }
        assert_eq!(delivered(DataType::WStr { len: 3 }), DataType::NText);
        assert_eq!(delivered(DataType::UI1), DataType::I8);
    }
}
