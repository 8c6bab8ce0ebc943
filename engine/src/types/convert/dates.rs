//! Dates and times among each other and to and from numbers, by way of ticks of 100 ns.

use super::numbers::{doubles, from_doubles};
use super::{Cx, wrong_array};
use crate::diag::Result;
use crate::types::calendar::{
    self, FILETIME_EPOCH, MAX_TICKS, MIN_TICKS, OLE_MIN_DAY, TICKS_PER_DAY, TICKS_PER_SECOND,
};
use crate::types::parse::{Int, ParseError};
use crate::types::{DataType, scalar};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::datatypes::*;

type Converted<T> = std::result::Result<T, ParseError>;

/// Ticks of 1753-01-01, before which DT_DBTIMESTAMP2 to DT_DBTIMESTAMP fails, as documented (a text of that time does
/// convert).
const FIRST_DATETIME: i64 = calendar::join(calendar::days_from_civil(1753, 1, 1), 0);

/// Ticks of one unit of the last fraction digit that a scale has.
pub(super) fn unit(scale: u8) -> i64 {
    10i64.pow(7 - scale.min(7) as u32)
}

fn primitive<'a, T: ArrowPrimitiveType>(array: &'a ArrayRef, from: &DataType) -> Result<&'a PrimitiveArray<T>> {
    array.as_primitive_opt::<T>().ok_or_else(|| wrong_array(array, from))
}

/// A date or time column as ticks since 1970-01-01 (UTC where the type has an offset; today for types without a date).
pub(super) fn ticks(array: &ArrayRef, from: &DataType) -> Result<Vec<i64>> {
    let today = match from {
        DataType::DbTime | DataType::DbTime2 { .. } => calendar::join(calendar::today(), 0),
        _ => 0,
    };
    Ok(match from {
        DataType::Date | DataType::DbTimeStamp => {
            primitive::<TimestampMicrosecondType>(array, from)?.values().iter().map(|v| v.saturating_mul(10)).collect()
        }
        DataType::DbDate => primitive::<Date32Type>(array, from)?
            .values()
            .iter()
            .map(|v| (*v as i64).saturating_mul(TICKS_PER_DAY))
            .collect(),
        DataType::DbTime => primitive::<Time32SecondType>(array, from)?
            .values()
            .iter()
            .map(|v| today + *v as i64 * TICKS_PER_SECOND)
            .collect(),
        DataType::DbTime2 { .. } => {
            primitive::<Time64NanosecondType>(array, from)?.values().iter().map(|v| today + v / 100).collect()
        }
        DataType::DbTimeStamp2 { .. } | DataType::FileTime => primitive::<Int64Type>(array, from)?.values().to_vec(),
        DataType::DbTimeStampOffset { .. } => scalar::offset_parts(array)?.0.values().to_vec(),
        _ => return Err(wrong_array(array, from)),
    })
}

/// What is left of ticks at a unit; a loss is reported as truncation.
#[inline]
fn cut(cx: &mut Cx, row: usize, ticks: i64, unit: i64) -> i64 {
    let lost = ticks.rem_euclid(unit);
    if lost != 0 {
        cx.cut(row);
    }
    ticks - lost
}

#[inline]
fn in_range(ticks: i64, low: i64) -> Converted<i64> {
    if ticks < low || ticks > MAX_TICKS { Err(ParseError::Overflow) } else { Ok(ticks) }
}

/// Builds a date or time column; `value` gives the ticks of a row, of a point in time.
pub(super) fn from_ticks(
    cx: &mut Cx,
    source: &dyn Array,
    to: &DataType,
    value: impl Fn(usize) -> Converted<i64>,
) -> Result<ArrayRef> {
    Ok(match to {
        DataType::DbDate => {
            cx.primitive::<Date32Type>(source, to, |_, i| Ok(calendar::split(in_range(value(i)?, MIN_TICKS)?).0))
        }
        DataType::DbTime => cx.primitive::<Time32SecondType>(source, to, |cx, i| {
            let ticks = calendar::split(value(i)?).1;
            Ok((cut(cx, i, ticks, TICKS_PER_SECOND) / TICKS_PER_SECOND) as i32)
        }),
        DataType::DbTime2 { scale } => {
            let unit = unit(*scale);
            cx.primitive::<Time64NanosecondType>(source, to, |cx, i| {
                let ticks = calendar::split(value(i)?).1;
                Ok(cut(cx, i, ticks, unit) * 100)
            })
        }
        DataType::Date => {
            let first = calendar::join(OLE_MIN_DAY, 0);
            cx.primitive::<TimestampMicrosecondType>(source, to, |_, i| Ok(in_range(value(i)?, first)?.div_euclid(10)))
        }
        DataType::DbTimeStamp => cx.primitive::<TimestampMicrosecondType>(source, to, |cx, i| {
            let ticks = in_range(value(i)?, MIN_TICKS)?;
            Ok(cut(cx, i, ticks, 10_000).div_euclid(10))
        }),
        DataType::DbTimeStamp2 { scale } => {
            let unit = unit(*scale);
            cx.primitive::<Int64Type>(source, to, |cx, i| {
                let ticks = in_range(value(i)?, MIN_TICKS)?;
                Ok(cut(cx, i, ticks, unit))
            })
        }
        DataType::FileTime => {
            let first = calendar::join(FILETIME_EPOCH, 0);
            cx.primitive::<Int64Type>(source, to, |_, i| in_range(value(i)?, first))
        }
        DataType::DbTimeStampOffset { .. } => offsets(cx, source, to, |i| Ok((value(i)?, 0)))?,
        _ => return Err(wrong_array(source, to)),
    })
}

/// Builds a DT_DBTIMESTAMPOFFSET column from ticks in UTC and minutes.
pub(super) fn offsets(
    cx: &mut Cx,
    source: &dyn Array,
    to: &DataType,
    value: impl Fn(usize) -> Converted<(i64, i16)>,
) -> Result<ArrayRef> {
    let unit = unit(to.scale());
    let mut minutes = vec![0i16; source.len()];
    let stamps = cx.primitive::<Int64Type>(source, &DataType::I8, |cx, i| {
        let (ticks, offset) = value(i)?;
        let ticks = in_range(ticks, MIN_TICKS)?;
        minutes[i] = offset;
        Ok(cut(cx, i, ticks, unit))
    });
    let stamps = stamps.as_primitive::<Int64Type>();
    scalar::offsets(stamps.values().to_vec(), minutes, stamps.nulls().cloned())
}

pub(super) fn cast(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    if let (DataType::DbTimeStampOffset { .. }, DataType::DbTimeStampOffset { .. }) = (from, to) {
        let (stamps, minutes) = scalar::offset_parts(array)?;
        let (stamps, minutes) = (stamps.values(), minutes.values());
        return offsets(cx, array, to, |i| Ok((stamps[i], minutes[i])));
    }
    let ticks = ticks(array, from)?;
    if matches!((from, to), (DataType::DbTimeStamp2 { .. }, DataType::DbTimeStamp)) {
        return from_ticks(cx, array, to, |i| in_range(ticks[i], FIRST_DATETIME));
    }
    from_ticks(cx, array, to, |i| Ok(ticks[i]))
}

/// Day numbers to dates; 64-bit integers to DT_FILETIME are its own number.
pub(super) fn from_numbers(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let since_1601 = calendar::join(FILETIME_EPOCH, 0);
    match (from, to) {
        (DataType::I8, DataType::FileTime) => {
            let values = primitive::<Int64Type>(array, from)?.values();
            from_ticks(cx, array, to, |i| values[i].checked_add(since_1601).ok_or(ParseError::Overflow))
        }
        (DataType::UI8, DataType::FileTime) => {
            let values = primitive::<UInt64Type>(array, from)?.values();
            from_ticks(cx, array, to, |i| {
                i64::from_i128(values[i] as i128)?.checked_add(since_1601).ok_or(ParseError::Overflow)
            })
        }
        _ => {
            let days = doubles(array, from)?;
            from_ticks(cx, array, to, |i| calendar::ticks_from_ole(days[i]).ok_or(ParseError::Overflow))
        }
    }
}

/// Dates to day numbers; DT_FILETIME to 64-bit integers is its own number.
pub(super) fn to_numbers(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let since_1601 = calendar::join(FILETIME_EPOCH, 0);
    let ticks = ticks(array, from)?;
    Ok(match (from, to) {
        (DataType::FileTime, DataType::I8) => {
            cx.primitive::<Int64Type>(array, to, |_, i| Ok(ticks[i].saturating_sub(since_1601)))
        }
        (DataType::FileTime, DataType::UI8) => cx.primitive::<UInt64Type>(array, to, |_, i| {
            u64::try_from(ticks[i].saturating_sub(since_1601)).map_err(|_| ParseError::Sign)
        }),
        _ => from_doubles(cx, array, to, |i| calendar::ole_from_ticks(ticks[i]))?,
    })
}
