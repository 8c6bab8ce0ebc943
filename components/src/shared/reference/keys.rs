//! Key columns: typed once, then hashed and compared in loops over one concrete type.

use super::NONE;
use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType as A, Int16Type, Int64Type};
use dtsx_engine::diag::{Error, Result};

/// A column of keys.
pub(super) struct KeyColumn {
    values: Values,
    nulls: Option<NullBuffer>,
}

/// Values by width: what compares as bits is bits.
enum Values {
    Word32(ScalarBuffer<u32>),
    Word64(ScalarBuffer<u64>),
    Word128(ScalarBuffer<i128>),
    Bytes(BinaryViewArray),
}

/// Odd constants for folded multiplication (digits of π, as foldhash has them).
const SEED: u64 = 0x243F_6A88_85A3_08D3;
const FACTOR: u64 = 0x1319_8A2E_0370_7345;
/// What a NULL hashes to.
const NULL_HASH: u64 = 0xA409_3822_299F_31D0;

/// Spreads every bit of `value` over the result.
#[inline]
fn mix(value: u64) -> u64 {
    let product = u128::from(value ^ SEED) * u128::from(FACTOR);
    (product as u64) ^ ((product >> 64) as u64)
}

impl KeyColumn {
    /// The values of `array`, without copies where its type is 32, 64 or 128 bits wide or bytes.
    ///
    /// # Errors
    /// A type that is no key type, a defect: `bind` refuses those.
    pub(super) fn of(array: &ArrayRef) -> Result<KeyColumn> {
        let nulls = array.nulls().filter(|n| n.null_count() > 0).cloned();
        let small = |values: Vec<u32>| Values::Word32(values.into());
        let values = match array.data_type() {
            A::Int32 | A::UInt32 | A::Date32 | A::Time32(_) => Values::Word32(words(array)),
            A::Int64 | A::UInt64 | A::Timestamp(..) | A::Time64(_) => Values::Word64(words(array)),
            A::Decimal128(..) => Values::Word128(words(array)),
            A::Int8 => {
                small(array.as_primitive::<arrow::datatypes::Int8Type>().values().iter().map(|v| *v as u32).collect())
            }
            A::UInt8 => small(
                array.as_primitive::<arrow::datatypes::UInt8Type>().values().iter().map(|v| u32::from(*v)).collect(),
            ),
            A::Int16 => small(array.as_primitive::<Int16Type>().values().iter().map(|v| *v as u32).collect()),
            A::UInt16 => small(
                array.as_primitive::<arrow::datatypes::UInt16Type>().values().iter().map(|v| u32::from(*v)).collect(),
            ),
            A::Boolean => small(array.as_boolean().values().iter().map(u32::from).collect()),
            A::FixedSizeBinary(16) => {
                let values = array.as_fixed_size_binary();
                let word = |row| values.value(row).try_into().map_or(0, i128::from_ne_bytes);
                Values::Word128((0..values.len()).map(word).collect())
            }
            // An instant and its offset: both have to be equal (unconfirmed).
            A::Struct(_) => {
                let fields = array.as_struct();
                let ticks = fields.column(0).as_primitive::<Int64Type>();
                let offsets = fields.column(1).as_primitive::<Int16Type>();
                let word = |(ticks, offset): (&i64, &i16)| (i128::from(*ticks) << 16) | i128::from(*offset as u16);
                Values::Word128(ticks.values().iter().zip(offsets.values()).map(word).collect())
            }
            A::Utf8View => Values::Bytes(array.as_string_view().clone().to_binary_view()),
            A::BinaryView => Values::Bytes(array.as_binary_view().clone()),
            other => return Err(Error::internal(format!("{other} is no type of keys"))),
        };
        Ok(KeyColumn { values, nulls })
    }

    fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|n| n.is_null(row))
    }

    /// Puts the hashes of rows `start..start + hashes.len()` into `hashes`, or, unless it is the first column, mixes them into what is there.
    pub(super) fn hash(&self, start: usize, first: bool, hashes: &mut [u64]) {
        let end = start + hashes.len();
        let mut put = |row: usize, hash: u64| {
            let hash = if self.is_null(row) { NULL_HASH } else { hash };
            let slot = &mut hashes[row - start];
            *slot = if first { hash } else { mix(slot.rotate_left(23) ^ hash) };
        };
        match &self.values {
            Values::Word32(values) => {
                values[start..end].iter().enumerate().for_each(|(i, v)| put(start + i, mix(u64::from(*v))));
            }
            Values::Word64(values) => values[start..end].iter().enumerate().for_each(|(i, v)| put(start + i, mix(*v))),
            Values::Word128(values) => values[start..end].iter().enumerate().for_each(|(i, v)| {
                put(start + i, mix(mix(*v as u64) ^ ((*v as u128 >> 64) as u64)));
            }),
            Values::Bytes(values) => {
                use std::hash::BuildHasher;
                let state = foldhash::fast::FixedState::with_seed(SEED);
                (start..end).for_each(|row| put(row, mix(state.hash_one(values.value(row)))));
            }
        }
    }

    /// Whether row `a` of this column equals row `b` of `other`, a column of the same type.
    #[inline]
    pub(super) fn equal(&self, a: usize, other: &KeyColumn, b: usize) -> bool {
        match (self.is_null(a), other.is_null(b)) {
            (false, false) => {}
            (a, b) => return a && b,
        }
        match (&self.values, &other.values) {
            (Values::Word32(x), Values::Word32(y)) => x[a] == y[b],
            (Values::Word64(x), Values::Word64(y)) => x[a] == y[b],
            (Values::Word128(x), Values::Word128(y)) => x[a] == y[b],
            (Values::Bytes(x), Values::Bytes(y)) => x.value(a) == y.value(b),
            _ => false,
        }
    }

    /// The values as integers, if they are at most 64 bits wide, one by one with their rows; NULLs left out.
    pub(super) fn integers(&self, mut take: impl FnMut(usize, i64)) -> bool {
        let valid = |row: &usize| !self.is_null(*row);
        match &self.values {
            Values::Word32(values) => {
                (0..values.len()).filter(valid).for_each(|row| take(row, i64::from(values[row] as i32)));
            }
            Values::Word64(values) => (0..values.len()).filter(valid).for_each(|row| take(row, values[row] as i64)),
            _ => return false,
        }
        true
    }

    /// Maps every value as an integer through `find` (NULLs: `null`); false if the values are wider than 64 bits.
    pub(super) fn map_integers(&self, null: u32, find: impl Fn(i64) -> u32, out: &mut Vec<u32>) -> bool {
        match &self.values {
            Values::Word32(values) => out.extend(values.iter().map(|v| find(i64::from(*v as i32)))),
            Values::Word64(values) => out.extend(values.iter().map(|v| find(*v as i64))),
            _ => return false,
        }
        if let Some(nulls) = &self.nulls {
            let start = out.len() - nulls.len();
            for (slot, valid) in out[start..].iter_mut().zip(nulls.iter()) {
                if !valid {
                    *slot = null;
                }
            }
        }
        true
    }

    /// The row of the first NULL.
    pub(super) fn first_null(&self) -> Option<usize> {
        self.nulls.as_ref().and_then(|nulls| nulls.iter().position(|valid| !valid))
    }

    /// How many NULLs there are.
    pub(super) fn null_count(&self) -> usize {
        self.nulls.as_ref().map_or(0, NullBuffer::null_count)
    }

    /// The rows of all NULLs.
    pub(super) fn null_rows(&self) -> impl Iterator<Item = usize> {
        let nulls = self.nulls.iter().flat_map(|nulls| nulls.iter().enumerate());
        nulls.filter(|(_, valid)| !valid).map(|(row, _)| row)
    }

    pub(super) fn len(&self) -> usize {
        match &self.values {
            Values::Word32(values) => values.len(),
            Values::Word64(values) => values.len(),
            Values::Word128(values) => values.len(),
            Values::Bytes(values) => values.len(),
        }
    }
}

/// The values of a primitive array as words of another type of their width.
fn words<T: arrow::datatypes::ArrowNativeType>(array: &ArrayRef) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

/// Rows with a NULL in some key match nothing.
pub(super) fn exclude_nulls(keys: &[KeyColumn], found: &mut [u32]) {
    for key in keys {
        key.null_rows().for_each(|row| found[row] = NONE);
    }
}
