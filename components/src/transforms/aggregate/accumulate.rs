//! What a group gathers: counts, sums, extremes, sets of distinct values.
//!
//! A state is a column with an entry for each group. Sums of integers and decimals are 128 bits wide and exact, so that
//! partial sums may be added in any way; sums of floats and sets of distinct values are not made in parts: they take the
//! rows themselves, in the order of the input, so that the result is the same to the bit whatever the number of lanes.

use super::column::Column;
use super::encode::KeyPlan;
use super::groups::{Groups, Keys, Texts};
use super::words::{self, Addends, Width};
use arrow::array::{Array, ArrayRef, Float32Array, Float64Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use dtsx_engine::batch::Batch;
use dtsx_engine::diag::{Error, Owner, Result, codes};
use dtsx_engine::flow::Slot;
use dtsx_engine::types::{DataType, decimal};

/// `AggregationType`, by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Function {
    GroupBy = 0,
    Count = 1,
    CountAll = 2,
    CountDistinct = 3,
    Sum = 4,
    Average = 5,
    Minimum = 6,
    Maximum = 7,
}

impl Function {
    pub(super) fn from_number(number: i64) -> Option<Function> {
        use Function::*;
        [GroupBy, Count, CountAll, CountDistinct, Sum, Average, Minimum, Maximum]
            .get(usize::try_from(number).ok()?)
            .copied()
    }
}

/// An output column that is computed.
#[derive(Debug)]
pub(super) struct Aggregate {
    pub(super) function: Function,
    /// The column that it is computed of; none for "count all".
    pub(super) input: Option<(Slot, DataType)>,
    pub(super) output: DataType,
    /// How the values of a distinct count are told apart.
    pub(super) distinct: Option<KeyPlan>,
    /// The output column, for messages.
    pub(super) name: String,
}

/// The values of a batch for one aggregate, by row.
pub(super) struct Input {
    pub(super) nulls: Option<NullBuffer>,
    pub(super) values: Values,
}

/// Values by row; those of NULLs mean nothing.
pub(super) enum Values {
    None,
    Word(ScalarBuffer<i64>),
    Long(ScalarBuffer<i128>),
    Float(ScalarBuffer<f64>),
    Keys(Keys, Vec<u64>),
}

/// The state of one aggregate, by group.
#[derive(Debug)]
pub(super) enum State {
    Count(Column<u64>),
    /// Sums and averages of integers and decimals.
    Sum {
        sums: Column<i128>,
        counts: Column<u64>,
        overflow: bool,
    },
    /// Sums and averages of floats.
    Float {
        sums: Column<f64>,
        counts: Column<u64>,
    },
    Extreme {
        words: Column<i64>,
        seen: Column<bool>,
        largest: bool,
    },
    LongExtreme {
        words: Column<i128>,
        seen: Column<bool>,
        largest: bool,
    },
    Distinct {
        counts: Column<u64>,
        values: Groups,
    },
}

impl Aggregate {
    /// Whether partial results say less than the rows.
    pub(super) fn needs_rows(&self) -> bool {
        matches!(self.state(), State::Float { .. } | State::Distinct { .. })
    }

    /// The state of no groups.
    pub(super) fn state(&self) -> State {
        let float = matches!(self.input, Some((_, DataType::R4 | DataType::R8)));
        let two = self.input.is_some_and(|(_, t)| words::width(&t) == Width::Two);
        match self.function {
            Function::Sum | Function::Average if float => State::Float { sums: Column::new(), counts: Column::new() },
            Function::Sum | Function::Average => {
                State::Sum { sums: Column::new(), counts: Column::new(), overflow: false }
            }
            Function::Minimum | Function::Maximum => {
                let largest = self.function == Function::Maximum;
                match two {
                    true => State::LongExtreme { words: Column::new(), seen: Column::new(), largest },
                    false => State::Extreme { words: Column::new(), seen: Column::new(), largest },
                }
            }
            Function::CountDistinct => {
                let like = match self.distinct.as_ref().map(KeyPlan::none) {
                    Some(Keys::Words { size, .. }) => Keys::Words { size: size + 1, rows: 0, words: Vec::new() },
                    _ => Keys::Bytes(Texts::default()),
                };
                State::Distinct { counts: Column::new(), values: Groups::new(&like) }
            }
            Function::GroupBy | Function::Count | Function::CountAll => State::Count(Column::new()),
        }
    }

    /// What the aggregate needs of a batch.
    ///
    /// # Errors
    /// Internal, if a column is not in the physical form of its type.
    pub(super) fn input(&self, batch: &Batch) -> Result<Input> {
        let Some((slot, data_type)) = &self.input else { return Ok(Input { nulls: None, values: Values::None }) };
        let array = &batch.columns[slot.0];
        let nulls = array.logical_nulls().filter(|n| n.null_count() > 0);
        let values = match self.function {
            Function::Sum | Function::Average => match words::addends(array, data_type)? {
                Addends::Word(words) => Values::Word(words),
                Addends::Long(words) => Values::Long(words),
                Addends::Float(values) => Values::Float(values),
            },
            Function::Minimum | Function::Maximum => match words::width(data_type) {
                Width::Two => Values::Long(words::long_words(array, data_type)?),
                _ => Values::Word(words::words(array, data_type)?),
            },
            Function::CountDistinct => match &self.distinct {
                Some(plan) => {
                    let keys = plan.encode(batch)?;
                    let hashes = keys.hashes();
                    Values::Keys(keys, hashes)
                }
                None => Values::None,
            },
            _ => Values::None,
        };
        Ok(Input { nulls, values })
    }

    /// The output column: group `order[i].1` of state `order[i].0`, in that order.
    ///
    /// # Errors
    /// DTS_E_TXAGG_ARITHMETICOVERFLOW, if a result does not fit the column.
    pub(super) fn finish(&self, states: &[&State], order: &[(u32, u32)]) -> Result<ArrayRef> {
        let overflow = || {
            let code = codes::DTS_E_TXAGG_ARITHMETICOVERFLOW;
            Error::new(Owner::Data, code, code.message(&[&self.name]))
        };
        if states.iter().any(|s| matches!(s, State::Sum { overflow: true, .. })) {
            return Err(overflow());
        }
        let average = self.function == Function::Average;
        let places = || order.iter().map(|(state, group)| (states[*state as usize], *group as usize));
        let array = match states.first() {
            Some(State::Count(_) | State::Distinct { .. }) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::Count(counts) | State::Distinct { counts, .. } => Some(i128::from(counts[group])),
                    _ => None,
                };
                numbers(places().map(value).collect(), &self.output)
            }
            Some(State::Sum { .. }) if average && matches!(self.output, DataType::R4 | DataType::R8) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::Sum { sums, counts, .. } if counts[group] > 0 => {
                        Some(sums[group] as f64 / counts[group] as f64)
                    }
                    _ => None,
                };
                Some(floats(places().map(value).collect(), &self.output))
            }
            Some(State::Sum { .. }) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::Sum { sums, counts, .. } if counts[group] > 0 => {
                        Some(if average { mean(sums[group], counts[group]) } else { sums[group] })
                    }
                    _ => None,
                };
                numbers(places().map(value).collect(), &self.output)
            }
            Some(State::Float { .. }) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::Float { sums, counts } if counts[group] > 0 => {
                        Some(if average { sums[group] / counts[group] as f64 } else { sums[group] })
                    }
                    _ => None,
                };
                Some(floats(places().map(value).collect(), &self.output))
            }
            Some(State::Extreme { .. }) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::Extreme { words, seen, .. } => (words[group], seen[group]),
                    _ => (0, false),
                };
                let (values, seen): (Vec<i64>, Vec<bool>) = places().map(value).unzip();
                words::from_words(values, Some(NullBuffer::from(seen)), &self.output)
            }
            Some(State::LongExtreme { .. }) => {
                let value = |(state, group): (&State, usize)| match state {
                    State::LongExtreme { words, seen, .. } => (words[group], seen[group]),
                    _ => (0, false),
                };
                let (values, seen): (Vec<i128>, Vec<bool>) = places().map(value).unzip();
                words::from_long_words(values, Some(NullBuffer::from(seen)), &self.output)
            }
            None => return Err(Error::internal("an aggregate without a state")),
        };
        array.ok_or_else(overflow)
    }
}

/// What no floats add up to: 0 would turn a sum of -0 into 0.
pub(super) const NO_SUM: f64 = -0.0;

/// A sum of decimals divided by their number. How SSIS rounds is unconfirmed: as expressions do when they divide.
fn mean(sum: i128, count: u64) -> i128 {
    sum / i128::from(count)
}

/// Integers or decimals as a column; None if one does not fit.
fn numbers(values: Vec<Option<i128>>, data_type: &DataType) -> Option<ArrayRef> {
    use DataType::*;
    let nulls = values.iter().any(Option::is_none).then(|| values.iter().map(Option::is_some).collect::<NullBuffer>());
    let plain = |value: &Option<i128>| value.unwrap_or_default();
    if words::width(data_type) == Width::Two {
        let fits = |value: i128| match data_type {
            Cy => i64::try_from(value).is_ok(),
            Decimal { .. } => decimal::fit_decimal(value).is_some(),
            Numeric { precision, .. } => decimal::fit(value, *precision).is_some(),
            _ => false,
        };
        let values: Vec<i128> = values.iter().map(plain).collect();
        return if values.iter().all(|v| fits(*v)) { words::from_long_words(values, nulls, data_type) } else { None };
    }
    // The words of DT_UI8 are moved down.
    let shift = if matches!(data_type, UI8) { i128::from(i64::MIN) } else { 0 };
    let word = |value: &Option<i128>| i64::try_from(plain(value) + if value.is_some() { shift } else { 0 }).ok();
    words::from_words(values.iter().map(word).collect::<Option<_>>()?, nulls, data_type)
}

fn floats(values: Vec<Option<f64>>, data_type: &DataType) -> ArrayRef {
    match data_type {
        DataType::R4 => std::sync::Arc::new(values.iter().map(|v| v.map(|v| v as f32)).collect::<Float32Array>()),
        _ => std::sync::Arc::new(values.into_iter().collect::<Float64Array>()),
    }
}

impl Input {
    /// The values of some rows.
    pub(super) fn select(&self, rows: &[u32]) -> Input {
        fn of<T: Copy>(values: &[T], rows: &[u32]) -> Vec<T> {
            rows.iter().map(|r| values[*r as usize]).collect()
        }
        let valid = |nulls: &NullBuffer| rows.iter().map(|r| nulls.is_valid(*r as usize)).collect();
        let values = match &self.values {
            Values::None => Values::None,
            Values::Word(values) => Values::Word(of(values, rows).into()),
            Values::Long(values) => Values::Long(of(values, rows).into()),
            Values::Float(values) => Values::Float(of(values, rows).into()),
            Values::Keys(keys, hashes) => Values::Keys(keys.select(rows), of(hashes, rows)),
        };
        Input { nulls: self.nulls.as_ref().map(valid), values }
    }
}

/// Calls `each` with the group and the row of every value that is not NULL.
#[inline(always)]
fn each(groups: &[u32], rows: &[u32], nulls: Option<&NullBuffer>, mut each: impl FnMut(usize, usize)) {
    match nulls {
        None => groups.iter().zip(rows).for_each(|(g, r)| each(*g as usize, *r as usize)),
        Some(nulls) => {
            for (group, row) in groups.iter().zip(rows) {
                if nulls.is_valid(*row as usize) {
                    each(*group as usize, *row as usize);
                }
            }
        }
    }
}

#[inline(always)]
fn keep_extreme<T: Copy + PartialOrd>(best: &mut T, seen: &mut bool, value: T, largest: bool) {
    let better = if largest { value > *best } else { value < *best };
    if better || !*seen {
        *best = value;
        *seen = true;
    }
}

impl State {
    /// Makes room for so many groups; new ones have gathered nothing.
    pub(super) fn resize(&mut self, groups: usize) {
        match self {
            State::Count(counts) => counts.resize(groups, 0),
            State::Sum { sums, counts, .. } => {
                sums.resize(groups, 0);
                counts.resize(groups, 0);
            }
            State::Float { sums, counts } => {
                sums.resize(groups, NO_SUM);
                counts.resize(groups, 0);
            }
            State::Extreme { words, seen, .. } => {
                words.resize(groups, 0);
                seen.resize(groups, false);
            }
            State::LongExtreme { words, seen, .. } => {
                words.resize(groups, 0);
                seen.resize(groups, false);
            }
            State::Distinct { counts, .. } => counts.resize(groups, 0),
        }
    }

    /// Bytes that a group takes, without what a set of distinct values holds.
    pub(super) fn width(&self) -> usize {
        match self {
            State::Count(_) | State::Distinct { .. } => 8,
            State::Sum { .. } => 24,
            State::Float { .. } => 16,
            State::Extreme { .. } => 9,
            State::LongExtreme { .. } => 17,
        }
    }

    /// Bytes held beside the entries of the groups.
    pub(super) fn heap(&self) -> usize {
        match self {
            State::Distinct { values, .. } => values.heap(),
            _ => 0,
        }
    }

    /// Bytes that the values of so many rows may take beside the entries of the groups.
    pub(super) fn growth(&self, input: Option<&Input>, rows: &[u32]) -> usize {
        match (self, input.map(|i| &i.values)) {
            (State::Distinct { values, .. }, Some(Values::Keys(keys, _))) => {
                values.growth(rows.len()) + keys.size_of(rows) + 8 * rows.len()
            }
            _ => 0,
        }
    }

    /// Takes the values of `rows`, which belong to `groups`.
    ///
    /// # Errors
    /// DTS_E_TXAGG_TOOMANYCOUNTDISTINCTVALUES.
    pub(super) fn update(&mut self, groups: &[u32], rows: &[u32], input: &Input) -> Result<()> {
        let nulls = input.nulls.as_ref();
        match (self, &input.values) {
            (State::Count(counts), _) => each(groups, rows, nulls, |g, _| counts[g] += 1),
            // More 64-bit values than there can be fit into 128 bits.
            (State::Sum { sums, counts, .. }, Values::Word(values)) => each(groups, rows, nulls, |g, r| {
                sums[g] = sums[g].wrapping_add(i128::from(values[r]));
                counts[g] += 1;
            }),
            (State::Sum { sums, counts, overflow }, Values::Long(values)) => each(groups, rows, nulls, |g, r| {
                let (sum, over) = sums[g].overflowing_add(values[r]);
                sums[g] = sum;
                *overflow |= over;
                counts[g] += 1;
            }),
            (State::Float { sums, counts }, Values::Float(values)) => each(groups, rows, nulls, |g, r| {
                sums[g] += values[r];
                counts[g] += 1;
            }),
            (State::Extreme { words, seen, largest: true }, Values::Word(values)) => {
                each(groups, rows, nulls, |g, r| keep_extreme(&mut words[g], &mut seen[g], values[r], true));
            }
            (State::Extreme { words, seen, .. }, Values::Word(values)) => {
                each(groups, rows, nulls, |g, r| keep_extreme(&mut words[g], &mut seen[g], values[r], false));
            }
            (State::LongExtreme { words, seen, largest }, Values::Long(values)) => {
                each(groups, rows, nulls, |g, r| keep_extreme(&mut words[g], &mut seen[g], values[r], *largest));
            }
            (State::Distinct { counts, values }, Values::Keys(keys, hashes)) => {
                distinct(counts, values, groups, rows, nulls, keys, hashes)?;
            }
            _ => return Err(Error::internal("an aggregate of values of another kind")),
        }
        Ok(())
    }

    /// What some groups gathered; not for states that take rows.
    pub(super) fn select(&self, groups: &[u32]) -> State {
        match self {
            State::Count(counts) | State::Distinct { counts, .. } => State::Count(counts.select(groups, 0)),
            State::Sum { sums, counts, overflow } => {
                State::Sum { sums: sums.select(groups, 0), counts: counts.select(groups, 0), overflow: *overflow }
            }
            State::Float { sums, counts } => {
                State::Float { sums: sums.select(groups, NO_SUM), counts: counts.select(groups, 0) }
            }
            State::Extreme { words, seen, largest } => {
                State::Extreme { words: words.select(groups, 0), seen: seen.select(groups, false), largest: *largest }
            }
            State::LongExtreme { words, seen, largest } => State::LongExtreme {
                words: words.select(groups, 0),
                seen: seen.select(groups, false),
                largest: *largest,
            },
        }
    }

    /// Adds what the groups `from` of another state gathered to `groups`.
    pub(super) fn merge(&mut self, groups: &[u32], other: &State, from: &[u32]) {
        match (self, other) {
            (State::Count(counts), State::Count(other)) => {
                each(groups, from, None, |g, f| counts[g] += other[f]);
            }
            (
                State::Sum { sums, counts, overflow },
                State::Sum { sums: other_sums, counts: other_counts, overflow: other_overflow },
            ) => {
                *overflow |= other_overflow;
                each(groups, from, None, |g, f| {
                    let (sum, over) = sums[g].overflowing_add(other_sums[f]);
                    sums[g] = sum;
                    *overflow |= over;
                    counts[g] += other_counts[f];
                });
            }
            (State::Extreme { words, seen, largest }, State::Extreme { words: other, seen: had, .. }) => {
                each(groups, from, None, |g, f| {
                    if had[f] {
                        keep_extreme(&mut words[g], &mut seen[g], other[f], *largest);
                    }
                });
            }
            (State::LongExtreme { words, seen, largest }, State::LongExtreme { words: other, seen: had, .. }) => {
                each(groups, from, None, |g, f| {
                    if had[f] {
                        keep_extreme(&mut words[g], &mut seen[g], other[f], *largest);
                    }
                });
            }
            _ => debug_assert!(false, "states that take rows are not merged"),
        }
    }
}

/// Counts the values of a group that it has not met: a set of (group, value).
fn distinct(
    counts: &mut Column<u64>,
    values: &mut Groups,
    groups: &[u32],
    rows: &[u32],
    nulls: Option<&NullBuffer>,
    keys: &Keys,
    hashes: &[u64],
) -> Result<()> {
    let mut owners = Vec::with_capacity(rows.len());
    let mut mixed = Vec::with_capacity(rows.len());
    let mut pairs = values.keys.none_like();
    each(groups, rows, nulls, |group, row| {
        owners.push(group as u32);
        // Any mixture does, if it is the same in every run.
        mixed.push(
            (hashes[row] ^ (group as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15))
                .rotate_left(29)
                .wrapping_mul(0xD6E8_FEB8_6659_FD93),
        );
        match (&mut pairs, keys) {
            (Keys::Words { rows, words, .. }, Keys::Words { size, words: from, .. }) => {
                words.push(group as u64);
                words.extend_from_slice(&from[row * size..(row + 1) * size]);
                *rows += 1;
            }
            (Keys::Bytes(texts), Keys::Bytes(from) | Keys::Shown { keys: from, .. }) => {
                texts.bytes.extend_from_slice(&(group as u32).to_le_bytes());
                texts.bytes.extend_from_slice(from.get(row));
                texts.end();
            }
            _ => {}
        }
    });
    // The table looks at the lower half: mix the upper one in.
    mixed.iter_mut().for_each(|hash| *hash ^= *hash >> 32);
    let places: Vec<u32> = (0..owners.len() as u32).collect();
    let (mut numbers, mut fresh) = (Vec::new(), Vec::new());
    values.find(&pairs, &mixed, &places, &mut numbers, &mut fresh).map_err(|_| {
        let code = codes::DTS_E_TXAGG_TOOMANYCOUNTDISTINCTVALUES;
        Error::new(Owner::Data, code, code.message(&[]))
    })?;
    fresh.iter().for_each(|place| counts[owners[*place as usize] as usize] += 1);
    Ok(())
}
