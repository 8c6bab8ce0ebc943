//! Raw files that SQL Server wrote, as far as a file that it wrote settles the layout.
//!
//! All numbers are little-endian:
//!
//! ```text
//! u32 version  00 10 01 00
//! u32 number of columns
//! by column:   u32 length of the name in characters, the name in UTF-16,
//!              u32 DT_* number, u32 size, and where its value, status and length stand in a buffer (u32 each, -1: no
//!              length), then five u32 that are 0 for a number: code page, precision, scale, sort key, flags
//! rows:        one byte, then the values of the columns in order, each in its size
//! ```
//!
//! The byte in front of a row is 0 where no value is NULL, and takes one bit a column by all that is known; a row with
//! a NULL has not been seen, nor text, dates or decimals. What was not seen is refused.

use super::{RawColumn, damaged};
use arrow::array::{ArrayRef, PrimitiveArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type,
    UInt16Type, UInt32Type, UInt64Type,
};
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// The first bytes of such a file.
pub(crate) const VERSION: [u8; 4] = [0x00, 0x10, 0x01, 0x00];
/// Bytes in front of the values of a row: one bit a column fits for eight columns, all that can be told.
const ROW_PREFIX: usize = 1;
const MAX_COLUMNS: usize = 8 * ROW_PREFIX;
/// The number fields of a column after its name.
const COLUMN_FIELDS: usize = 10;
const MAX_NAME: usize = 4096;

/// What the header says.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) columns: Vec<RawColumn>,
    /// Bytes of each column's values.
    widths: Vec<usize>,
    /// Bytes of the header.
    pub(crate) length: usize,
}

/// Reads the header at the beginning of `bytes`; None: there are too few bytes.
///
/// # Errors
/// Unsupported, for what the layout is not known of; DTS_E_RAWBADVERSION, DTS_E_RAWBADHEADER.
pub(crate) fn header(bytes: &[u8], name: &str) -> Result<Option<Header>> {
    let mut reader = Bytes { bytes, at: 0 };
    let bad = |why: &str| damaged(codes::DTS_E_RAWBADHEADER, name, why);
    let refused = |what: String| {
        let code = codes::DTS_E_RAWBADVERSION;
        let text = format!("The raw file \"{name}\" was written by SQL Server and {what}, which is not supported.");
        Error::new(Owner::Unsupported, code, text)
    };
    let Some(version) = reader.take(4) else { return Ok(None) };
    if version != VERSION {
        return Err(damaged(codes::DTS_E_RAWBADVERSION, name, "it begins like no raw file"));
    }
    let Some(count) = reader.number() else { return Ok(None) };
    let count = count as usize;
    if count == 0 {
        return Err(bad("it has no columns"));
    }
    if count > MAX_COLUMNS {
        return Err(refused(format!("has {count} columns, more than {MAX_COLUMNS}")));
    }
    let (mut columns, mut widths) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let Some(characters) = reader.number() else { return Ok(None) };
        if characters as usize > MAX_NAME {
            return Err(bad("a column's name is too long"));
        }
        let Some(text) = reader.take(2 * characters as usize) else { return Ok(None) };
        let units: Vec<u16> = text.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        let column = String::from_utf16(&units).map_err(|_| bad("a column's name is no text"))?;
        let mut fields = [0_u32; COLUMN_FIELDS];
        for field in &mut fields {
            let Some(number) = reader.number() else { return Ok(None) };
            *field = number;
        }
        let [code, size, _, _, length, rest @ ..] = fields;
        let data_type = i32::try_from(code).ok().and_then(|code| DataType::from_code(code, 0, 0, 0, 0));
        let Some(width) = data_type.as_ref().and_then(width) else {
            let shown = data_type.map_or_else(|| code.to_string(), |t| t.to_string());
            return Err(refused(format!("has the column \"{column}\" of type {shown}")));
        };
        if size as usize != width || length != u32::MAX || rest.iter().any(|n| *n != 0) {
            return Err(refused(format!("describes the column \"{column}\" in an unknown way")));
        }
        widths.push(width);
        let data_type = data_type.ok_or_else(|| bad("a column has no type"))?;
        columns.push(RawColumn { name: column, data_type, sort_key: 0, comparison_flags: 0 });
    }
    Ok(Some(Header { columns, widths, length: reader.at }))
}

/// Bytes of a value, for the types whose form is known: numbers as they lie in memory.
fn width(data_type: &DataType) -> Option<usize> {
    use DataType::*;
    Some(match data_type {
        I1 | UI1 => 1,
        I2 | UI2 => 2,
        I4 | UI4 | R4 => 4,
        I8 | UI8 | R8 | Cy => 8,
        _ => return None,
    })
}

impl Header {
    /// Bytes of a row.
    pub(crate) fn row_size(&self) -> usize {
        ROW_PREFIX + self.widths.iter().sum::<usize>()
    }

    /// How many rows `bytes` holds. Whoever reads columns of them asks first: one that nobody reads may be the one with
    /// the NULL.
    ///
    /// # Errors
    /// Unsupported, for a row with a NULL.
    pub(crate) fn rows(&self, bytes: &[u8], name: &str) -> Result<usize> {
        let size = self.row_size();
        if let Some(row) = bytes.chunks_exact(size).position(|row| row[0] != 0) {
            let text = format!(
                "The raw file \"{name}\" was written by SQL Server and has a row (row {} of a block) with a NULL, which \
                 is not supported.",
                row + 1
            );
            return Err(Error::new(Owner::Unsupported, codes::DTS_E_RAWREADFAILED, text));
        }
        Ok(bytes.len() / size)
    }

    /// The values of column `index` in the rows that `bytes` holds.
    ///
    /// # Errors
    /// An internal one, for a type that the header refuses.
    pub(crate) fn column(&self, bytes: &[u8], index: usize) -> Result<ArrayRef> {
        let size = self.row_size();
        let offset = ROW_PREFIX + self.widths[..index].iter().sum::<usize>();
        let rows = bytes.chunks_exact(size).map(|row| &row[offset..]);
        Ok(match self.columns[index].data_type {
            DataType::I1 => numbers::<Int8Type, 1>(rows, i8::from_le_bytes),
            DataType::UI1 => numbers::<UInt8Type, 1>(rows, u8::from_le_bytes),
            DataType::I2 => numbers::<Int16Type, 2>(rows, i16::from_le_bytes),
            DataType::UI2 => numbers::<UInt16Type, 2>(rows, u16::from_le_bytes),
            DataType::I4 => numbers::<Int32Type, 4>(rows, i32::from_le_bytes),
            DataType::UI4 => numbers::<UInt32Type, 4>(rows, u32::from_le_bytes),
            DataType::R4 => numbers::<Float32Type, 4>(rows, f32::from_le_bytes),
            DataType::I8 => numbers::<Int64Type, 8>(rows, i64::from_le_bytes),
            DataType::UI8 => numbers::<UInt64Type, 8>(rows, u64::from_le_bytes),
            DataType::R8 => numbers::<Float64Type, 8>(rows, f64::from_le_bytes),
            DataType::Cy => {
                let values = rows.map(|row| i128::from(i64::from_le_bytes(first(row))));
                let array = PrimitiveArray::<Decimal128Type>::from_iter_values(values);
                Arc::new(array.with_data_type(DataType::Cy.arrow()))
            }
            _ => return Err(Error::internal("a type that the header refuses")),
        })
    }
}

fn first<const N: usize>(row: &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(&row[..N]);
    bytes
}

fn numbers<'a, T: ArrowPrimitiveType, const N: usize>(
    rows: impl Iterator<Item = &'a [u8]>,
    read: impl Fn([u8; N]) -> T::Native,
) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(rows.map(|row| read(first(row)))))
}

struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }

    fn number(&mut self) -> Option<u32> {
        self.take(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::AsArray;

    /// A file with these columns, as the header describes them.
    fn file(columns: &[(&str, [u32; COLUMN_FIELDS])], rows: &[&[u8]]) -> Vec<u8> {
        let mut bytes = VERSION.to_vec();
        bytes.extend((columns.len() as u32).to_le_bytes());
        for (name, fields) in columns {
            bytes.extend((name.encode_utf16().count() as u32).to_le_bytes());
            bytes.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            bytes.extend(fields.iter().flat_map(|n| n.to_le_bytes()));
        }
        bytes.extend(rows.concat());
        bytes
    }

    fn number(code: u32, size: u32) -> [u32; COLUMN_FIELDS] {
        [code, size, 8, 0, u32::MAX, 0, 0, 0, 0, 0]
    }

    #[test]
    fn rows_of_numbers() {
        let row = |amount: i64, id: i32| [&[0][..], &amount.to_le_bytes(), &id.to_le_bytes()].concat();
        let bytes =
            file(&[("Amount", number(6, 8)), ("Größe", number(3, 4))], &[&row(4_400_000, 10248), &row(-1, i32::MIN)]);
        let header = header(&bytes, "f").unwrap().unwrap();
        assert_eq!(header.row_size(), 13);
        assert_eq!(header.columns[1].name, "Größe");
        let rows = &bytes[header.length..];
        let amounts = header.column(rows, 0).unwrap();
        assert_eq!(amounts.as_primitive::<Decimal128Type>().values().to_vec(), [4_400_000, -1]);
        let ids = header.column(rows, 1).unwrap();
        assert_eq!(ids.as_primitive::<Int32Type>().values().to_vec(), [10248, i32::MIN]);
    }

    #[test]
    fn what_is_not_known_is_refused_by_name() {
        let text = [130, 100, 8, 0, 4, 0, 0, 0, 0, 0];
        for (columns, part) in [
            (vec![("Name", text)], "\"Name\" of type DT_WSTR"),
            (vec![("At", number(135, 16))], "\"At\" of type DT_DBTIMESTAMP"),
            (vec![("X", number(999, 4))], "type 999"),
            (vec![("X", number(3, 8))], "in an unknown way"),
            (vec![("X", number(3, 4)); 9], "9 columns"),
        ] {
            let error = header(&file(&columns, &[]), "f.raw").unwrap_err();
            assert_eq!(error.owner(), Owner::Unsupported);
            assert!(error.message().contains(part) && error.message().contains("f.raw"), "{error}");
        }
        let bytes = file(&[("X", number(3, 4))], &[&[1, 0, 0, 0, 0]]);
        let header = header(&bytes, "f").unwrap().unwrap();
        assert!(header.rows(&bytes[header.length..], "f").unwrap_err().message().contains("NULL"));
    }

    #[test]
    fn every_type_is_read_or_refused_by_name() {
        let known = [2, 3, 4, 5, 6, 16, 17, 18, 19, 20, 21];
        for code in 0..400 {
            let named = DataType::from_code(code, 0, 0, 0, 0);
            for size in [1, 2, 4, 8, 16] {
                let read = header(&file(&[("X", number(code as u32, size))], &[]), "f.raw");
                match read {
                    Ok(read) => {
                        assert!(known.contains(&code), "{code}");
                        assert_eq!(read.unwrap().row_size() as u32, 1 + size);
                    }
                    Err(error) => {
                        assert_eq!(error.owner(), Owner::Unsupported, "{code}");
                        let said = named.filter(|_| !known.contains(&code)).map_or("\"X\"".into(), |t| t.to_string());
                        assert!(error.message().contains(&said), "{code}: {error}");
                    }
                }
            }
        }
        // More than a number says of itself: a code page, a precision, a sort key.
        for field in [4, 5, 6, 7, 8, 9] {
            let mut fields = number(3, 4);
            fields[field] = 1;
            assert!(header(&file(&[("X", fields)], &[]), "f").unwrap_err().message().contains("unknown way"));
        }
    }

    #[test]
    fn every_cut_and_every_changed_byte_is_an_error_or_an_answer() {
        let bytes = file(&[("Amount", number(6, 8)), ("Id", number(3, 4))], &[&[0; 13], &[0; 13]]);
        for cut in 0..bytes.len() {
            if let Ok(Some(header)) = header(&bytes[..cut], "f") {
                assert!(header.length <= cut);
            }
        }
        for at in 0..bytes.len() {
            for change in [1, 0x80, 0xFF] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                if let Ok(Some(header)) = header(&bytes, "f") {
                    let rows = &bytes[header.length..];
                    for column in (0..header.columns.len()).filter(|_| header.rows(rows, "f").is_ok()) {
                        assert_eq!(header.column(rows, column).unwrap().len(), rows.len() / header.row_size());
                    }
                }
            }
        }
    }
}
