//! Values as words: numbers, dates and the like as integers in the order of the values, and back.
//!
//! Groups are found and extremes are kept by these words, so that there are two kinds of values (64 and 128 bits) and
//! not thirty. Every type whose words leave a number free marks NULL with it.

use arrow::array::*;
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::*;
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::types::DataType as SsisType;
use std::sync::Arc;

/// How the values of a type are kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Width {
    /// 64 bits.
    One,
    /// 128 bits.
    Two,
    /// Text or bytes.
    Long,
}

/// How the values of a type are kept.
pub(super) fn width(data_type: &SsisType) -> Width {
    use SsisType::*;
    match data_type {
        Cy | Decimal { .. } | Numeric { .. } | DbTimeStampOffset { .. } | Guid => Width::Two,
        Str { .. } | WStr { .. } | Text { .. } | NText | Bytes { .. } | Image | Null => Width::Long,
        _ => Width::One,
    }
}

/// Whether the words of a type leave no number that could stand for NULL.
pub(super) fn is_full(data_type: &SsisType) -> bool {
    matches!(data_type, SsisType::I8 | SsisType::UI8 | SsisType::Guid)
}

const SIGN: i64 = i64::MIN;

/// Floats in order, as integers; the map is its own inverse on the bits.
fn fold(bits: i64) -> i64 {
    bits ^ ((bits >> 63) as u64 >> 1) as i64
}

/// The word of a float: every NaN is one, and 0 and -0 are the same.
fn float(value: f64) -> i64 {
    let value = if value.is_nan() { f64::NAN } else { value + 0.0 };
    fold(value.to_bits() as i64)
}

fn widen<T: ArrowPrimitiveType>(array: &dyn Array) -> ScalarBuffer<i64>
where
    T::Native: Into<i64>,
{
    array.as_primitive::<T>().values().iter().map(|v| (*v).into()).collect::<Vec<i64>>().into()
}

fn mapped<T: ArrowPrimitiveType>(array: &dyn Array, word: impl Fn(T::Native) -> i64) -> ScalarBuffer<i64> {
    array.as_primitive::<T>().values().iter().map(|v| word(*v)).collect::<Vec<i64>>().into()
}

/// The words of a column of [`Width::One`]; those of NULLs mean nothing.
pub(super) fn words(array: &dyn Array, data_type: &SsisType) -> Result<ScalarBuffer<i64>> {
    use SsisType::*;
    if array.data_type() != &data_type.arrow() {
        return Err(Error::internal(format!("a column of {data_type} comes as {}", array.data_type())));
    }
    Ok(match data_type {
        Bool => array.as_boolean().values().iter().map(i64::from).collect::<Vec<_>>().into(),
        I1 => widen::<Int8Type>(array),
        I2 => widen::<Int16Type>(array),
        I4 => widen::<Int32Type>(array),
        I8 | DbTimeStamp2 { .. } | FileTime => array.as_primitive::<Int64Type>().values().clone(),
        UI1 => widen::<UInt8Type>(array),
        UI2 => widen::<UInt16Type>(array),
        UI4 => widen::<UInt32Type>(array),
        UI8 => mapped::<UInt64Type>(array, |v| v as i64 ^ SIGN),
        R4 => mapped::<Float32Type>(array, |v| float(f64::from(v))),
        R8 => mapped::<Float64Type>(array, float),
        Date | DbTimeStamp => array.as_primitive::<TimestampMicrosecondType>().values().clone(),
        DbDate => widen::<Date32Type>(array),
        DbTime => widen::<Time32SecondType>(array),
        DbTime2 { .. } => array.as_primitive::<Time64NanosecondType>().values().clone(),
        other => return Err(Error::internal(format!("{other} is no word"))),
    })
}

/// The words of a column of [`Width::Two`]; those of NULLs mean nothing.
pub(super) fn long_words(array: &dyn Array, data_type: &SsisType) -> Result<ScalarBuffer<i128>> {
    use SsisType::*;
    if array.data_type() != &data_type.arrow() {
        return Err(Error::internal(format!("a column of {data_type} comes as {}", array.data_type())));
    }
    Ok(match data_type {
        Cy | Decimal { .. } | Numeric { .. } => array.as_primitive::<Decimal128Type>().values().clone(),
        DbTimeStampOffset { .. } => {
            let array = array.as_struct();
            let ticks = array.column(0).as_primitive::<Int64Type>().values();
            let offsets = array.column(1).as_primitive::<Int16Type>().values();
            let word = |(ticks, offset): (&i64, &i16)| i128::from(*ticks) << 16 | i128::from(*offset as u16 ^ 0x8000);
            ticks.iter().zip(offsets).map(word).collect::<Vec<_>>().into()
        }
        Guid => {
            let bytes = array.as_fixed_size_binary();
            (0..array.len())
                .map(|row| bytes.value(row).try_into().map_or(0, i128::from_be_bytes))
                .collect::<Vec<_>>()
                .into()
        }
        other => return Err(Error::internal(format!("{other} is no long word"))),
    })
}

/// The values of a column that can be added up, as integers: [`words`] but for DT_UI8, whose words are moved.
pub(super) fn addends(array: &dyn Array, data_type: &SsisType) -> Result<Addends> {
    use SsisType::*;
    Ok(match data_type {
        R4 => Addends::Float(
            array.as_primitive::<Float32Type>().values().iter().map(|v| f64::from(*v)).collect::<Vec<_>>().into(),
        ),
        R8 => Addends::Float(array.as_primitive::<Float64Type>().values().clone()),
        UI8 => {
            let values = array.as_primitive::<UInt64Type>().values();
            Addends::Long(values.iter().map(|v| i128::from(*v)).collect::<Vec<_>>().into())
        }
        Cy | Decimal { .. } | Numeric { .. } => Addends::Long(long_words(array, data_type)?),
        _ => Addends::Word(words(array, data_type)?),
    })
}

/// What is added up.
pub(super) enum Addends {
    Word(ScalarBuffer<i64>),
    Long(ScalarBuffer<i128>),
    Float(ScalarBuffer<f64>),
}

fn cast<T: ArrowPrimitiveType>(values: &[i64], nulls: Option<NullBuffer>, data_type: ArrowType) -> Option<ArrayRef>
where
    T::Native: TryFrom<i64>,
{
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let cast = |(row, value): (usize, &i64)| {
        if valid(row) { T::Native::try_from(*value).ok() } else { Some(T::Native::default()) }
    };
    let values: Option<Vec<T::Native>> = values.iter().enumerate().map(cast).collect();
    let array = PrimitiveArray::<T>::new(ScalarBuffer::from(values?), nulls);
    Some(Arc::new(array.with_data_type(data_type)))
}

type ArrowType = arrow::datatypes::DataType;

/// The column of `data_type` with these words. None if a value does not fit.
pub(super) fn from_words(values: Vec<i64>, nulls: Option<NullBuffer>, data_type: &SsisType) -> Option<ArrayRef> {
    use SsisType::*;
    let arrow = data_type.arrow();
    match data_type {
        Bool => {
            let bits: BooleanBuffer = values.iter().map(|v| *v != 0).collect();
            Some(Arc::new(BooleanArray::new(bits, nulls)))
        }
        I1 => cast::<Int8Type>(&values, nulls, arrow),
        I2 => cast::<Int16Type>(&values, nulls, arrow),
        I4 => cast::<Int32Type>(&values, nulls, arrow),
        UI1 => cast::<UInt8Type>(&values, nulls, arrow),
        UI2 => cast::<UInt16Type>(&values, nulls, arrow),
        UI4 => cast::<UInt32Type>(&values, nulls, arrow),
        DbDate => cast::<Date32Type>(&values, nulls, arrow),
        DbTime => cast::<Time32SecondType>(&values, nulls, arrow),
        I8 | DbTimeStamp2 { .. } | FileTime => Some(Arc::new(Int64Array::new(values.into(), nulls))),
        Date | DbTimeStamp => Some(Arc::new(TimestampMicrosecondArray::new(values.into(), nulls))),
        DbTime2 { .. } => Some(Arc::new(Time64NanosecondArray::new(values.into(), nulls))),
        UI8 => {
            let values: Vec<u64> = values.iter().map(|v| (*v ^ SIGN) as u64).collect();
            Some(Arc::new(UInt64Array::new(values.into(), nulls)))
        }
        R4 => {
            let values: Vec<f32> = values.iter().map(|v| f64::from_bits(fold(*v) as u64) as f32).collect();
            Some(Arc::new(Float32Array::new(values.into(), nulls)))
        }
        R8 => {
            let values: Vec<f64> = values.iter().map(|v| f64::from_bits(fold(*v) as u64)).collect();
            Some(Arc::new(Float64Array::new(values.into(), nulls)))
        }
        _ => None,
    }
}

/// The column of `data_type` with these words. None if a value does not fit.
pub(super) fn from_long_words(values: Vec<i128>, nulls: Option<NullBuffer>, data_type: &SsisType) -> Option<ArrayRef> {
    use SsisType::*;
    match data_type {
        Cy | Decimal { .. } | Numeric { .. } => {
            let array = PrimitiveArray::<Decimal128Type>::new(values.into(), nulls);
            Some(Arc::new(array.with_data_type(data_type.arrow())))
        }
        DbTimeStampOffset { .. } => {
            let ArrowType::Struct(fields) = data_type.arrow() else { return None };
            let ticks = Int64Array::from_iter_values(values.iter().map(|v| (*v >> 16) as i64));
            let offsets = Int16Array::from_iter_values(values.iter().map(|v| (*v as u16 ^ 0x8000) as i16));
            Some(Arc::new(StructArray::try_new(fields, vec![Arc::new(ticks), Arc::new(offsets)], nulls).ok()?))
        }
        Guid => {
            let bytes: Vec<[u8; 16]> = values.iter().map(|v| v.to_be_bytes()).collect();
            Some(Arc::new(FixedSizeBinaryArray::try_new(16, Buffer::from_vec(bytes.into_flattened()), nulls).ok()?))
        }
        _ => None,
    }
}
