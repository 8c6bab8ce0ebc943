//! Casts of columns and values between `DT_*` types.
//!
//! [`cast_array`] looks at the types once and runs one loop over concrete types; what cannot be converted becomes NULL and
//! a [`Fault`], so that one bad row is an error row and not a dead batch.

mod binary;
mod dates;
mod matrix;
mod numbers;
#[cfg(test)]
mod tests;
mod text;

pub use matrix::can_cast;
pub use text::{TextLimit, until_nul};

use super::parse::ParseError;
use super::{DataType, Value, scalar};
use crate::batch::{Fault, Faults};
use crate::diag::{Code, Error, Owner, Result, codes};
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, BooleanBufferBuilder, PrimitiveArray, new_null_array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use std::sync::Arc;

/// Whose rules a cast follows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CastMode {
    /// A cast operator: text and fractions of seconds are cut silently to what the target takes.
    Expression,
    /// Data Conversion and the like: text and fractions that are cut are truncation faults, with the cut value kept.
    DataFlow,
}

/// How to cast.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CastOptions {
    /// The locale of the component or package.
    pub lcid: u32,
    /// Whether text is read by the locale-free parser (integers, dates and times only; other targets ignore it).
    pub fast_parse: bool,
    /// Whose rules.
    pub mode: CastMode,
}

impl CastOptions {
    /// The rules of cast operators.
    pub fn expression(lcid: u32) -> CastOptions {
        CastOptions { lcid, fast_parse: false, mode: CastMode::Expression }
    }

    /// The rules of Data Conversion.
    pub fn data_flow(lcid: u32) -> CastOptions {
        CastOptions { lcid, fast_parse: false, mode: CastMode::DataFlow }
    }
}

/// The codes that one component reports for what can go wrong with a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FaultCodes {
    /// No value of the type.
    pub cannot_convert: Code,
    /// Text or fraction cut.
    pub truncated: Code,
    /// Negative where the type has no sign.
    pub sign_mismatch: Code,
    /// Beyond the range of the type.
    pub overflow: Code,
}

impl FaultCodes {
    /// Cast operators.
    pub const EXPRESSION: FaultCodes = FaultCodes {
        cannot_convert: codes::DTS_E_EXPREVALSTATIC_CASTFAILED,
        truncated: codes::DTS_S_EXPREVALTRUNCATIONOCCURRED,
        sign_mismatch: codes::DTS_E_EXPREVALDATACONVERSIONOVERFLOW,
        overflow: codes::DTS_E_EXPREVALDATACONVERSIONOVERFLOW,
    };
    /// Data Conversion.
    pub const DATA_CONVERSION: FaultCodes = FaultCodes {
        cannot_convert: codes::DTS_E_TXDATACONVERTSTATIC_CANTCONVERTVALUE,
        truncated: codes::DTS_E_TXDATACONVERTSTATIC_TRUNCATED,
        sign_mismatch: codes::DTS_E_TXDATACONVERTSTATIC_SIGNMISMATCH,
        overflow: codes::DTS_E_TXDATACONVERTSTATIC_DATAOVERFLOW,
    };
    /// Flat File Source.
    pub const FLAT_FILE_SOURCE: FaultCodes = FaultCodes {
        cannot_convert: codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_CANTCONVERTVALUE,
        truncated: codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_TRUNCATED,
        sign_mismatch: codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_SIGNMISMATCH,
        overflow: codes::DTS_E_FLATFILESOURCEADAPTERSTATIC_DATAOVERFLOW,
    };
    /// OLE DB and other database sources.
    pub const DATABASE_SOURCE: FaultCodes = FaultCodes {
        cannot_convert: codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_CANTCONVERTVALUE,
        truncated: codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_TRUNCATED,
        sign_mismatch: codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_SIGNMISMATCH,
        overflow: codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_DATAOVERFLOW,
    };
    /// OLE DB and other database destinations.
    pub const DATABASE_DESTINATION: FaultCodes = FaultCodes {
        cannot_convert: codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_CANTCONVERTVALUE,
        truncated: codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_TRUNCATED,
        sign_mismatch: codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_SIGNMISMATCH,
        overflow: codes::DTS_E_OLEDBDESTINATIONADAPTERSTATIC_DATAOVERFLOW,
    };

    /// The codes of a mode.
    pub const fn of(mode: CastMode) -> FaultCodes {
        match mode {
            CastMode::Expression => FaultCodes::EXPRESSION,
            CastMode::DataFlow => FaultCodes::DATA_CONVERSION,
        }
    }

    /// What `other` says where these say `code`; None for a code that is none of these.
    pub fn translate(&self, other: &FaultCodes, code: Code) -> Option<Code> {
        let pairs = [
            (self.cannot_convert, other.cannot_convert),
            (self.truncated, other.truncated),
            (self.sign_mismatch, other.sign_mismatch),
            (self.overflow, other.overflow),
        ];
        pairs.into_iter().find(|(from, _)| *from == code).map(|(_, to)| to)
    }

    /// The code for a text that could not be read.
    pub const fn parse(&self, error: ParseError) -> Code {
        match error {
            ParseError::Syntax => self.cannot_convert,
            ParseError::Overflow => self.overflow,
            ParseError::Sign => self.sign_mismatch,
        }
    }
}

/// What a kernel knows besides its arrays, and where its faults go.
struct Cx {
    locale: &'static super::locale::Locale,
    fast_parse: bool,
    mode: CastMode,
    codes: FaultCodes,
    faults: Faults,
    /// Whether a fault made a row NULL.
    lost: bool,
}

impl Cx {
    /// The value of the row cannot be had: it becomes NULL.
    #[cold]
    fn fail(&mut self, row: usize, error: ParseError) {
        self.lost = true;
        self.faults.push(Fault { row: row as u32, code: self.codes.parse(error), truncation: false });
    }

    /// The value of the row lost digits or characters.
    #[cold]
    fn cut(&mut self, row: usize) {
        if self.mode == CastMode::DataFlow {
            self.faults.push(Fault { row: row as u32, code: self.codes.truncated, truncation: true });
        }
    }

    /// The nulls of the source and of the rows that failed.
    fn nulls(&self, source: Option<&NullBuffer>, rows: usize) -> Option<NullBuffer> {
        if !self.lost {
            return source.cloned();
        }
        let mut valid = BooleanBufferBuilder::new(rows);
        match source {
            Some(nulls) => valid.append_buffer(nulls.inner()),
            None => valid.append_n(rows, true),
        }
        for fault in self.faults.iter().filter(|fault| !fault.truncation) {
            valid.set_bit(fault.row as usize, false);
        }
        Some(NullBuffer::new(valid.finish()))
    }

    /// One loop over the rows of `source`: `convert` gives the value of a row, and is believed only where there is one.
    #[inline]
    fn primitive<T: ArrowPrimitiveType>(
        &mut self,
        source: &dyn Array,
        to: &DataType,
        mut convert: impl FnMut(&mut Cx, usize) -> std::result::Result<T::Native, ParseError>,
    ) -> ArrayRef {
        let rows = source.len();
        let mut values: Vec<T::Native> = Vec::with_capacity(rows);
        let nulls = source.nulls();
        match nulls.filter(|nulls| nulls.null_count() > 0) {
            None => values.extend((0..rows).map(|row| {
                convert(self, row).unwrap_or_else(|error| {
                    self.fail(row, error);
                    T::Native::default()
                })
            })),
            Some(nulls) => values.extend((0..rows).map(|row| {
                if nulls.is_null(row) {
                    return T::Native::default();
                }
                convert(self, row).unwrap_or_else(|error| {
                    self.fail(row, error);
                    T::Native::default()
                })
            })),
        }
        let nulls = self.nulls(nulls, rows);
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls).with_data_type(to.arrow()))
    }
}

fn wrong_array(array: &dyn Array, from: &DataType) -> Error {
    Error::internal(format!("a column of {from} comes as {}", array.data_type()))
}

/// A cast that [`can_cast`] forbids.
fn illegal(from: &DataType, to: &DataType, mode: CastMode) -> Error {
    let code = match mode {
        CastMode::Expression => codes::DTS_E_EXPREVALDATACONVERSIONNOTSUPPORTED,
        CastMode::DataFlow => codes::DTS_E_CANNOTCONVERTTYPES,
    };
    Error::new(Owner::Package, code, code.message(&[&from.name(), &to.name()]))
}

/// Casts a column. NULL stays NULL; a value that cannot be converted becomes NULL with a fault; what needs no work shares
/// the array.
///
/// # Errors
/// The cast is not legal, a code page is not supported, or the array is not in the physical form of `from`.
pub fn cast_array(
    array: &ArrayRef,
    from: &DataType,
    to: &DataType,
    options: &CastOptions,
) -> Result<(ArrayRef, Faults)> {
    if array.data_type() == &arrow::datatypes::DataType::Null {
        return Ok((new_null_array(&to.arrow(), array.len()), Faults::new()));
    }
    if from == to {
        return Ok((array.clone(), Faults::new()));
    }
    if !can_cast(from, to) {
        return Err(illegal(from, to, options.mode));
    }
    if array.data_type() != &from.arrow() && !(is_decimal(from) && is_decimal_array(array)) {
        return Err(wrong_array(array, from));
    }
    let mut cx = Cx {
        locale: super::locale::Locale::of(options.lcid),
        fast_parse: options.fast_parse,
        mode: options.mode,
        codes: FaultCodes::of(options.mode),
        faults: Faults::new(),
        lost: false,
    };
    let result = dispatch(&mut cx, array, from, to)?;
    Ok((result, cx.faults))
}

fn is_decimal(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. })
}

fn is_decimal_array(array: &dyn Array) -> bool {
    matches!(array.data_type(), arrow::datatypes::DataType::Decimal128(..))
}

fn is_text(data_type: &DataType) -> bool {
    data_type.is_string() || matches!(data_type, DataType::Text { .. } | DataType::NText)
}

fn is_binary(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Bytes { .. } | DataType::Image)
}

fn dispatch(cx: &mut Cx, array: &ArrayRef, from: &DataType, to: &DataType) -> Result<ArrayRef> {
    let number = |t: &DataType| t.is_numeric() || *t == DataType::Bool;
    if is_binary(from) || is_binary(to) {
        binary::cast(cx, array, from, to)
    } else if is_text(from) && is_text(to) {
        text::recode(cx, array, from, to)
    } else if is_text(from) {
        text::read(cx, array, to)
    } else if is_text(to) {
        text::write(cx, array, from, to)
    } else if number(from) && number(to) {
        numbers::cast(cx, array, from, to)
    } else if number(from) {
        dates::from_numbers(cx, array, from, to)
    } else if number(to) {
        dates::to_numbers(cx, array, from, to)
    } else {
        dates::cast(cx, array, from, to)
    }
}

/// Casts one value. Values that are cut are cut silently, whatever the mode.
///
/// # Errors
/// The code for a value that cannot be converted, or for an illegal cast; `DTS_E_EXPREVALSTATIC_CASTFAILED` also if the
/// value is not in the physical form of `from`.
pub fn cast_value(value: &Value, from: &DataType, to: &DataType, options: &CastOptions) -> Result<Value, Code> {
    if value.is_null() || from == to {
        return Ok(value.clone());
    }
    let code = |error: Error| error.code().unwrap_or(codes::DTS_E_EXPREVALSTATIC_CASTFAILED);
    let array = scalar::array_of(value, from, 1).map_err(code)?;
    let (array, faults) = cast_array(&array, from, to, options).map_err(code)?;
    match faults.first() {
        Some(fault) if !fault.truncation => Err(fault.code),
        _ => scalar::value_at(&array, to, 0).map_err(code),
    }
}
