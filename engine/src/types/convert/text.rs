//! Text to everything, everything to text, text to text.

use super::numbers::{DecimalTarget, with_int};
use super::{Cx, dates, wrong_array};
use crate::diag::{Error, Result};
use crate::types::code_page::{CodePage, utf16_len, utf16_prefix};
use crate::types::format;
use crate::types::parse::{self, ParseError, fast};
use crate::types::{DataType, scalar};
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, BooleanBufferBuilder, FixedSizeBinaryArray, StringViewArray,
    StringViewBuilder,
};
use arrow::datatypes::*;
use std::sync::Arc;

/// How long a text a type takes, in its own unit, and which characters.
#[derive(Clone, Copy, Debug)]
pub enum TextLimit {
    /// DT_NTEXT.
    Unlimited,
    /// DT_WSTR: UTF-16 code units.
    Units(u32),
    /// DT_STR: bytes of a code page.
    Bytes(u32, CodePage),
    /// DT_TEXT.
    Page(CodePage),
}

impl TextLimit {
    /// Of a text type.
    ///
    /// # Errors
    /// A code page that this build does not support; internal for other types.
    pub fn of(data_type: &DataType) -> Result<TextLimit> {
        Ok(match data_type {
            DataType::WStr { len } => TextLimit::Units(*len),
            DataType::Str { len, code_page } => TextLimit::Bytes(*len, CodePage::require(*code_page)?),
            DataType::Text { code_page } => TextLimit::Page(CodePage::require(*code_page)?),
            DataType::NText => TextLimit::Unlimited,
            other => return Err(Error::internal(format!("{other} is no text"))),
        })
    }

    /// The bytes of the text (in UTF-8) that fit: all of it, or the longest start in whole characters.
    #[inline]
    pub fn fit(&self, text: &str) -> usize {
        match self {
            // No character takes more units, or more bytes of a single- or double-byte page, than bytes of UTF-8.
            TextLimit::Units(limit) if text.len() > *limit as usize => {
                if utf16_len(text) > *limit as usize {
                    utf16_prefix(text, *limit as usize)
                } else {
                    text.len()
                }
            }
            TextLimit::Bytes(limit, page) if text.len() > *limit as usize || page.can_grow() => {
                if page.encoded_len(text) > *limit as usize { page.prefix(text, *limit as usize) } else { text.len() }
            }
            _ => text.len(),
        }
    }

    fn page(&self) -> Option<&CodePage> {
        match self {
            TextLimit::Bytes(_, page) | TextLimit::Page(page) => Some(page),
            _ => None,
        }
    }

    /// Whether a text of so many bytes (of UTF-8) fits for sure.
    fn takes_bytes(&self, bytes: u32) -> bool {
        match self {
            TextLimit::Unlimited | TextLimit::Page(_) => true,
            TextLimit::Units(limit) => bytes <= *limit,
            TextLimit::Bytes(limit, page) => bytes <= *limit && !page.can_grow(),
        }
    }
}

/// The text up to its first NUL, where DT_STR and DT_WSTR end. For whoever brings text from outside into such a column.
#[inline]
pub fn until_nul(text: &str) -> &str {
    match memchr::memchr(0, text.as_bytes()) {
        Some(end) => &text[..end],
        None => text,
    }
}

fn strings(array: &ArrayRef) -> Result<&StringViewArray> {
    array.as_string_view_opt().ok_or_else(|| wrong_array(array, &DataType::NText))
}

/// Text to text: cuts to the length of the target, and puts `?` for what its code page lacks. An array that needs neither
/// is shared. A stream (DT_TEXT, DT_NTEXT) may hold a NUL, where a string ends.
pub(super) fn recode(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let texts = strings(array)?;
    let limit = TextLimit::of(to)?;
    // What came out of a code page goes back into it.
    let page = limit.page().filter(|page| CodePage::of(from.code_page()).as_ref() != Some(page) || !has_page(from));
    let mut scratch = Vec::new();
    let nul = to.is_string() && from.is_blob();
    let lengths_fit = texts.lengths().all(|bytes| limit.takes_bytes(bytes));
    let changes = |text: &str, scratch: &mut Vec<u8>| {
        !lengths_fit && limit.fit(text) < text.len()
            || page.is_some_and(|page| !page.has_all(text, scratch))
            || nul && until_nul(text).len() < text.len()
    };
    if lengths_fit && page.is_none() && !nul || !texts.iter().flatten().any(|text| changes(text, &mut scratch)) {
        return Ok(array.clone());
    }
    let mut builder = StringViewBuilder::with_capacity(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let Some(text) = text else {
            builder.append_null();
            continue;
        };
        let text = if nul { until_nul(text) } else { text };
        let text = match page {
            Some(page) => page.round_trip(text),
            None => text.into(),
        };
        let fits = limit.fit(&text);
        if fits < text.len() {
            cx.cut(row);
        }
        builder.try_append_value(&text[..fits])?;
    }
    Ok(Arc::new(builder.finish()))
}

fn has_page(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Str { .. } | DataType::Text { .. })
}

/// Text to a number, a date, a boolean or a GUID.
pub(super) fn read(cx: &mut Cx, array: &ArrayRef, to: &DataType) -> Result<ArrayRef> {
    let texts = strings(array)?;
    let text = |row: usize| texts.value(row).as_bytes();
    let locale = cx.locale;
    let fast = cx.fast_parse;
    Ok(match to {
        DataType::R4 => cx.primitive::<Float32Type>(array, to, |_, i| parse::parse_f32(text(i), locale)),
        DataType::R8 => cx.primitive::<Float64Type>(array, to, |_, i| parse::parse_f64(text(i), locale)),
        DataType::Cy => {
            cx.primitive::<Decimal128Type>(array, to, |_, i| parse::parse_currency(text(i), locale).map(i128::from))
        }
        DataType::Numeric { precision, scale } => {
            cx.primitive::<Decimal128Type>(array, to, |_, i| parse::parse_decimal(text(i), *precision, *scale, locale))
        }
        DataType::Decimal { scale } => {
            let target = DecimalTarget::of(to).ok_or_else(|| wrong_array(array, to))?;
            cx.primitive::<Decimal128Type>(array, to, |_, i| {
                target.fit(parse::parse_decimal(text(i), 38, *scale, locale)?)
            })
        }
        DataType::Bool => booleans(cx, texts),
        DataType::Guid => guids(cx, texts)?,
        DataType::DbDate => cx.primitive::<Date32Type>(array, to, |_, i| {
            if fast { fast::date(text(i)) } else { parse::parse_date(text(i), locale) }
        }),
        DataType::DbTime => dates::from_ticks(cx, array, to, |i| {
            if fast { fast::time(text(i)) } else { parse::parse_time(text(i), locale) }
        })?,
        DataType::DbTime2 { .. } => dates::from_ticks(cx, array, to, |i| {
            if fast { fast::time(text(i)) } else { parse::parse_time_strict(text(i)) }
        })?,
        DataType::Date | DataType::DbTimeStamp => dates::from_ticks(cx, array, to, |i| {
            if fast { fast::timestamp(text(i)) } else { parse::parse_timestamp(text(i), locale) }
        })?,
        DataType::DbTimeStamp2 { .. } => dates::from_ticks(cx, array, to, |i| {
            if fast { fast::timestamp(text(i)) } else { parse::parse_timestamp_strict(text(i)) }
        })?,
        DataType::FileTime => dates::from_ticks(cx, array, to, |i| {
            if fast { fast::timestamp(text(i)) } else { parse::parse_filetime(text(i), locale) }
        })?,
        DataType::DbTimeStampOffset { .. } => dates::offsets(cx, array, to, |i| {
            if fast { fast::timestamp_offset(text(i)) } else { parse::parse_offset(text(i)) }
        })?,
        _ => with_int!(to, Target => if fast {
            cx.primitive::<Target>(array, to, |_, i| fast::int(text(i)))
        } else {
            cx.primitive::<Target>(array, to, |_, i| parse::parse_int(text(i), locale))
        }, else return Err(wrong_array(array, to))),
    })
}

fn booleans(cx: &mut Cx, texts: &StringViewArray) -> ArrayRef {
    let mut values = BooleanBufferBuilder::new(texts.len());
    for (row, text) in texts.iter().enumerate() {
        let value = text.map_or(Ok(false), |text| parse::parse_bool(text.as_bytes(), cx.locale));
        values.append(value.unwrap_or_else(|error| {
            cx.fail(row, error);
            false
        }));
    }
    Arc::new(BooleanArray::new(values.finish(), cx.nulls(texts.nulls(), texts.len())))
}

fn guids(cx: &mut Cx, texts: &StringViewArray) -> Result<ArrayRef> {
    let mut values = Vec::with_capacity(texts.len() * 16);
    for (row, text) in texts.iter().enumerate() {
        let value = text.map_or(Ok([0; 16]), |text| parse::parse_guid(text.as_bytes()));
        values.extend_from_slice(&value.unwrap_or_else(|error| {
            cx.fail(row, error);
            [0; 16]
        }));
    }
    let nulls = cx.nulls(texts.nulls(), texts.len());
    Ok(Arc::new(FixedSizeBinaryArray::try_new(16, values.into(), nulls)?))
}

/// A column to text, row by row through `write`.
///
/// A text that is too long is cut; that of a number only behind its point, otherwise it is an overflow (the OLE DB rule).
pub(super) fn build(
    cx: &mut Cx,
    source: &dyn Array,
    to: &DataType,
    number: bool,
    mut write: impl FnMut(usize, &mut Vec<u8>),
) -> Result<ArrayRef> {
    let limit = TextLimit::of(to)?;
    let point = cx.locale.decimal;
    let mut builder = StringViewBuilder::with_capacity(source.len());
    let mut buffer = Vec::with_capacity(64);
    for row in 0..source.len() {
        if source.is_null(row) {
            builder.append_null();
            continue;
        }
        buffer.clear();
        write(row, &mut buffer);
        let text = std::str::from_utf8(&buffer).map_err(|_| Error::internal("a formatter wrote no text"))?;
        if limit.takes_bytes(text.len() as u32) {
            builder.try_append_value(text)?;
            continue;
        }
        let mut fits = limit.fit(text);
        if fits < text.len() {
            if number {
                let whole = text.bytes().position(|b| b == point).unwrap_or(text.len());
                if fits < whole || text.contains('E') {
                    cx.fail(row, ParseError::Overflow);
                    builder.append_null();
                    continue;
                }
                // Nothing but the point would be left of the fraction.
                fits = if fits == whole + 1 { whole } else { fits };
            }
            cx.cut(row);
        }
        builder.try_append_value(&text[..fits])?;
    }
    Ok(Arc::new(builder.finish()))
}

/// A number, a date, a boolean or a GUID to text.
pub(super) fn write(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let locale = cx.locale;
    let wrong = || wrong_array(array, from);
    macro_rules! values {
        ($arrow:ty) => {
            array.as_primitive_opt::<$arrow>().ok_or_else(wrong)?.values()
        };
    }
    match from {
        DataType::Bool => {
            let values = array.as_boolean_opt().ok_or_else(wrong)?.values();
            build(cx, array, to, false, |i, out| format::boolean(values.value(i), out))
        }
        DataType::R4 => {
            let values = values!(Float32Type);
            build(cx, array, to, true, |i, out| format::r4(values[i], locale, out))
        }
        DataType::R8 => {
            let values = values!(Float64Type);
            build(cx, array, to, true, |i, out| format::r8(values[i], locale, out))
        }
        DataType::Cy => {
            let values = values!(Decimal128Type);
            build(cx, array, to, true, |i, out| format::currency(values[i], locale, out))
        }
        DataType::Decimal { scale } | DataType::Numeric { scale, .. } => {
            let values = values!(Decimal128Type);
            build(cx, array, to, true, |i, out| format::decimal(values[i], *scale, locale, out))
        }
        DataType::DbDate => {
            let values = values!(Date32Type);
            build(cx, array, to, false, |i, out| format::date(values[i], out))
        }
        DataType::DbTime => {
            let values = values!(Time32SecondType);
            build(cx, array, to, false, |i, out| format::time_seconds(values[i] as i64 * 10_000_000, out))
        }
        DataType::DbTime2 { scale } => {
            let values = values!(Time64NanosecondType);
            build(cx, array, to, false, |i, out| format::time(values[i] / 100, *scale, out))
        }
        DataType::DbTimeStampOffset { scale } => {
            let (ticks, minutes) = scalar::offset_parts(array)?;
            build(cx, array, to, false, |i, out| {
                format::timestamp_offset(ticks.value(i), minutes.value(i), *scale, out)
            })
        }
        DataType::Guid => {
            let values = array.as_fixed_size_binary_opt().ok_or_else(wrong)?;
            build(cx, array, to, false, |i, out| {
                if let Ok(guid) = values.value(i).try_into() {
                    format::guid(guid, out);
                }
            })
        }
        DataType::Date | DataType::DbTimeStamp | DataType::DbTimeStamp2 { .. } | DataType::FileTime => {
            let ticks = dates::ticks(array, from)?;
            match from {
                DataType::Date => build(cx, array, to, false, |i, out| format::date_of_locale(ticks[i], locale, out)),
                DataType::DbTimeStamp => build(cx, array, to, false, |i, out| format::timestamp_full(ticks[i], out)),
                DataType::FileTime => build(cx, array, to, false, |i, out| format::filetime(ticks[i], out)),
                _ => build(cx, array, to, false, |i, out| format::timestamp(ticks[i], from.scale(), out)),
            }
        }
        _ => with_int!(from, Source => {
            let values = values!(Source);
            build(cx, array, to, true, |i, out| format::int(values[i], out))
        }, else Err(wrong())),
    }
}
