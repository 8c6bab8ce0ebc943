//! Between single values and columns.

use super::{DataType, Value};
use crate::diag::{Error, Result};
use arrow::array::*;
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::*;
use std::sync::Arc;

fn mismatch(what: &dyn std::fmt::Debug, data_type: &DataType) -> Error {
    Error::internal(format!("{what:?} is no physical form of {data_type}"))
}

/// A column of `rows` times the same value, in the physical form of `data_type`.
///
/// # Errors
/// Internal, if the value is not in the physical form of the type (an integer of another width, a decimal that its scale
/// does not hold, an object).
pub fn array_of(value: &Value, data_type: &DataType, rows: usize) -> Result<ArrayRef> {
    fn primitive<T: ArrowPrimitiveType>(value: T::Native, rows: usize, arrow: arrow::datatypes::DataType) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::from_value(value, rows).with_data_type(arrow))
    }
    let arrow = data_type.arrow();
    Ok(match (value, data_type) {
        (Value::Null, _) => new_null_array(&arrow, rows),
        (Value::Bool(v), DataType::Bool) => Arc::new(BooleanArray::from(vec![*v; rows])),
        (Value::I1(v), DataType::I1) => primitive::<Int8Type>(*v, rows, arrow),
        (Value::I2(v), DataType::I2) => primitive::<Int16Type>(*v, rows, arrow),
        (Value::I4(v), DataType::I4) => primitive::<Int32Type>(*v, rows, arrow),
        (Value::I8(v), DataType::I8) => primitive::<Int64Type>(*v, rows, arrow),
        (Value::UI1(v), DataType::UI1) => primitive::<UInt8Type>(*v, rows, arrow),
        (Value::UI2(v), DataType::UI2) => primitive::<UInt16Type>(*v, rows, arrow),
        (Value::UI4(v), DataType::UI4) => primitive::<UInt32Type>(*v, rows, arrow),
        (Value::UI8(v), DataType::UI8) => primitive::<UInt64Type>(*v, rows, arrow),
        (Value::R4(v), DataType::R4) => primitive::<Float32Type>(*v, rows, arrow),
        (Value::R8(v), DataType::R8) => primitive::<Float64Type>(*v, rows, arrow),
        (Value::Decimal(v, scale), DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. }) => {
            let to = if *data_type == DataType::Cy { 4 } else { data_type.scale() };
            let v = super::decimal::rescale(*v, *scale, to, super::decimal::EXCESS_FRACTION)
                .ok_or_else(|| mismatch(value, data_type))?;
            primitive::<Decimal128Type>(v, rows, arrow)
        }
        (Value::Days(v), DataType::DbDate) => primitive::<Date32Type>(*v, rows, arrow),
        (Value::Time(v), DataType::DbTime) => primitive::<Time32SecondType>((v / 1_000_000_000) as i32, rows, arrow),
        (Value::Time(v), DataType::DbTime2 { .. }) => primitive::<Time64NanosecondType>(*v, rows, arrow),
        (Value::Timestamp(v), DataType::Date | DataType::DbTimeStamp) => {
            primitive::<TimestampMicrosecondType>(*v, rows, arrow)
        }
        (Value::Ticks(v), DataType::DbTimeStamp2 { .. } | DataType::FileTime) => {
            primitive::<Int64Type>(*v, rows, arrow)
        }
        (Value::TicksOffset(ticks, offset), DataType::DbTimeStampOffset { .. }) => {
            offsets(vec![*ticks; rows], vec![*offset; rows], None)?
        }
        (Value::Guid(v), DataType::Guid) => Arc::new(FixedSizeBinaryArray::try_new(16, v.repeat(rows).into(), None)?),
        (Value::Text(v), _) if arrow == arrow::datatypes::DataType::Utf8View => {
            let mut builder = StringViewBuilder::with_capacity(rows);
            builder.try_append_value_n(v, rows)?;
            Arc::new(builder.finish())
        }
        (Value::Bytes(v), DataType::Bytes { .. } | DataType::Image) => {
            let mut builder = BinaryViewBuilder::with_capacity(rows);
            builder.try_append_value_n(v, rows)?;
            Arc::new(builder.finish())
        }
        _ => return Err(mismatch(value, data_type)),
    })
}

/// The physical form of DT_DBTIMESTAMPOFFSET: ticks in UTC, offset in minutes.
///
/// # Errors
/// Internal, if the lengths differ.
pub fn offsets(ticks: Vec<i64>, minutes: Vec<i16>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let arrow::datatypes::DataType::Struct(fields) = (DataType::DbTimeStampOffset { scale: 0 }).arrow() else {
        return Err(Error::internal("DT_DBTIMESTAMPOFFSET is no struct"));
    };
    let ticks = Int64Array::new(ScalarBuffer::from(ticks), None);
    let minutes = Int16Array::new(ScalarBuffer::from(minutes), None);
    Ok(Arc::new(StructArray::try_new(fields, vec![Arc::new(ticks), Arc::new(minutes)], nulls)?))
}

/// The two children of a DT_DBTIMESTAMPOFFSET column.
pub(crate) fn offset_parts(array: &dyn Array) -> Result<(&Int64Array, &Int16Array)> {
    let parts = array.as_struct_opt().and_then(|s| match s.columns() {
        [ticks, minutes] => Some((ticks.as_primitive_opt()?, minutes.as_primitive_opt()?)),
        _ => None,
    });
    parts.ok_or_else(|| mismatch(array.data_type(), &DataType::DbTimeStampOffset { scale: 0 }))
}

/// The value of a row.
///
/// # Errors
/// Internal, if the array is not in the physical form of the type (a NullArray stands for every type) or has no such row.
pub fn value_at(array: &dyn Array, data_type: &DataType, row: usize) -> Result<Value> {
    if row >= array.len() {
        return Err(Error::internal(format!("row {row} of {}", array.len())));
    }
    if array.data_type() == &arrow::datatypes::DataType::Null || array.is_null(row) {
        return Ok(Value::Null);
    }
    let wrong = || mismatch(array.data_type(), data_type);
    macro_rules! number {
        ($arrow:ty) => {
            array.as_primitive_opt::<$arrow>().ok_or_else(wrong)?.value(row)
        };
    }
    Ok(match data_type {
        DataType::Null => Value::Null,
        DataType::Bool => Value::Bool(array.as_boolean_opt().ok_or_else(wrong)?.value(row)),
        DataType::I1 => Value::I1(number!(Int8Type)),
        DataType::I2 => Value::I2(number!(Int16Type)),
        DataType::I4 => Value::I4(number!(Int32Type)),
        DataType::I8 => Value::I8(number!(Int64Type)),
        DataType::UI1 => Value::UI1(number!(UInt8Type)),
        DataType::UI2 => Value::UI2(number!(UInt16Type)),
        DataType::UI4 => Value::UI4(number!(UInt32Type)),
        DataType::UI8 => Value::UI8(number!(UInt64Type)),
        DataType::R4 => Value::R4(number!(Float32Type)),
        DataType::R8 => Value::R8(number!(Float64Type)),
        DataType::Cy => Value::Decimal(number!(Decimal128Type), 4),
        DataType::Decimal { scale } | DataType::Numeric { scale, .. } => {
            Value::Decimal(number!(Decimal128Type), *scale)
        }
        DataType::DbDate => Value::Days(number!(Date32Type)),
        DataType::DbTime => Value::Time(number!(Time32SecondType) as i64 * 1_000_000_000),
        DataType::DbTime2 { .. } => Value::Time(number!(Time64NanosecondType)),
        DataType::Date | DataType::DbTimeStamp => Value::Timestamp(number!(TimestampMicrosecondType)),
        DataType::DbTimeStamp2 { .. } | DataType::FileTime => Value::Ticks(number!(Int64Type)),
        DataType::DbTimeStampOffset { .. } => {
            let (ticks, minutes) = offset_parts(array)?;
            Value::TicksOffset(ticks.value(row), minutes.value(row))
        }
        DataType::Guid => {
            let bytes = array.as_fixed_size_binary_opt().ok_or_else(wrong)?.value(row);
            Value::Guid(bytes.try_into().map_err(|_| wrong())?)
        }
        DataType::Str { .. } | DataType::WStr { .. } | DataType::Text { .. } | DataType::NText => {
            Value::text(array.as_string_view_opt().ok_or_else(wrong)?.value(row))
        }
        DataType::Bytes { .. } | DataType::Image => {
            Value::Bytes(Arc::from(array.as_binary_view_opt().ok_or_else(wrong)?.value(row)))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> Vec<(Value, DataType)> {
        vec![
            (Value::Bool(true), DataType::Bool),
            (Value::I1(-1), DataType::I1),
            (Value::I2(-2), DataType::I2),
            (Value::I4(i32::MIN), DataType::I4),
            (Value::I8(i64::MAX), DataType::I8),
            (Value::UI1(255), DataType::UI1),
            (Value::UI2(65535), DataType::UI2),
            (Value::UI4(u32::MAX), DataType::UI4),
            (Value::UI8(u64::MAX), DataType::UI8),
            (Value::R4(-0.0), DataType::R4),
            (Value::R8(f64::NAN), DataType::R8),
            (Value::Decimal(12_345, 4), DataType::Cy),
            (Value::Decimal(-5, 2), DataType::Decimal { scale: 2 }),
            (Value::Decimal(10i128.pow(37), 5), DataType::Numeric { precision: 38, scale: 5 }),
            (Value::Days(-719_162), DataType::DbDate),
            (Value::Time(86_399_000_000_000), DataType::DbTime),
            (Value::Time(86_399_999_999_900), DataType::DbTime2 { scale: 7 }),
            (Value::Timestamp(-1), DataType::Date),
            (Value::Timestamp(1), DataType::DbTimeStamp),
            (Value::Ticks(7), DataType::DbTimeStamp2 { scale: 7 }),
            (Value::Ticks(-7), DataType::FileTime),
            (Value::TicksOffset(7, -330), DataType::DbTimeStampOffset { scale: 7 }),
            (Value::Guid([7; 16]), DataType::Guid),
            (Value::text("a text of more than twelve bytes"), DataType::WStr { len: 50 }),
            (Value::text(""), DataType::Str { len: 50, code_page: 1252 }),
            (Value::text("ä"), DataType::NText),
            (Value::Bytes([1, 2, 3].into()), DataType::Bytes { len: 5 }),
            (Value::Bytes([].into()), DataType::Image),
        ]
    }

    #[test]
    fn values_come_back_out_of_columns() {
        for (value, data_type) in pairs() {
            let array = array_of(&value, &data_type, 3).unwrap();
            assert_eq!((array.len(), array.null_count()), (3, 0));
            assert_eq!(array.data_type(), &data_type.arrow());
            assert_eq!(value_at(&array, &data_type, 2).unwrap(), value);
            assert_eq!(array_of(&value, &data_type, 0).unwrap().len(), 0);
            let none = array_of(&Value::Null, &data_type, 2).unwrap();
            assert_eq!(none.data_type(), &data_type.arrow());
            assert!(value_at(&none, &data_type, 1).unwrap().is_null());
        }
    }

    #[test]
    fn a_column_that_nobody_reads_is_null() {
        assert!(value_at(&NullArray::new(1), &DataType::I4, 0).unwrap().is_null());
    }

    #[test]
    fn decimals_take_the_scale_of_the_column() {
        let data_type = DataType::Numeric { precision: 10, scale: 4 };
        let array = array_of(&Value::Decimal(15, 1), &data_type, 1).unwrap();
        assert_eq!(value_at(&array, &data_type, 0).unwrap(), Value::Decimal(15_000, 4));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        assert!(array_of(&Value::I4(1), &DataType::I8, 1).is_err());
        assert!(array_of(&Value::Object(Arc::new(1)), &DataType::I8, 1).is_err());
        let array = array_of(&Value::I4(1), &DataType::I4, 1).unwrap();
        assert!(value_at(&array, &DataType::I8, 0).is_err());
        assert!(value_at(&array, &DataType::I4, 1).is_err());
    }
}
