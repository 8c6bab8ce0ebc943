//! Columns that are built value by value, from databases whose values have types of their own (SQLite).
//!
//! What a column was declared as and what is in it are two things there: a value of another kind is converted by the
//! rules of casts, and what cannot be is a fault.

use super::error::{DbError, ErrorKind, Outcome};
use arrow::array::*;
use dtsx_engine::batch::{Fault, Faults};
use dtsx_engine::diag::{Code, Error, codes};
use dtsx_engine::types::convert::{CastOptions, FaultCodes, TextLimit, cast_value};
use dtsx_engine::types::{DataType, Value, decimal, parse, scalar};
use std::sync::Arc;

/// A value as the database holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stored<'a> {
    /// NULL.
    Null,
    /// An integer.
    Int(i64),
    /// A float.
    Real(f64),
    /// Text, which may be no UTF-8.
    Text(&'a [u8]),
    /// Bytes.
    Blob(&'a [u8]),
}

/// The codes that a conversion of Data Conversion reports, as those of a database source.
pub(crate) fn source_code(code: Code) -> Code {
    let (from, to) = (FaultCodes::DATA_CONVERSION, FaultCodes::DATABASE_SOURCE);
    from.translate(&to, code).unwrap_or(to.cannot_convert)
}

enum Builder {
    /// Nobody reads it.
    Skip(usize),
    Bool(BooleanBuilder),
    I1(Int8Builder),
    I2(Int16Builder),
    I4(Int32Builder),
    I8(Int64Builder),
    U1(UInt8Builder),
    U2(UInt16Builder),
    U4(UInt32Builder),
    U8(UInt64Builder),
    R4(Float32Builder),
    R8(Float64Builder),
    Decimal(Decimal128Builder, u8, u8),
    Date(Date32Builder),
    Micros(TimestampMicrosecondBuilder),
    Ticks(Int64Builder),
    Text(StringViewBuilder, TextLimit),
    Bytes(BinaryViewBuilder, usize),
    /// The other types: few of them are read from such databases.
    Values(Vec<Value>),
}

/// One column in the making.
pub(crate) struct Intake {
    data_type: DataType,
    builder: Builder,
    faults: Faults,
    rows: usize,
    /// Whether a value that is none of the type is an error at once: nobody asked for this type.
    strict: bool,
}

/// Digits of a Decimal128 that no value may exceed.
const ANY_PRECISION: u8 = 38;

impl Intake {
    /// A column of `data_type` (None: nobody reads it) for about `rows` rows.
    ///
    /// # Errors
    /// A code page that this build does not support.
    pub(crate) fn new(data_type: Option<DataType>, strict: bool, rows: usize) -> Outcome<Intake> {
        use DataType as T;
        let text = |t: &DataType| TextLimit::of(t).map_err(|e| DbError::new(ErrorKind::Unsupported, e.message()));
        let builder = match data_type {
            None => Builder::Skip(0),
            Some(T::Bool) => Builder::Bool(BooleanBuilder::with_capacity(rows)),
            Some(T::I1) => Builder::I1(Int8Builder::with_capacity(rows)),
            Some(T::I2) => Builder::I2(Int16Builder::with_capacity(rows)),
            Some(T::I4) => Builder::I4(Int32Builder::with_capacity(rows)),
            Some(T::I8) => Builder::I8(Int64Builder::with_capacity(rows)),
            Some(T::UI1) => Builder::U1(UInt8Builder::with_capacity(rows)),
            Some(T::UI2) => Builder::U2(UInt16Builder::with_capacity(rows)),
            Some(T::UI4) => Builder::U4(UInt32Builder::with_capacity(rows)),
            Some(T::UI8) => Builder::U8(UInt64Builder::with_capacity(rows)),
            Some(T::R4) => Builder::R4(Float32Builder::with_capacity(rows)),
            Some(T::R8) => Builder::R8(Float64Builder::with_capacity(rows)),
            Some(t @ (T::Cy | T::Decimal { .. } | T::Numeric { .. })) => {
                let (precision, scale) = match t {
                    T::Cy => (19, 4),
                    T::Decimal { scale } => (29, scale),
                    other => (other.precision().clamp(1, ANY_PRECISION), other.scale()),
                };
                let builder = Decimal128Builder::with_capacity(rows).with_data_type(t.arrow());
                Builder::Decimal(builder, precision, scale)
            }
            Some(T::DbDate) => Builder::Date(Date32Builder::with_capacity(rows)),
            Some(T::Date | T::DbTimeStamp) => Builder::Micros(TimestampMicrosecondBuilder::with_capacity(rows)),
            Some(T::DbTimeStamp2 { .. }) => Builder::Ticks(Int64Builder::with_capacity(rows)),
            Some(t @ (T::Str { .. } | T::WStr { .. } | T::Text { .. } | T::NText)) => {
                Builder::Text(StringViewBuilder::with_capacity(rows), text(&t)?)
            }
            Some(T::Bytes { len }) => Builder::Bytes(BinaryViewBuilder::with_capacity(rows), len as usize),
            Some(T::Image) => Builder::Bytes(BinaryViewBuilder::with_capacity(rows), usize::MAX),
            Some(_) => Builder::Values(Vec::with_capacity(rows)),
        };
        let data_type = data_type.unwrap_or(DataType::Null);
        Ok(Intake { data_type, builder, faults: Faults::new(), rows: 0, strict })
    }

    /// Adds a value.
    ///
    /// # Errors
    /// A strict column's value that is none of its type.
    pub(crate) fn push(&mut self, stored: Stored<'_>) -> Outcome<()> {
        self.rows += 1;
        macro_rules! int {
            ($builder:expr, $stored:expr) => {
                match $stored {
                    Stored::Null => {
                        $builder.append_null();
                        return Ok(());
                    }
                    Stored::Int(v) => {
                        if let Ok(v) = v.try_into() {
                            {
                                $builder.append_value(v);
                                return Ok(());
                            }
                        }
                    }
                    _ => {}
                }
            };
        }
        // What has the expected form is appended at once; everything else goes the long way.
        match (&mut self.builder, stored) {
            (Builder::Skip(rows), _) => {
                *rows += 1;
                return Ok(());
            }
            (Builder::I1(b), s) => int!(b, s),
            (Builder::I2(b), s) => int!(b, s),
            (Builder::I4(b), s) => int!(b, s),
            (Builder::I8(b), Stored::Int(v)) => {
                b.append_value(v);
                return Ok(());
            }
            (Builder::U1(b), s) => int!(b, s),
            (Builder::U2(b), s) => int!(b, s),
            (Builder::U4(b), s) => int!(b, s),
            (Builder::U8(b), s) => int!(b, s),
            (Builder::Bool(b), Stored::Int(v)) => {
                b.append_value(v != 0);
                return Ok(());
            }
            (Builder::R4(b), Stored::Real(v)) => {
                b.append_value(v as f32);
                return Ok(());
            }
            (Builder::R8(b), Stored::Real(v)) => {
                b.append_value(v);
                return Ok(());
            }
            (Builder::R8(b), Stored::Int(v)) => {
                b.append_value(v as f64);
                return Ok(());
            }
            (Builder::Decimal(b, precision, scale), Stored::Int(v)) => {
                let scaled = 10_i128.checked_pow((*scale).into()).and_then(|p| p.checked_mul(v.into()));
                if let Some(v) = scaled.and_then(|v| decimal::fit(v, *precision)) {
                    b.append_value(v);
                    return Ok(());
                }
            }
            (Builder::Date(b), Stored::Text(text)) => {
                if let Some(day) = parse::iso_date(text) {
                    b.append_value(day);
                    return Ok(());
                }
            }
            (Builder::Micros(b), Stored::Text(text)) => {
                if let Some(ticks) = parse::iso_timestamp(text) {
                    let micros = ticks / 10;
                    // DT_DBTIMESTAMP keeps milliseconds.
                    let micros =
                        if self.data_type == DataType::DbTimeStamp { micros - micros.rem_euclid(1000) } else { micros };
                    {
                        b.append_value(micros);
                        return Ok(());
                    }
                }
            }
            (Builder::Ticks(b), Stored::Text(text)) => {
                if let Some(ticks) = parse::iso_timestamp(text) {
                    b.append_value(ticks);
                    return Ok(());
                }
            }
            (Builder::Text(b, limit), Stored::Text(bytes)) => {
                let Ok(text) = simdutf8::basic::from_utf8(bytes) else {
                    return self.fault(FaultCodes::DATABASE_SOURCE.cannot_convert);
                };
                let fits = limit.fit(text);
                b.append_value(&text[..fits]);
                if fits < text.len() {
                    self.cut()?;
                }
                return Ok(());
            }
            (Builder::Bytes(b, limit), Stored::Blob(bytes)) => {
                let fits = bytes.len().min(*limit);
                b.append_value(&bytes[..fits]);
                if fits < bytes.len() {
                    self.cut()?;
                }
                return Ok(());
            }
            _ => {}
        }
        self.convert(stored)
    }

    /// The long way: as a cast would do it.
    fn convert(&mut self, stored: Stored<'_>) -> Outcome<()> {
        let codes = FaultCodes::DATABASE_SOURCE;
        let (value, from) = match stored {
            Stored::Null => return self.append(&Value::Null),
            Stored::Int(v) => (Value::I8(v), DataType::I8),
            Stored::Real(v) => (Value::R8(v), DataType::R8),
            Stored::Text(bytes) if self.data_type == DataType::Guid => {
                // Databases write GUIDs without the braces of SSIS.
                let bare: Vec<u8> = bytes.iter().copied().filter(|b| !matches!(b, b'{' | b'}')).collect();
                let braced = [&b"{"[..], &bare, b"}"].concat();
                return match parse::parse_guid(&braced) {
                    Ok(guid) => self.append(&Value::Guid(guid)),
                    Err(error) => self.fault(codes.parse(error)),
                };
            }
            Stored::Text(bytes) => match simdutf8::basic::from_utf8(bytes) {
                Ok(text) => (Value::text(text), DataType::NText),
                Err(_) => return self.fault(codes.cannot_convert),
            },
            Stored::Blob(bytes) if self.data_type == DataType::Guid && bytes.len() == 16 => {
                let mut guid = [0; 16];
                guid.copy_from_slice(bytes);
                return self.append(&Value::Guid(guid));
            }
            Stored::Blob(bytes) => (Value::Bytes(Arc::from(bytes)), DataType::Image),
        };
        // DT_NTEXT and DT_IMAGE cast to little; as strings and bytes of any length they cast as their values mean.
        let from = match (&value, from) {
            (Value::Text(_), _) => DataType::WStr { len: u32::MAX },
            (Value::Bytes(_), _) => DataType::Bytes { len: u32::MAX },
            (_, from) => from,
        };
        match cast_value(&value, &from, &self.data_type, &CastOptions::data_flow(INVARIANT)) {
            Ok(value) => self.append(&value),
            Err(code) => self.fault(source_code(code)),
        }
    }

    fn append(&mut self, value: &Value) -> Outcome<()> {
        macro_rules! put {
            ($($builder:ident: $variant:ident),*) => {
                match (&mut self.builder, value) {
                    $((Builder::$builder(b), Value::$variant(v)) => b.append_value(*v),
                      (Builder::$builder(b), Value::Null) => b.append_null(),)*
                    (Builder::Decimal(b, ..), Value::Decimal(v, _)) => b.append_value(*v),
                    (Builder::Decimal(b, ..), Value::Null) => b.append_null(),
                    (Builder::Text(b, _), Value::Text(text)) => b.append_value(text),
                    (Builder::Text(b, _), Value::Null) => b.append_null(),
                    (Builder::Bytes(b, _), Value::Bytes(bytes)) => b.append_value(bytes),
                    (Builder::Bytes(b, _), Value::Null) => b.append_null(),
                    (Builder::Values(values), value) => values.push(value.clone()),
                    (Builder::Skip(rows), _) => *rows += 1,
                    (_, other) => return Err(defect(format!("{other:?} in a column of {}", self.data_type))),
                }
            };
        }
        put!(Bool: Bool, I1: I1, I2: I2, I4: I4, I8: I8, U1: UI1, U2: UI2, U4: UI4, U8: UI8, R4: R4, R8: R8,
             Date: Days, Micros: Timestamp, Ticks: Ticks);
        Ok(())
    }

    fn fault(&mut self, code: Code) -> Outcome<()> {
        if self.strict {
            let message = format!("a value is no {}: {}", self.data_type, code.message(&[]));
            return Err(DbError::new(ErrorKind::Value, message));
        }
        self.faults.push(Fault { row: self.rows as u32 - 1, code, truncation: false });
        self.append(&Value::Null)
    }

    fn cut(&mut self) -> Outcome<()> {
        let code = codes::DTS_E_OLEDBSOURCEADAPTERSTATIC_TRUNCATED;
        if self.strict {
            return Err(DbError::new(ErrorKind::Value, code.message(&[])));
        }
        self.faults.push(Fault { row: self.rows as u32 - 1, code, truncation: true });
        Ok(())
    }

    /// The column.
    ///
    /// # Errors
    /// A defect.
    pub(crate) fn finish(self) -> Outcome<(ArrayRef, Faults)> {
        macro_rules! finish {
            ($($builder:ident),*) => {
                match self.builder {
                    $(Builder::$builder(mut b) => Arc::new(b.finish()) as ArrayRef,)*
                    Builder::Decimal(mut b, ..) => Arc::new(b.finish()),
                    Builder::Text(mut b, _) => Arc::new(b.finish()),
                    Builder::Bytes(mut b, _) => Arc::new(b.finish()),
                    Builder::Skip(rows) => Arc::new(NullArray::new(rows)),
                    Builder::Values(values) => collect(&values, &self.data_type).map_err(|e| defect(e.message()))?,
                }
            };
        }
        let array = finish!(Bool, I1, I2, I4, I8, U1, U2, U4, U8, R4, R8, Date, Micros, Ticks);
        Ok((array, self.faults))
    }
}

/// Windows LCID of the invariant locale: databases write numbers and dates in no language.
const INVARIANT: u32 = 127;

fn collect(values: &[Value], data_type: &DataType) -> Result<ArrayRef, Error> {
    if values.is_empty() {
        return Ok(new_empty_array(&data_type.arrow()));
    }
    let parts = values.iter().map(|v| scalar::array_of(v, data_type, 1)).collect::<Result<Vec<_>, Error>>()?;
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    Ok(arrow::compute::concat(&parts)?)
}

fn defect(message: impl Into<String>) -> DbError {
    DbError::new(ErrorKind::Other, message)
}
