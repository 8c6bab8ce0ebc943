//! DT_BYTES and DT_IMAGE.
//!
//! Numbers and GUIDs are taken as they lie in memory (little-endian). Between binary columns and short text OLE DB writes
//! and reads hexadecimal digits, between streams (DT_IMAGE, DT_TEXT, DT_NTEXT) the bytes are the text; both unconfirmed.

use super::text::{TextLimit, build};
use super::{Cx, wrong_array};
use crate::diag::Result;
use crate::types::DataType;
use crate::types::code_page::CodePage;
use crate::types::format;
use crate::types::parse::{ParseError, hex};
use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, BinaryViewBuilder, FixedSizeBinaryArray, PrimitiveArray,
    StringViewBuilder,
};
use arrow::datatypes::*;
use std::sync::Arc;

/// UTF-16 little-endian, the bytes of a DT_NTEXT.
const UTF16: u32 = 1200;

pub(super) fn cast(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let wrong = || wrong_array(array, from);
    if let Some(bytes) = array.as_binary_view_opt() {
        return match to {
            DataType::Bytes { .. } | DataType::Image => shorten(cx, array, bytes, to),
            DataType::Str { .. } | DataType::WStr { .. } => {
                build(cx, array, to, false, |i, out| format::hex(bytes.value(i), out))
            }
            DataType::Text { .. } | DataType::NText => decode(bytes, to),
            DataType::Guid => guids(cx, bytes),
            DataType::R4 => number::<Float32Type, 4>(cx, bytes, to, f32::from_le_bytes),
            DataType::UI4 => number::<UInt32Type, 4>(cx, bytes, to, u32::from_le_bytes),
            DataType::I8 => number::<Int64Type, 8>(cx, bytes, to, i64::from_le_bytes),
            DataType::UI8 => number::<UInt64Type, 8>(cx, bytes, to, u64::from_le_bytes),
            _ => Err(wrong()),
        };
    }
    match (from, to) {
        (DataType::Str { .. } | DataType::WStr { .. }, DataType::Bytes { .. }) => {
            let texts = array.as_string_view_opt().ok_or_else(wrong)?;
            collect(cx, array, to, |i, out| unhex(texts.value(i), out))
        }
        (DataType::Str { code_page, .. } | DataType::Text { code_page }, _) => {
            let texts = array.as_string_view_opt().ok_or_else(wrong)?;
            let page = CodePage::require(*code_page)?;
            collect(cx, array, to, |i, out| {
                page.encode(texts.value(i), out);
                Ok(())
            })
        }
        (DataType::WStr { .. } | DataType::NText, _) => {
            let texts = array.as_string_view_opt().ok_or_else(wrong)?;
            let page = CodePage::require(UTF16)?;
            collect(cx, array, to, |i, out| {
                page.encode(texts.value(i), out);
                Ok(())
            })
        }
        (DataType::Guid, _) => {
            let guids = array.as_fixed_size_binary_opt().ok_or_else(wrong)?;
            collect(cx, array, to, |i, out| {
                let guid: [u8; 16] = guids.value(i).try_into().map_err(|_| ParseError::Syntax)?;
                out.extend_from_slice(&swap_guid(guid));
                Ok(())
            })
        }
        (DataType::I4, _) => {
            let values = primitive::<Int32Type>(array, from)?;
            collect(cx, array, to, |i, out| bytes_of(values.value(i).to_le_bytes(), out))
        }
        (DataType::UI4, _) => {
            let values = primitive::<UInt32Type>(array, from)?;
            collect(cx, array, to, |i, out| bytes_of(values.value(i).to_le_bytes(), out))
        }
        (DataType::I8, _) => {
            let values = primitive::<Int64Type>(array, from)?;
            collect(cx, array, to, |i, out| bytes_of(values.value(i).to_le_bytes(), out))
        }
        (DataType::UI8, _) => {
            let values = primitive::<UInt64Type>(array, from)?;
            collect(cx, array, to, |i, out| bytes_of(values.value(i).to_le_bytes(), out))
        }
        _ => Err(wrong()),
    }
}

fn primitive<'a, T: ArrowPrimitiveType>(array: &'a ArrayRef, from: &DataType) -> Result<&'a PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_array(array, from))
}

fn bytes_of<const N: usize>(bytes: [u8; N], out: &mut Vec<u8>) -> Result<(), ParseError> {
    out.extend_from_slice(&bytes);
    Ok(())
}

/// Between the order of the text form and that in memory, where the first three groups are little-endian numbers.
fn swap_guid(mut guid: [u8; 16]) -> [u8; 16] {
    guid[..4].reverse();
    guid[4..6].reverse();
    guid[6..8].reverse();
    guid
}

fn unhex(text: &str, out: &mut Vec<u8>) -> Result<(), ParseError> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(ParseError::Syntax);
    }
    for [high, low] in pairs {
        match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => out.push(high << 4 | low),
            _ => return Err(ParseError::Syntax),
        }
    }
    Ok(())
}

/// The most bytes that a binary type takes.
fn limit(to: &DataType) -> usize {
    match to {
        DataType::Bytes { len } => *len as usize,
        _ => usize::MAX,
    }
}

fn collect(
    cx: &mut Cx,
    source: &dyn Array,
    to: &DataType,
    mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<(), ParseError>,
) -> Result<ArrayRef> {
    let limit = limit(to);
    let mut builder = BinaryViewBuilder::with_capacity(source.len());
    let mut buffer = Vec::new();
    for row in 0..source.len() {
        if source.is_null(row) {
            builder.append_null();
            continue;
        }
        buffer.clear();
        if let Err(error) = write(row, &mut buffer) {
            cx.fail(row, error);
            builder.append_null();
            continue;
        }
        if buffer.len() > limit {
            cx.cut(row);
            buffer.truncate(limit);
        }
        builder.try_append_value(&buffer)?;
    }
    Ok(Arc::new(builder.finish()))
}

fn shorten(cx: &mut Cx, array: &ArrayRef, bytes: &BinaryViewArray, to: &DataType) -> Result<ArrayRef> {
    let limit = limit(to);
    if bytes.lengths().all(|length| length as usize <= limit) {
        return Ok(array.clone());
    }
    let mut builder = BinaryViewBuilder::with_capacity(bytes.len());
    for (row, value) in bytes.iter().enumerate() {
        match value {
            None => builder.append_null(),
            Some(value) if value.len() > limit => {
                cx.cut(row);
                builder.try_append_value(&value[..limit])?;
            }
            Some(value) => builder.try_append_value(value)?,
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn decode(bytes: &BinaryViewArray, to: &DataType) -> Result<ArrayRef> {
    let page = match TextLimit::of(to)? {
        TextLimit::Page(page) => page,
        _ => CodePage::require(UTF16)?,
    };
    let mut builder = StringViewBuilder::with_capacity(bytes.len());
    for value in bytes.iter() {
        match value {
            None => builder.append_null(),
            Some(value) => builder.try_append_value(page.decode(value))?,
        }
    }
    Ok(Arc::new(builder.finish()))
}

fn guids(cx: &mut Cx, bytes: &BinaryViewArray) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(bytes.len() * 16);
    for (row, value) in bytes.iter().enumerate() {
        let guid = value.unwrap_or(&[0; 16]).try_into().map(swap_guid);
        values.extend_from_slice(&guid.unwrap_or_else(|_| {
            cx.fail(row, ParseError::Syntax);
            [0; 16]
        }));
    }
    let nulls = cx.nulls(bytes.nulls(), bytes.len());
    Ok(Arc::new(FixedSizeBinaryArray::try_new(16, values.into(), nulls)?))
}

fn number<T: ArrowPrimitiveType, const N: usize>(
    cx: &mut Cx,
    bytes: &BinaryViewArray,
    to: &DataType,
    read: impl Fn([u8; N]) -> T::Native,
) -> Result<ArrayRef> {
    Ok(cx.primitive::<T>(bytes, to, |_, i| bytes.value(i).try_into().map(&read).map_err(|_| ParseError::Syntax)))
}
