//! Rows as bytes: what a sort keeps of a batch, so that a row is one place in memory and not one a column.
//!
//! A row has a part of fixed width (a bit a column that says NULL, the values, the lengths of texts, the place of its heap)
//! and a heap of its texts, one after the other. Batches are written row by row once, in memory order, and read in
//! sorted order once: a few cache lines a row instead of one or two a value.

use arrow::array::{
    Array, ArrayData, ArrayRef, AsArray, BinaryArray, BinaryViewArray, BooleanBufferBuilder, Int16Array, Int64Array,
    NullArray, NullBufferBuilder, StringArray, StringViewArray, StructArray, make_array,
};
use arrow::buffer::{Buffer, NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Decimal128Type, Int16Type, Int64Type};
use dtsx_engine::diag::{Error, Result};
use dtsx_engine::types::DataType;
use std::sync::Arc;

/// Rows that are gathered at a time: so many that their misses overlap, so few that they stay in the first cache.
const PART: usize = 256;
/// Texts that are copied as if they had so many bytes.
const SHORT: usize = 16;
/// Bytes that a view holds itself.
const INLINE: u32 = 12;

/// How a column stands in a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    /// Nowhere: it has no values.
    Nothing,
    Bool,
    Fixed1,
    Fixed2,
    Fixed4,
    Fixed8,
    Fixed16,
    /// A decimal whose digits fit into eight bytes.
    Narrow,
    /// Sixteen bytes that are no number.
    Guid,
    /// Ticks and minutes.
    Offset,
    /// A length of two or four bytes; the bytes are in the heap.
    Short,
    Long,
}

impl Kind {
    fn of(data_type: &DataType) -> Kind {
        match data_type {
            DataType::Null => Kind::Nothing,
            DataType::Bool => Kind::Bool,
            DataType::Cy => Kind::Narrow,
            DataType::Numeric { precision, .. } if *precision <= 18 => Kind::Narrow,
            DataType::Decimal { .. } | DataType::Numeric { .. } => Kind::Fixed16,
            DataType::Guid => Kind::Guid,
            DataType::DbTimeStampOffset { .. } => Kind::Offset,
            DataType::Str { .. } | DataType::WStr { .. } | DataType::Bytes { .. } => Kind::Short,
            DataType::Text { .. } | DataType::NText | DataType::Image => Kind::Long,
            DataType::I1 | DataType::UI1 => Kind::Fixed1,
            DataType::I2 | DataType::UI2 => Kind::Fixed2,
            DataType::I4 | DataType::UI4 | DataType::R4 | DataType::DbDate | DataType::DbTime => Kind::Fixed4,
            _ => Kind::Fixed8,
        }
    }

    fn width(self) -> usize {
        match self {
            Kind::Nothing => 0,
            Kind::Bool | Kind::Fixed1 => 1,
            Kind::Fixed2 | Kind::Short => 2,
            Kind::Fixed4 | Kind::Long => 4,
            Kind::Fixed8 | Kind::Narrow => 8,
            Kind::Offset => 10,
            Kind::Fixed16 | Kind::Guid => 16,
        }
    }

    fn is_in_heap(self) -> bool {
        matches!(self, Kind::Short | Kind::Long)
    }
}

#[derive(Clone, Debug)]
struct Field {
    slot: usize,
    data_type: DataType,
    kind: Kind,
    at: usize,
}

/// Where the columns stand in a row.
#[derive(Clone, Debug)]
pub(super) struct RowLayout {
    fields: Vec<Field>,
    /// The heap's place; None without texts.
    heap_at: Option<usize>,
    width: usize,
}

/// Rows: their fixed parts, and their heaps in the same order.
#[derive(Debug, Default)]
pub(super) struct RowBlock {
    pub(super) fixed: Vec<u8>,
    pub(super) heap: Vec<u8>,
}

impl RowBlock {
    pub(super) fn memory(&self) -> usize {
        self.fixed.capacity() + self.heap.capacity()
    }
}

/// `N` bytes at a place. Inlined, as a call costs more than the bytes.
#[inline(always)]
fn read<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; N])
}

#[inline(always)]
fn write<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(place) = bytes.get_mut(at..).and_then(|rest| rest.first_chunk_mut()) {
        *place = value;
    }
}

impl RowLayout {
    /// Rows of `columns`: the place of each in a batch, and its type.
    pub(super) fn new(columns: &[(usize, DataType)]) -> RowLayout {
        let mut at = columns.len().div_ceil(8).max(1);
        let mut fields = Vec::with_capacity(columns.len());
        for (slot, data_type) in columns {
            let kind = Kind::of(data_type);
            fields.push(Field { slot: *slot, data_type: *data_type, kind, at });
            at += kind.width();
        }
        let heap_at = fields.iter().any(|f| f.kind.is_in_heap()).then_some(at);
        RowLayout { fields, heap_at, width: at + heap_at.map_or(0, |_| 4) }
    }

    /// Rows `start..start + rows` of a batch without selection, as bytes.
    pub(super) fn write(&self, columns: &[ArrayRef], start: usize, rows: usize) -> Result<RowBlock> {
        let mut fixed = vec![0u8; rows * self.width];
        let mut texts: Vec<(&Field, BinaryViewArray)> = Vec::new();
        for (index, field) in self.fields.iter().enumerate() {
            let array = columns[field.slot].slice(start, rows);
            if array.null_count() > 0 {
                let (byte, bit) = (index / 8, 1 << (index % 8));
                for row in (0..rows).filter(|row| array.is_null(*row)) {
                    fixed[row * self.width + byte] |= bit;
                }
            }
            match field.kind {
                Kind::Short | Kind::Long => texts.push((field, as_bytes(&array))),
                _ => self.write_fixed(field, &array, &mut fixed)?,
            }
        }
        let heap = self.write_heap(&texts, &mut fixed)?;
        Ok(RowBlock { fixed, heap })
    }

    fn write_fixed(&self, field: &Field, array: &ArrayRef, fixed: &mut [u8]) -> Result<()> {
        let at = field.at;
        let data = array.to_data();
        macro_rules! fixed {
            ($native:ty) => {
                for (row, value) in rows_of(fixed, self.width).zip(data.buffer::<$native>(0)) {
                    write(row, at, value.to_le_bytes());
                }
            };
        }
        match field.kind {
            Kind::Nothing | Kind::Short | Kind::Long => {}
            Kind::Bool => {
                let values = array.as_boolean();
                rows_of(fixed, self.width).enumerate().for_each(|(row, bytes)| bytes[at] = u8::from(values.value(row)));
            }
            Kind::Fixed1 => fixed!(u8),
            Kind::Fixed2 => fixed!(u16),
            Kind::Fixed4 => fixed!(u32),
            Kind::Fixed8 => fixed!(u64),
            Kind::Fixed16 => fixed!(i128),
            Kind::Narrow => {
                let values = array.as_primitive::<Decimal128Type>();
                for (row, value) in rows_of(fixed, self.width).zip(values.values()) {
                    // What stands under a NULL does not matter.
                    let narrow = *value as i64;
                    write(row, at, narrow.to_le_bytes());
                }
                let fits = |row: usize| values.is_null(row) || i64::try_from(values.value(row)).is_ok();
                if !(0..values.len()).all(fits) {
                    return Err(Error::internal(format!("a value beyond {}", field.data_type)));
                }
            }
            Kind::Guid => {
                let values = array.as_fixed_size_binary();
                for (row, bytes) in rows_of(fixed, self.width).enumerate() {
                    bytes[at..at + 16].copy_from_slice(values.value(row));
                }
            }
            Kind::Offset => {
                let values = array.as_struct();
                let ticks = values.column(0).as_primitive::<Int64Type>();
                let minutes = values.column(1).as_primitive::<Int16Type>();
                for (row, bytes) in rows_of(fixed, self.width).enumerate() {
                    write(bytes, at, ticks.value(row).to_le_bytes());
                    write(bytes, at + 8, minutes.value(row).to_le_bytes());
                }
            }
        }
        Ok(())
    }

    fn write_heap(&self, texts: &[(&Field, BinaryViewArray)], fixed: &mut [u8]) -> Result<Vec<u8>> {
        let Some(heap_at) = self.heap_at else { return Ok(Vec::new()) };
        let length = |(_, array): &(&Field, BinaryViewArray)| -> usize {
            array.views().iter().map(|v| *v as u32 as usize).sum()
        };
        let total: usize = texts.iter().map(length).sum();
        if u32::try_from(total).is_err() {
            return Err(Error::internal("a batch of more than 4 GB of text"));
        }
        let mut heap = Vec::with_capacity(total + SHORT);
        for (row, bytes) in rows_of(fixed, self.width).enumerate() {
            write(bytes, heap_at, (heap.len() as u32).to_le_bytes());
            for (field, array) in texts {
                if array.is_null(row) {
                    continue;
                }
                let view = array.views()[row];
                let length = view as u32;
                if length <= INLINE {
                    // Bytes of a fixed number are copied without a call; those too many are written over.
                    let end = heap.len() + length as usize;
                    heap.extend_from_slice(&view.to_le_bytes()[4..]);
                    heap.truncate(end);
                } else {
                    heap.extend_from_slice(array.value(row));
                }
                if field.kind == Kind::Short {
                    let short = u16::try_from(length);
                    let short = short.map_err(|_| Error::internal(format!("a value beyond {}", field.data_type)))?;
                    write(bytes, field.at, short.to_le_bytes());
                } else {
                    write(bytes, field.at, length.to_le_bytes());
                }
            }
        }
        Ok(heap)
    }

    /// The fixed part of a row.
    pub(super) fn row<'a>(&self, block: &'a RowBlock, row: usize) -> &'a [u8] {
        &block.fixed[row * self.width..(row + 1) * self.width]
    }

    /// Bytes of the heap of the row whose fixed part is `row`.
    pub(super) fn heap_length(&self, row: &[u8]) -> usize {
        self.fields.iter().filter(|f| f.kind.is_in_heap()).map(|f| length(f, row)).sum()
    }

    fn heap_start(&self, row: &[u8]) -> usize {
        self.heap_at.map_or(0, |at| u32::from_le_bytes(read(row, at)) as usize)
    }

    /// Appends a row of one block to another.
    pub(super) fn copy(&self, from: &RowBlock, row: usize, to: &mut RowBlock) {
        let fixed = self.row(from, row);
        let place = to.fixed.len();
        to.fixed.extend_from_slice(fixed);
        if let Some(at) = self.heap_at {
            let start = self.heap_start(fixed);
            let heap = &from.heap[start..start + self.heap_length(fixed)];
            to.fixed[place + at..place + at + 4].copy_from_slice(&(to.heap.len() as u32).to_le_bytes());
            to.heap.extend_from_slice(heap);
        }
    }

    /// The rows `picks` as columns, in the order of the layout's fields. A pick names a block and a row of it.
    pub(super) fn gather<'a>(
        &self,
        picks: &[(u32, u32)],
        block: impl Fn(u32) -> &'a RowBlock,
    ) -> Result<Vec<ArrayRef>> {
        let width = self.width;
        let mut columns: Vec<Gathered> = self.fields.iter().map(|f| Gathered::new(f, picks.len())).collect();
        let mut scratch = vec![0u8; PART.min(picks.len()) * width];
        let mut nulls = vec![0u8; self.fields.len().div_ceil(8)];
        let mut heaps: Vec<&[u8]> = Vec::with_capacity(PART);
        let mut cursors: Vec<usize> = Vec::with_capacity(PART);
        for part in picks.chunks(PART) {
            heaps.clear();
            cursors.clear();
            for (row, (from, at)) in scratch.chunks_exact_mut(width).zip(part) {
                let block = block(*from);
                let start = *at as usize * width;
                row.copy_from_slice(&block.fixed[start..start + width]);
                heaps.push(&block.heap);
            }
            let rows = &scratch[..part.len() * width];
            if self.heap_at.is_some() {
                cursors.extend(rows.chunks_exact(width).map(|row| self.heap_start(row)));
                // One byte of each heap, so that the memory is on its way for all of them before the first is copied.
                let touched = heaps.iter().zip(&cursors).fold(0u8, |sum, (heap, at)| sum ^ heap.get(*at).unwrap_or(&0));
                std::hint::black_box(touched);
            }
            nulls.fill(0);
            for row in rows.chunks_exact(width) {
                nulls.iter_mut().zip(row).for_each(|(all, byte)| *all |= byte);
            }
            for (index, (field, column)) in self.fields.iter().zip(&mut columns).enumerate() {
                column.nulls(rows, width, index, nulls[index / 8]);
                column.values(field, rows, width, &heaps, &mut cursors);
            }
        }
        columns.into_iter().zip(&self.fields).map(|(column, field)| column.finish(field)).collect()
    }
}

fn rows_of(fixed: &mut [u8], width: usize) -> std::slice::ChunksExactMut<'_, u8> {
    fixed.chunks_exact_mut(width)
}

#[inline(always)]
fn length(field: &Field, row: &[u8]) -> usize {
    match field.kind {
        Kind::Short => usize::from(u16::from_le_bytes(read(row, field.at))),
        _ => u32::from_le_bytes(read(row, field.at)) as usize,
    }
}

/// Appends a text from a heap. A short one is copied as a fixed number of bytes, those too many are written over.
#[inline(always)]
fn push_text(bytes: &mut Vec<u8>, heap: &[u8], at: usize, length: usize) {
    match heap.get(at..).and_then(|rest| rest.first_chunk::<SHORT>()) {
        Some(chunk) if length <= SHORT => {
            let end = bytes.len() + length;
            bytes.extend_from_slice(chunk);
            bytes.truncate(end);
        }
        _ => bytes.extend_from_slice(&heap[at..at + length]),
    }
}

/// Text or bytes, as bytes.
fn as_bytes(array: &ArrayRef) -> BinaryViewArray {
    match array.data_type() {
        ArrowType::Utf8View => array.as_string_view().clone().to_binary_view(),
        _ => array.as_binary_view().clone(),
    }
}

/// A column in the making.
struct Gathered {
    values: Values,
    nulls: NullBufferBuilder,
    rows: usize,
}

enum Values {
    Nothing,
    Bool(BooleanBufferBuilder),
    One(Vec<u8>),
    Two(Vec<u16>),
    Four(Vec<u32>),
    Eight(Vec<u64>),
    Sixteen(Vec<i128>),
    Guid(Vec<u8>),
    Offset(Vec<i64>, Vec<i16>),
    Text(Vec<i32>, Vec<u8>),
}

impl Gathered {
    fn new(field: &Field, rows: usize) -> Gathered {
        let values = match field.kind {
            Kind::Nothing => Values::Nothing,
            Kind::Bool => Values::Bool(BooleanBufferBuilder::new(rows)),
            Kind::Fixed1 => Values::One(Vec::with_capacity(rows)),
            Kind::Fixed2 => Values::Two(Vec::with_capacity(rows)),
            Kind::Fixed4 => Values::Four(Vec::with_capacity(rows)),
            Kind::Fixed8 => Values::Eight(Vec::with_capacity(rows)),
            Kind::Fixed16 | Kind::Narrow => Values::Sixteen(Vec::with_capacity(rows)),
            Kind::Guid => Values::Guid(Vec::with_capacity(16 * rows)),
            Kind::Offset => Values::Offset(Vec::with_capacity(rows), Vec::with_capacity(rows)),
            Kind::Short | Kind::Long => {
                let mut ends = Vec::with_capacity(rows + 1);
                ends.push(0);
                Values::Text(ends, Vec::new())
            }
        };
        Gathered { values, nulls: NullBufferBuilder::new(rows), rows }
    }

    /// Takes the NULLs of a part; `any` is the byte that the column's bit is in, of all its rows.
    fn nulls(&mut self, rows: &[u8], width: usize, index: usize, any: u8) {
        let (byte, bit) = (index / 8, 1 << (index % 8));
        if any & bit != 0 {
            rows.chunks_exact(width).for_each(|row| self.nulls.append(row[byte] & bit == 0));
        } else {
            self.nulls.append_n_non_nulls(rows.len() / width);
        }
    }

    fn values(&mut self, field: &Field, rows: &[u8], width: usize, heaps: &[&[u8]], cursors: &mut [usize]) {
        let at = field.at;
        let rows = rows.chunks_exact(width);
        match &mut self.values {
            Values::Nothing => {}
            Values::Bool(values) => rows.for_each(|row| values.append(row[at] != 0)),
            Values::One(values) => values.extend(rows.map(|row| row[at])),
            Values::Two(values) => values.extend(rows.map(|row| u16::from_le_bytes(read(row, at)))),
            Values::Four(values) => values.extend(rows.map(|row| u32::from_le_bytes(read(row, at)))),
            Values::Eight(values) => values.extend(rows.map(|row| u64::from_le_bytes(read(row, at)))),
            Values::Sixteen(values) if field.kind == Kind::Narrow => {
                values.extend(rows.map(|row| i128::from(i64::from_le_bytes(read(row, at)))));
            }
            Values::Sixteen(values) => values.extend(rows.map(|row| i128::from_le_bytes(read(row, at)))),
            Values::Guid(values) => rows.for_each(|row| values.extend_from_slice(&row[at..at + 16])),
            Values::Offset(ticks, minutes) => {
                for row in rows {
                    ticks.push(i64::from_le_bytes(read(row, at)));
                    minutes.push(i16::from_le_bytes(read(row, at + 8)));
                }
            }
            Values::Text(ends, bytes) => {
                let first = bytes.is_empty();
                for ((row, heap), cursor) in rows.zip(heaps).zip(cursors) {
                    let length = length(field, row);
                    push_text(bytes, heap, *cursor, length);
                    *cursor += length;
                    // Beyond 2 GB this is wrong, which the end of the column finds.
                    ends.push(bytes.len() as i32);
                }
                if first {
                    // The other parts will need about as much.
                    bytes.reserve(bytes.len() * self.rows.saturating_sub(PART) / PART * 9 / 8 + SHORT);
                }
            }
        }
    }

    fn finish(mut self, field: &Field) -> Result<ArrayRef> {
        let nulls = self.nulls.finish();
        let rows = self.rows;
        let fixed = |buffer: Buffer, nulls: Option<NullBuffer>| -> Result<ArrayRef> {
            let data = ArrayData::builder(field.data_type.arrow()).len(rows).add_buffer(buffer).nulls(nulls);
            Ok(make_array(data.build()?))
        };
        match self.values {
            Values::Nothing => Ok(Arc::new(NullArray::new(rows))),
            Values::Bool(mut values) => fixed(values.finish().into_inner(), nulls),
            Values::One(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Two(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Four(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Eight(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Sixteen(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Guid(values) => fixed(Buffer::from_vec(values), nulls),
            Values::Offset(ticks, minutes) => {
                let ArrowType::Struct(fields) = field.data_type.arrow() else {
                    return Err(Error::internal("an offset that is no structure"));
                };
                let columns: Vec<ArrayRef> =
                    vec![Arc::new(Int64Array::from(ticks)), Arc::new(Int16Array::from(minutes))];
                Ok(Arc::new(StructArray::try_new(fields, columns, nulls)?))
            }
            Values::Text(ends, bytes) => {
                if i32::try_from(bytes.len()).is_err() {
                    return Err(Error::internal("rows of equal keys with more than 2 GB of text"));
                }
                let offsets = OffsetBuffer::new(ends.into());
                let bytes = Buffer::from_vec(bytes);
                if field.data_type.arrow() == ArrowType::Utf8View {
                    Ok(Arc::new(StringViewArray::from(&StringArray::try_new(offsets, bytes, nulls)?)))
                } else {
                    Ok(Arc::new(BinaryViewArray::from(&BinaryArray::try_new(offsets, bytes, nulls)?)))
                }
            }
        }
    }
}
