//! Keys, values and states as bytes, for blocks on disk. Read by the run that wrote them, and by nobody else.

use super::accumulate::{Input, NO_SUM, State, Values};
use super::column::Column;
use super::groups::{Keys, Texts};
use super::spill::{put_groups, take_groups};
use arrow::buffer::NullBuffer;
use dtsx_engine::diag::{Error, Result};

/// Bytes to write.
#[derive(Default)]
pub(super) struct Out {
    pub(super) bytes: Vec<u8>,
}

/// Bytes to read.
pub(super) struct In<'a>(&'a [u8]);

macro_rules! slices {
    ($($put:ident $take:ident $type:ty),*) => {
        impl Out {
            $(pub(super) fn $put(&mut self, values: &[$type]) {
                self.u64(values.len() as u64);
                values.iter().for_each(|v| self.bytes.extend_from_slice(&v.to_le_bytes()));
            })*
        }

        impl In<'_> {
            $(pub(super) fn $take(&mut self) -> Result<Vec<$type>> {
                const SIZE: usize = size_of::<$type>();
                let count = self.u64()? as usize;
                let bytes = self.bytes(count.saturating_mul(SIZE))?;
                Ok(bytes.as_chunks::<SIZE>().0.iter().map(|c| <$type>::from_le_bytes(*c)).collect())
            })*
        }
    };
}

slices!(u64s u64s u64, u32s u32s u32, i64s i64s i64, i128s i128s i128, f64s f64s f64, u8s u8s u8);

impl Out {
    pub(super) fn u64(&mut self, value: u64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    pub(super) fn bools(&mut self, values: &[bool]) {
        self.u64(values.len() as u64);
        self.bytes.extend(values.iter().map(|v| u8::from(*v)));
    }

    pub(super) fn option<T>(&mut self, value: Option<&T>, write: impl FnOnce(&T, &mut Out)) {
        self.u64(u64::from(value.is_some()));
        if let Some(value) = value {
            write(value, self);
        }
    }
}

impl<'a> In<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> In<'a> {
        In(bytes)
    }

    fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(count).ok_or_else(torn)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        let (bytes, rest) = self.0.split_first_chunk::<8>().ok_or_else(torn)?;
        self.0 = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    pub(super) fn bools(&mut self) -> Result<Vec<bool>> {
        Ok(self.u8s()?.into_iter().map(|b| b != 0).collect())
    }

    pub(super) fn option<T>(&mut self, read: impl FnOnce(&mut In<'a>) -> Result<T>) -> Result<Option<T>> {
        if self.u64()? == 0 { Ok(None) } else { read(self).map(Some) }
    }
}

fn torn() -> Error {
    Error::internal("a block on disk is not what was written")
}

fn put_texts(out: &mut Out, texts: &Texts) {
    out.u8s(&texts.bytes);
    out.u64(texts.ends.len() as u64);
    texts.ends.iter().for_each(|end| out.u64(*end as u64));
}

fn take_texts(input: &mut In<'_>) -> Result<Texts> {
    let bytes = input.u8s()?;
    let ends = input.u64s()?.into_iter().map(|end| end as usize).collect();
    Ok(Texts { bytes, ends })
}

impl Keys {
    pub(super) fn write(&self, out: &mut Out) {
        match self {
            Keys::Words { size, rows, words } => {
                out.u64(0);
                out.u64(*size as u64);
                out.u64(*rows as u64);
                out.u64s(words);
            }
            Keys::Bytes(texts) => {
                out.u64(1);
                put_texts(out, texts);
            }
            Keys::Shown { keys, shown } => {
                out.u64(2);
                put_texts(out, keys);
                put_texts(out, shown);
            }
        }
    }

    pub(super) fn read(input: &mut In<'_>) -> Result<Keys> {
        Ok(match input.u64()? {
            0 => {
                let (size, rows) = (input.u64()? as usize, input.u64()? as usize);
                Keys::Words { size, rows, words: input.u64s()? }
            }
            1 => Keys::Bytes(take_texts(input)?),
            _ => Keys::Shown { keys: take_texts(input)?, shown: take_texts(input)? },
        })
    }
}

impl Input {
    pub(super) fn write(&self, out: &mut Out) {
        let nulls: Option<Vec<bool>> = self.nulls.as_ref().map(|n| n.iter().collect());
        out.option(nulls.as_ref(), |nulls, out| out.bools(nulls));
        match &self.values {
            Values::None => out.u64(0),
            Values::Word(values) => {
                out.u64(1);
                out.i64s(values);
            }
            Values::Long(values) => {
                out.u64(2);
                out.i128s(values);
            }
            Values::Float(values) => {
                out.u64(3);
                out.f64s(values);
            }
            Values::Keys(keys, hashes) => {
                out.u64(4);
                keys.write(out);
                out.u64s(hashes);
            }
        }
    }

    pub(super) fn read(input: &mut In<'_>) -> Result<Input> {
        let nulls = input.option(In::bools)?.map(NullBuffer::from);
        let values = match input.u64()? {
            0 => Values::None,
            1 => Values::Word(input.i64s()?.into()),
            2 => Values::Long(input.i128s()?.into()),
            3 => Values::Float(input.f64s()?.into()),
            _ => Values::Keys(Keys::read(input)?, input.u64s()?),
        };
        Ok(Input { nulls, values })
    }
}

fn column<T: Copy>(values: Vec<T>, fill: T) -> Column<T> {
    Column::from_values(values.len(), fill, values)
}

impl State {
    pub(super) fn write(&self, out: &mut Out) {
        match self {
            State::Count(counts) => out.u64s(&counts.to_vec()),
            State::Sum { sums, counts, overflow } => {
                out.i128s(&sums.to_vec());
                out.u64s(&counts.to_vec());
                out.bools(&[*overflow]);
            }
            State::Float { sums, counts } => {
                out.f64s(&sums.to_vec());
                out.u64s(&counts.to_vec());
            }
            State::Extreme { words, seen, .. } => {
                out.i64s(&words.to_vec());
                out.bools(&seen.to_vec());
            }
            State::LongExtreme { words, seen, .. } => {
                out.i128s(&words.to_vec());
                out.bools(&seen.to_vec());
            }
            State::Distinct { counts, values } => {
                out.u64s(&counts.to_vec());
                put_groups(out, values);
            }
        }
    }

    /// Becomes what was written by a state of the same kind.
    pub(super) fn read(&mut self, input: &mut In<'_>) -> Result<()> {
        match self {
            State::Count(counts) => *counts = column(input.u64s()?, 0),
            State::Sum { sums, counts, overflow } => {
                *sums = column(input.i128s()?, 0);
                *counts = column(input.u64s()?, 0);
                *overflow = input.bools()?.contains(&true);
            }
            State::Float { sums, counts } => {
                *sums = column(input.f64s()?, NO_SUM);
                *counts = column(input.u64s()?, 0);
            }
            State::Extreme { words, seen, .. } => {
                *words = column(input.i64s()?, 0);
                *seen = column(input.bools()?, false);
            }
            State::LongExtreme { words, seen, .. } => {
                *words = column(input.i128s()?, 0);
                *seen = column(input.bools()?, false);
            }
            State::Distinct { counts, values } => {
                *counts = column(input.u64s()?, 0);
                *values = take_groups(input)?;
            }
        }
        Ok(())
    }
}
