//! Keys of rows as bits whose order is the order of the rows: nulls first, then by value; descending columns inverted.
//!
//! A row's key is the code of each key column, one after the other. No code is the beginning of another one of the same
//! column, so that comparing bits compares columns in turn, and integers take only as many bits as they need: 96 bits hold
//! the keys of most rows whole. These come as a [`u128`] whose low 32 bits are free for the number of the row; what
//! does not fit is in the row's *tail*.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, Time32SecondType, Time64NanosecondType, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::types::DataType;
use dtsx_engine::types::collation::Collation;
use std::cmp::Ordering;
use std::ops::Range;

/// Bits of a key in its prefix.
const PREFIX: u32 = 96;
/// The bits of an entry that hold the key.
pub(crate) const KEY: u128 = !(u32::MAX as u128);
/// More bits than a prefix has: the rest of the key is in the tail.
const FULL: u8 = u8::MAX;

/// A key column.
#[derive(Clone, Debug)]
pub(crate) struct KeyColumn {
    /// Its place among the columns that are given.
    pub(crate) slot: usize,
    /// Its type.
    pub(crate) data_type: DataType,
    /// Whether the greatest value comes first, and nulls last.
    pub(crate) descending: bool,
    /// The order of text.
    pub(crate) collation: Option<Collation>,
}

/// Whether a type can be a key: large objects cannot.
pub(crate) fn can_be_key(data_type: &DataType) -> bool {
    !data_type.is_blob()
}

/// The keys of the rows of a batch.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    /// The first 96 bits of each key; the low 32 bits are 0.
    pub(crate) prefix: Vec<u128>,
    /// What of the keys follows, if any row has more.
    pub(crate) tails: Option<Tails>,
}

/// The bytes of keys that do not fit into their prefixes; those of other rows are empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tails {
    pub(crate) ends: Vec<u32>,
    pub(crate) bytes: Vec<u8>,
}

impl Tails {
    pub(crate) fn of(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        &self.bytes[start..self.ends[row] as usize]
    }

    pub(crate) fn push(&mut self, tail: &[u8]) {
        self.bytes.extend_from_slice(tail);
        self.ends.push(self.bytes.len() as u32);
    }

    pub(crate) fn memory(&self) -> usize {
        4 * self.ends.capacity() + self.bytes.capacity()
    }
}

impl Keys {
    /// The keys of some rows.
    pub(crate) fn part(&self, range: Range<usize>) -> Keys {
        let mut part = Keys::default();
        part.set(self, range);
        part
    }

    /// Takes the keys of some rows of `other` instead of those it has.
    pub(crate) fn set(&mut self, other: &Keys, range: Range<usize>) {
        self.prefix.clear();
        self.prefix.extend_from_slice(&other.prefix[range.clone()]);
        self.tails = other.tails.as_ref().map(|tails| {
            let mut part = Tails::default();
            range.for_each(|row| part.push(tails.of(row)));
            part
        });
    }

    /// Bytes that they take.
    pub(crate) fn memory(&self) -> usize {
        size_of_val(&self.prefix[..]) + self.tails.as_ref().map_or(0, Tails::memory)
    }

    pub(crate) fn tail(&self, row: usize) -> &[u8] {
        self.tails.as_ref().map_or(&[], |tails| tails.of(row))
    }

    /// The order of two rows.
    #[inline]
    pub(crate) fn compare(&self, row: usize, other: &Keys, other_row: usize) -> Ordering {
        match self.prefix[row].cmp(&other.prefix[other_row]) {
            // Most keys have no tails, and a comparison of nothing is a call all the same.
            Ordering::Equal if self.tails.is_some() || other.tails.is_some() => {
                self.tail(row).cmp(other.tail(other_row))
            }
            order => order,
        }
    }
}

/// Makes keys; keeps its buffers.
#[derive(Debug)]
pub(crate) struct KeyEncoder {
    columns: Vec<KeyColumn>,
    used: Vec<u8>,
    /// By text or bytes column, the codes of its values.
    codes: Vec<Codes>,
}

/// The codes of the values of a column, one after the other.
#[derive(Clone, Debug, Default)]
struct Codes {
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

impl Codes {
    fn of(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }
}

fn mask(bits: u32) -> u128 {
    (1u128 << bits) - 1
}

/// The code of an integer: present, sign, the number of significant bits, and those but the first, which is 1.
#[inline]
fn integer(negative: bool, magnitude: u64) -> (u128, u32) {
    let class = u64::BITS - magnitude.leading_zeros();
    let low = class.saturating_sub(1);
    let body = (u128::from(class) << low) | (u128::from(magnitude) & mask(low));
    let (sign, body) = if negative { (0, !body & mask(7 + low)) } else { (1, body) };
    ((1 << (8 + low)) | (sign << (7 + low)) | body, 9 + low)
}

#[inline]
fn signed(value: i64) -> (u128, u32) {
    if value < 0 { integer(true, !value as u64) } else { integer(false, value as u64) }
}

fn float(value: f64) -> (u128, u32) {
    // One zero, one NaN, which is greater than everything.
    let value = if value == 0.0 { 0.0 } else { value };
    let bits = if value.is_nan() { f64::NAN.abs() } else { value }.to_bits();
    let ordered = if bits >> 63 == 1 { !bits } else { bits | 1 << 63 };
    ((1 << 64) | u128::from(ordered), 65)
}

/// FALSE before TRUE, as databases have it, though TRUE is -1 (unconfirmed).
fn boolean(value: bool) -> (u128, u32) {
    (2 | u128::from(value), 2)
}

/// A decimal of any size, in two codes one after the other.
fn wide(value: i128) -> [(u128, u32); 2] {
    let (negative, magnitude) = if value < 0 { (true, !value as u128) } else { (false, value as u128) };
    let class = u128::BITS - magnitude.leading_zeros();
    let low = class.saturating_sub(1);
    let body = magnitude & mask(low);
    let high = low.saturating_sub(64);
    let first = (u128::from(class) << high) | (body >> (low - high));
    let second = body & mask(low - high);
    let invert = |code: u128, bits: u32| if negative { !code & mask(bits) } else { code };
    let lead = if negative { 2 } else { 3 };
    [((lead << (8 + high)) | invert(first, 8 + high), 10 + high), (invert(second, low - high), low - high)]
}

impl KeyEncoder {
    pub(crate) fn new(columns: Vec<KeyColumn>) -> KeyEncoder {
        let codes = vec![Codes::default(); columns.len()];
        KeyEncoder { columns, used: Vec::new(), codes }
    }

    /// The keys of the rows of `columns`.
    ///
    /// # Errors
    /// A column that is not of its type, a defect.
    pub(crate) fn encode(&mut self, columns: &[ArrayRef], rows: usize) -> Result<Keys> {
        let mut prefix = vec![0u128; rows];
        self.used.clear();
        self.used.resize(rows, 0);
        for (column, codes) in self.columns.iter().zip(&mut self.codes) {
            let mut sink = Prefixes { prefix: &mut prefix, used: &mut self.used, descending: column.descending };
            let array = &columns[column.slot];
            if is_bytes(&column.data_type) {
                write_codes(column, array, codes)?;
                (0..rows).for_each(|row| sink.bytes(row, codes.of(row)));
            } else {
                each(column, array, &mut |row, code, bits| sink.bits(row, code, bits))?;
            }
        }
        prefix.iter_mut().for_each(|p| *p &= KEY);
        let tails = self.tails(columns, rows)?;
        Ok(Keys { prefix, tails })
    }

    fn tails(&self, columns: &[ArrayRef], rows: usize) -> Result<Option<Tails>> {
        if self.used.iter().all(|used| u32::from(*used) <= PREFIX) {
            return Ok(None);
        }
        let mut whole: Vec<Bits> = self.used.iter().map(|_| Bits::default()).collect();
        for (column, codes) in self.columns.iter().zip(&self.codes) {
            let array = &columns[column.slot];
            if is_bytes(&column.data_type) {
                for (row, bits) in whole.iter_mut().enumerate().filter(|(row, _)| u32::from(self.used[*row]) > PREFIX) {
                    bits.bytes(codes.of(row), column.descending);
                }
            } else {
                each(column, array, &mut |row, code, bits| {
                    if u32::from(self.used[row]) > PREFIX {
                        whole[row].push(if column.descending { !code & mask(bits) } else { code }, bits);
                    }
                })?;
            }
        }
        let mut tails = Tails { ends: Vec::with_capacity(rows), bytes: Vec::new() };
        whole.iter().for_each(|bits| tails.push(bits.bytes.get(PREFIX as usize / 8..).unwrap_or_default()));
        Ok(Some(tails))
    }
}

/// Prefixes in the making, and how many bits each has.
struct Prefixes<'a> {
    prefix: &'a mut [u128],
    used: &'a mut [u8],
    descending: bool,
}

impl Prefixes<'_> {
    #[inline]
    fn bits(&mut self, row: usize, code: u128, bits: u32) {
        let code = if self.descending { !code & mask(bits) } else { code };
        let before = self.used[row];
        if before == FULL || bits == 0 {
            return;
        }
        let total = u32::from(before) + bits;
        if total <= u128::BITS {
            self.prefix[row] |= code << (u128::BITS - total);
            self.used[row] = total as u8;
        } else {
            self.prefix[row] |= code >> (total - u128::BITS);
            self.used[row] = FULL;
        }
    }

    fn bytes(&mut self, row: usize, code: &[u8]) {
        for part in code.chunks(8) {
            if self.used[row] == FULL {
                return;
            }
            let value = part.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
            self.bits(row, u128::from(value), 8 * part.len() as u32);
        }
    }
}

/// Bits in the making, without an end.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0: all.
    open: u32,
}

impl Bits {
    fn push(&mut self, code: u128, bits: u32) {
        let mut left = bits;
        while left > 0 {
            if self.open == 0 {
                self.bytes.push(0);
            }
            let room = 8 - self.open;
            let take = room.min(left);
            let part = ((code >> (left - take)) & mask(take)) as u8;
            if let Some(last) = self.bytes.last_mut() {
                *last |= part << (room - take);
            }
            self.open = (self.open + take) % 8;
            left -= take;
        }
    }

    fn bytes(&mut self, code: &[u8], descending: bool) {
        let flip = if descending { u8::MAX } else { 0 };
        if self.open == 0 {
            self.bytes.extend(code.iter().map(|byte| byte ^ flip));
        } else {
            code.iter().for_each(|byte| self.push(u128::from(byte ^ flip), 8));
        }
    }
}

fn is_bytes(data_type: &DataType) -> bool {
    data_type.is_string() || matches!(data_type, DataType::Bytes { .. } | DataType::Guid)
}

/// Codes of whole bytes: 0 for NULL; else 1, and the value so that no code begins another.
fn write_codes(column: &KeyColumn, array: &ArrayRef, codes: &mut Codes) -> Result<()> {
    codes.ends.clear();
    codes.bytes.clear();
    let Codes { ends, bytes } = codes;
    let mut each = |row: usize, write: &mut dyn FnMut(&mut Vec<u8>)| {
        bytes.push(u8::from(array.is_valid(row)));
        if array.is_valid(row) {
            write(bytes);
        }
        ends.push(bytes.len());
    };
    match &column.data_type {
        DataType::Guid => {
            let values = array.as_fixed_size_binary();
            (0..array.len()).for_each(|row| each(row, &mut |bytes| bytes.extend_from_slice(values.value(row))));
        }
        DataType::Bytes { .. } => {
            let values = array.as_binary_view();
            (0..array.len()).for_each(|row| each(row, &mut |bytes| escape(values.value(row), bytes)));
        }
        _ => {
            let values = array.as_string_view();
            let Some(collation) = &column.collation else {
                return Err(Error::internal("a text key without a collation"));
            };
            (0..array.len()).for_each(|row| {
                each(row, &mut |bytes| {
                    collation.sort_key(values.value(row), bytes);
                    bytes.push(0);
                });
            });
        }
    }
    Ok(())
}

/// Bytes with an end that is lower than any of them.
fn escape(value: &[u8], bytes: &mut Vec<u8>) {
    for byte in value {
        bytes.push(*byte);
        if *byte == 0 {
            bytes.push(u8::MAX);
        }
    }
    bytes.extend([0, 0]);
}

/// Calls `emit` with the row, the code and its bits, for each value in turn.
fn each(column: &KeyColumn, array: &ArrayRef, emit: &mut impl FnMut(usize, u128, u32)) -> Result<()> {
    match &column.data_type {
        DataType::Null => (0..array.len()).for_each(|row| emit(row, 0, 1)),
        DataType::I1 => values::<Int8Type>(array, emit, |v| signed(v.into())),
        DataType::I2 => values::<Int16Type>(array, emit, |v| signed(v.into())),
        DataType::I4 => values::<Int32Type>(array, emit, |v| signed(v.into())),
        DataType::I8 | DataType::DbTimeStamp2 { .. } | DataType::FileTime => values::<Int64Type>(array, emit, signed),
        DataType::UI1 => values::<UInt8Type>(array, emit, |v| integer(false, v.into())),
        DataType::UI2 => values::<UInt16Type>(array, emit, |v| integer(false, v.into())),
        DataType::UI4 => values::<UInt32Type>(array, emit, |v| integer(false, v.into())),
        DataType::UI8 => values::<UInt64Type>(array, emit, |v| integer(false, v)),
        DataType::R4 => values::<Float32Type>(array, emit, |v| float(v.into())),
        DataType::R8 => values::<Float64Type>(array, emit, float),
        DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. } => {
            for (row, value) in array.as_primitive::<Decimal128Type>().iter().enumerate() {
                match value {
                    None => emit(row, 0, 1),
                    Some(value) => wide(value).into_iter().for_each(|(code, bits)| emit(row, code, bits)),
                }
            }
        }
        DataType::Bool => {
            for (row, value) in array.as_boolean().iter().enumerate() {
                let (code, bits) = value.map_or((0, 1), boolean);
                emit(row, code, bits);
            }
        }
        DataType::Date | DataType::DbTimeStamp => values::<TimestampMicrosecondType>(array, emit, signed),
        DataType::DbDate => values::<Date32Type>(array, emit, |v| signed(v.into())),
        DataType::DbTime => values::<Time32SecondType>(array, emit, |v| signed(v.into())),
        DataType::DbTime2 { .. } => values::<Time64NanosecondType>(array, emit, signed),
        DataType::DbTimeStampOffset { .. } => {
            // The moment counts, not the offset that it is told with.
            let ticks = array.as_struct().column(0).as_primitive::<Int64Type>();
            for row in 0..array.len() {
                let (code, bits) = if array.is_valid(row) { signed(ticks.value(row)) } else { (0, 1) };
                emit(row, code, bits);
            }
        }
        other => return Err(Error::internal(format!("{other} as a key"))),
    }
    Ok(())
}

#[inline]
fn values<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    emit: &mut impl FnMut(usize, u128, u32),
    code: impl Fn(T::Native) -> (u128, u32),
) {
    let values = array.as_primitive::<T>();
    if values.null_count() == 0 {
        for (row, value) in values.values().iter().enumerate() {
            let (code, bits) = code(*value);
            emit(row, code, bits);
        }
    } else {
        for (row, value) in values.iter().enumerate() {
            let (code, bits) = value.map_or((0, 1), &code);
            emit(row, code, bits);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Decimal128Array, Float64Array, Int64Array, StringViewArray, UInt64Array};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn column(slot: usize, data_type: DataType, descending: bool) -> KeyColumn {
        let collation = data_type.is_string().then(|| Collation::new(1033, 0).unwrap());
        KeyColumn { slot, data_type, descending, collation }
    }

    fn in_order(keys: &Keys) -> bool {
        (1..keys.prefix.len()).all(|row| keys.compare(row - 1, keys, row) == Ordering::Less)
    }

    #[test]
    fn values_of_every_size_are_in_order() {
        let mut numbers = vec![None];
        for bits in (0..=63).rev() {
            numbers.extend([Some(i64::MIN >> (63 - bits)), Some((i64::MIN >> (63 - bits)) + 1)]);
        }
        numbers.extend((0..63).flat_map(|bits| [Some(1 << bits), Some((1 << bits) + 1)]));
        numbers.push(Some(i64::MAX));
        numbers.sort_unstable();
        numbers.dedup();
        let rows = numbers.len();
        let array: ArrayRef = Arc::new(Int64Array::from(numbers.clone()));
        let wide: Vec<Option<i128>> = numbers.iter().map(|n| n.map(|n| i128::from(n) << 63 | 5)).collect();
        let wide: ArrayRef = Arc::new(Decimal128Array::from(wide));
        let big: Vec<u64> = (0..64).map(|b| 1 << b).collect();
        let big: ArrayRef = Arc::new(UInt64Array::from(big));
        let decimal = DataType::Numeric { precision: 38, scale: 0 };
        for (array, data_type, rows) in [(array, DataType::I8, rows), (wide, decimal, rows), (big, DataType::UI8, 64)] {
            let keys =
                KeyEncoder::new(vec![column(0, data_type, false)]).encode(std::slice::from_ref(&array), rows).unwrap();
            assert!(in_order(&keys), "{data_type}");
            let reverse = arrow::compute::take(&array, &Int64Array::from_iter_values((0..rows as i64).rev()), None);
            let descending = vec![column(0, data_type, true)];
            let keys = KeyEncoder::new(descending).encode(&[reverse.unwrap()], rows).unwrap();
            assert!(in_order(&keys), "{data_type} descending");
        }
        let floats = [None, Some(f64::NEG_INFINITY), Some(-1.5), Some(-0.0), Some(1e-300), Some(7.0), Some(f64::NAN)];
        let floats: ArrayRef = Arc::new(Float64Array::from(floats.to_vec()));
        assert!(in_order(&KeyEncoder::new(vec![column(0, DataType::R8, false)]).encode(&[floats], 7).unwrap()));
    }

    proptest! {
        #[test]
        fn several_columns_are_compared_in_turn(
            rows in prop::collection::vec((prop::option::of(-3i64..300), prop::option::of("[ab]{0,14}"), prop::option::of(any::<i128>())), 1..20),
            descending in any::<[bool; 3]>(),
        ) {
            let wstr = DataType::WStr { len: 20 };
            let decimal = DataType::Numeric { precision: 38, scale: 2 };
            let columns: Vec<ArrayRef> = vec![
                Arc::new(rows.iter().map(|r| r.0).collect::<Int64Array>()),
                Arc::new(rows.iter().map(|r| r.1.clone()).collect::<StringViewArray>()),
                Arc::new(rows.iter().map(|r| r.2.map(|v| v / 4)).collect::<Decimal128Array>()),
            ];
            let types = [DataType::I8, wstr, decimal];
            let keys = (0..3).map(|i| column(i, types[i], descending[i])).collect();
            let keys = KeyEncoder::new(keys).encode(&columns, rows.len()).unwrap();
            let turned = |order: Ordering, i: usize| if descending[i] { order.reverse() } else { order };
            for (i, a) in rows.iter().enumerate() {
                for (j, b) in rows.iter().enumerate() {
                    let expected = turned(a.0.cmp(&b.0), 0)
                        .then(turned(a.1.cmp(&b.1), 1))
                        .then(turned(a.2.map(|v| v / 4).cmp(&b.2.map(|v| v / 4)), 2));
                    prop_assert_eq!(keys.compare(i, &keys, j), expected);
                }
            }
        }
    }
}
