//! `== != < > <= >=`.

use super::datum::{Datum, Operand, Physical, Texts, mismatch, operand};
use crate::diag::Result;
use crate::expr::ast::BinaryOp;
use crate::types::collation::Collation;
use crate::types::{DataType, Value, decimal, scalar};
use arrow::array::types::*;
use arrow::array::{ArrayRef, AsArray, BooleanArray, StringViewArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use std::cmp::Ordering;
use std::sync::Arc;

/// Compares operands of one type (decimals may differ in scale; `order` is that of texts). None is a NULL value.
pub(crate) fn compare(
    op: BinaryOp,
    a: &Datum,
    b: &Datum,
    types: (&DataType, &DataType),
    order: Option<&Collation>,
    rows: usize,
    nulls: Option<NullBuffer>,
) -> Result<ArrayRef> {
    let bits = match types.0 {
        DataType::I1 => ordered::<Int8Type>(op, a, b, rows)?,
        DataType::I2 => ordered::<Int16Type>(op, a, b, rows)?,
        DataType::I4 => ordered::<Int32Type>(op, a, b, rows)?,
        DataType::I8 | DataType::DbTimeStamp2 { .. } | DataType::FileTime => ordered::<Int64Type>(op, a, b, rows)?,
        DataType::UI1 => ordered::<UInt8Type>(op, a, b, rows)?,
        DataType::UI2 => ordered::<UInt16Type>(op, a, b, rows)?,
        DataType::UI4 => ordered::<UInt32Type>(op, a, b, rows)?,
        DataType::UI8 => ordered::<UInt64Type>(op, a, b, rows)?,
        DataType::R4 => ordered::<Float32Type>(op, a, b, rows)?,
        DataType::R8 => ordered::<Float64Type>(op, a, b, rows)?,
        DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. } => {
            let (s1, s2) = (scale(types.0), scale(types.1));
            if s1 == s2 {
                ordered::<Decimal128Type>(op, a, b, rows)?
            } else {
                let (a, b) = (operand::<Decimal128Type>(a)?, operand::<Decimal128Type>(b)?);
                BooleanBuffer::collect_bool(rows, |i| holds(op, decimal::compare(a.get(i), s1, b.get(i), s2)))
            }
        }
        DataType::Date | DataType::DbTimeStamp => ordered::<TimestampMicrosecondType>(op, a, b, rows)?,
        DataType::DbDate => ordered::<Date32Type>(op, a, b, rows)?,
        DataType::DbTime => ordered::<Time32SecondType>(op, a, b, rows)?,
        DataType::DbTime2 { .. } => ordered::<Time64NanosecondType>(op, a, b, rows)?,
        DataType::DbTimeStampOffset { .. } => {
            // Equal instants are equal, whatever their offsets.
            let (a, b) = (instants(a)?, instants(b)?);
            ordered::<Int64Type>(op, &a, &b, rows)?
        }
        DataType::Str { .. } | DataType::WStr { .. } | DataType::Text { .. } | DataType::NText => {
            texts(op, Texts::new(a)?, Texts::new(b)?, order, rows)
        }
        DataType::Bool => equal_bits(op, a, b, rows)?,
        DataType::Guid | DataType::Bytes { .. } | DataType::Image => {
            let wanted = op == BinaryOp::Equal;
            let mut bits = Vec::with_capacity(rows);
            for row in 0..rows {
                bits.push((bytes(a, row)? == bytes(b, row)?) == wanted);
            }
            BooleanBuffer::from(bits)
        }
        DataType::Null => return Err(mismatch("comparable value")),
    };
    Ok(Arc::new(BooleanArray::new(bits, nulls)))
}

fn scale(t: &DataType) -> u8 {
    if *t == DataType::Cy { 4 } else { t.scale() }
}

fn holds(op: BinaryOp, order: Ordering) -> bool {
    match op {
        BinaryOp::Equal => order.is_eq(),
        BinaryOp::NotEqual => order.is_ne(),
        BinaryOp::Less => order.is_lt(),
        BinaryOp::LessEqual => order.is_le(),
        BinaryOp::Greater => order.is_gt(),
        _ => order.is_ge(),
    }
}

fn ordered<T: Physical>(op: BinaryOp, a: &Datum, b: &Datum, rows: usize) -> Result<BooleanBuffer>
where
    T::Native: PartialOrd,
{
    let (a, b) = (operand::<T>(a)?, operand::<T>(b)?);
    fn run<N: Copy>(a: Operand<N>, b: Operand<N>, rows: usize, f: impl Fn(N, N) -> bool) -> BooleanBuffer {
        match (a, b) {
            (Operand::Many(a), Operand::Many(b)) => BooleanBuffer::collect_bool(rows, |i| f(a[i], b[i])),
            (Operand::Many(a), Operand::One(b)) => BooleanBuffer::collect_bool(rows, |i| f(a[i], b)),
            (Operand::One(a), Operand::Many(b)) => BooleanBuffer::collect_bool(rows, |i| f(a, b[i])),
            (Operand::One(a), Operand::One(b)) => BooleanBuffer::collect_bool(rows, |_| f(a, b)),
        }
    }
    Ok(match op {
        BinaryOp::Equal => run(a, b, rows, |a, b| a == b),
        BinaryOp::NotEqual => run(a, b, rows, |a, b| a != b),
        BinaryOp::Less => run(a, b, rows, |a, b| a < b),
        BinaryOp::LessEqual => run(a, b, rows, |a, b| a <= b),
        BinaryOp::Greater => run(a, b, rows, |a, b| a > b),
        _ => run(a, b, rows, |a, b| a >= b),
    })
}

/// Exact for `==` and `!=`, which have no order.
fn texts(op: BinaryOp, a: Texts<'_>, b: Texts<'_>, order: Option<&Collation>, rows: usize) -> BooleanBuffer {
    if let Some(order) = order {
        return BooleanBuffer::collect_bool(rows, |i| holds(op, order.compare(a.get(i), b.get(i))));
    }
    let wanted = op == BinaryOp::Equal;
    match (a, b) {
        (Texts::One(a), Texts::One(b)) => BooleanBuffer::collect_bool(rows, |_| (a == b) == wanted),
        (Texts::Many(column), Texts::One(text)) | (Texts::One(text), Texts::Many(column)) => {
            // The view of a text of up to 12 bytes holds all of it; that of a longer one its length and first bytes.
            let view = arrow::array::make_view(text.as_bytes(), 0, 0);
            let views = column.views();
            if text.len() <= 12 {
                BooleanBuffer::collect_bool(rows, |i| (views[i] == view) == wanted)
            } else {
                BooleanBuffer::collect_bool(rows, |i| {
                    (views[i] as u64 == view as u64 && column.value(i) == text) == wanted
                })
            }
        }
        (Texts::Many(a), Texts::Many(b)) => BooleanBuffer::collect_bool(rows, |i| same_text(a, b, i) == wanted),
    }
}

#[inline]
fn same_text(a: &StringViewArray, b: &StringViewArray, row: usize) -> bool {
    let (x, y) = (a.views()[row], b.views()[row]);
    x as u64 == y as u64 && if x as u32 <= 12 { x == y } else { a.value(row) == b.value(row) }
}

fn equal_bits(op: BinaryOp, a: &Datum, b: &Datum, rows: usize) -> Result<BooleanBuffer> {
    let column = |d: &Datum| -> Result<BooleanBuffer> {
        match d {
            Datum::Scalar(Value::Bool(true)) => Ok(BooleanBuffer::new_set(rows)),
            Datum::Scalar(Value::Bool(false)) => Ok(BooleanBuffer::new_unset(rows)),
            Datum::Array(a) => a.as_boolean_opt().map(|a| a.values().clone()).ok_or_else(|| mismatch("Boolean")),
            _ => Err(mismatch("Boolean")),
        }
    };
    let differ = &column(a)? ^ &column(b)?;
    Ok(if op == BinaryOp::Equal { !&differ } else { differ })
}

fn bytes(datum: &Datum, row: usize) -> Result<&[u8]> {
    match datum {
        Datum::Scalar(Value::Bytes(b)) => Some(&b[..]),
        Datum::Scalar(Value::Guid(g)) => Some(&g[..]),
        Datum::Array(a) => {
            a.as_binary_view_opt().map(|a| a.value(row)).or_else(|| a.as_fixed_size_binary_opt().map(|a| a.value(row)))
        }
        _ => None,
    }
    .ok_or_else(|| mismatch("byte string"))
}

fn instants(datum: &Datum) -> Result<Datum> {
    Ok(match datum {
        Datum::Scalar(Value::TicksOffset(ticks, _)) => Datum::Scalar(Value::Ticks(*ticks)),
        Datum::Array(a) => Datum::Array(Arc::new(scalar::offset_parts(a)?.0.clone())),
        _ => return Err(mismatch("DT_DBTIMESTAMPOFFSET")),
    })
}
