//! What the fuzz targets have in common: bytes that become expressions, and rows to evaluate them over.

use arrow::array::{Array, ArrayRef};
use dtsx_engine::diag::{Error, Owner, codes};
use dtsx_engine::expr::{Clock, Environment, EvalContext, Reference, functions};
use dtsx_engine::types::scalar::array_of;
use dtsx_engine::types::{DataType, Value};
use std::sync::LazyLock;

/// Columns of every kind that an expression can name, `c0` … .
pub const COLUMNS: [DataType; 16] = [
    DataType::I4,
    DataType::I8,
    DataType::UI1,
    DataType::UI8,
    DataType::I2,
    DataType::R4,
    DataType::R8,
    DataType::Cy,
    DataType::Numeric { precision: 12, scale: 3 },
    DataType::Bool,
    DataType::WStr { len: 40 },
    DataType::Str { len: 40, code_page: 1252 },
    DataType::DbTimeStamp,
    DataType::DbDate,
    DataType::DbTimeStamp2 { scale: 7 },
    DataType::NText,
];

/// The columns by name.
pub struct Columns;

impl Environment for Columns {
    fn column(&self, reference: &Reference<'_>) -> Option<(usize, DataType)> {
        let Reference::Name { component: None, column } = reference else { return None };
        let slot = column.strip_prefix(['c', 'C'])?.parse::<usize>().ok()?;
        Some((slot, *COLUMNS.get(slot)?))
    }

    fn variable(&self, name: &str) -> Result<(DataType, Value), Error> {
        match name {
            "n" => Ok((DataType::I4, Value::I4(3))),
            "s" => Ok((DataType::WStr { len: 0 }, Value::text("a text, and more of it"))),
            _ => Err(Error::new(Owner::Package, codes::DTS_E_EXPREVALVARIABLENOTFOUND, "none")),
        }
    }

    fn lcid(&self) -> u32 {
        1033
    }
}

/// A clock that stands still.
pub fn context() -> EvalContext {
    const LOCAL: i64 = 1_709_646_330_123_000;
    EvalContext { now: Clock::Fixed { local: LOCAL, utc: LOCAL - 3_600_000_000 }, lcid: 1033 }
}

/// Takes numbers from the fuzzer's bytes; zeros when they are used up.
pub struct Bytes<'a>(pub &'a [u8]);

impl Bytes<'_> {
    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    /// The next eight bytes.
    pub fn long(&mut self) -> i64 {
        let mut bytes = [0; 8];
        bytes.fill_with(|| self.byte());
        i64::from_le_bytes(bytes)
    }

    /// Whether anything is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

const TEXTS: [&str; 8] =
    ["", " ", "abc", " AbC, d ", "12.5", "2024-02-29", "ä😀ß日", "a text of more than twelve bytes"];

/// A value of a column; NULL, edges and ordinary values.
fn value(of: &DataType, bytes: &mut Bytes<'_>) -> Value {
    let kind = bytes.byte();
    if kind == 0 {
        return Value::Null;
    }
    let long = match kind % 4 {
        0 => bytes.long(),
        1 => i64::from(bytes.byte() as i8),
        2 => i64::MAX >> (kind / 4),
        _ => i64::MIN >> (kind / 4),
    };
    match of {
        DataType::I4 => Value::I4(long as i32),
        DataType::I8 => Value::I8(long),
        DataType::UI1 => Value::UI1(long as u8),
        DataType::UI8 => Value::UI8(long as u64),
        DataType::I2 => Value::I2(long as i16),
        DataType::R4 => Value::R4(Some(f32::from_bits(long as u32)).filter(|v| v.is_finite()).unwrap_or(1.5)),
        DataType::R8 => Value::R8(Some(f64::from_bits(long as u64)).filter(|v| v.is_finite()).unwrap_or(-2.5)),
        DataType::Cy => Value::Decimal(long.into(), 4),
        DataType::Numeric { .. } => Value::Decimal(i128::from(long % 1_000_000_000_000), 3),
        DataType::Bool => Value::Bool(long & 1 == 1),
        DataType::DbTimeStamp => Value::Timestamp((long % 150_000_000_000) * 1_000_000),
        DataType::DbDate => Value::Days((long % 700_000) as i32),
        DataType::DbTimeStamp2 { .. } => Value::Ticks((long % 150_000_000_000) * 10_000_000),
        _ => Value::text(TEXTS[long.unsigned_abs() as usize % TEXTS.len()]),
    }
}

/// The most rows of a run.
pub const MOST_ROWS: usize = 5;

/// By column: whether the text names it.
fn named(expression: &str) -> [bool; COLUMNS.len()] {
    let mut named = [false; COLUMNS.len()];
    for part in expression.split('c').skip(1) {
        let digits = part.bytes().take_while(u8::is_ascii_digit).count();
        if let Some(named) = part[..digits].parse().ok().and_then(|slot: usize| named.get_mut(slot)) {
            *named = true;
        }
    }
    named
}

/// Rows for all columns; NULLs for those that the expression does not name.
pub fn rows(bytes: &mut Bytes<'_>, rows: usize, expression: &str) -> Vec<ArrayRef> {
    // A run should cost what the evaluator costs: NULLs are made once.
    static NULLS: LazyLock<Vec<ArrayRef>> =
        LazyLock::new(|| COLUMNS.iter().map(|of| arrow::array::new_null_array(&of.arrow(), MOST_ROWS)).collect());
    let named = named(expression);
    let column = |(slot, of): (usize, &DataType)| {
        if !named[slot] {
            return NULLS[slot].slice(0, rows);
        }
        let parts: Vec<ArrayRef> = (0..rows).map(|_| array_of(&value(of, bytes), of, 1).expect("a value")).collect();
        let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
        arrow::compute::concat(&parts).expect("a column")
    };
    COLUMNS.iter().enumerate().map(column).collect()
}

const OPERATORS: [&str; 16] = ["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&", "|", "^", "&&", "||"];
const LITERALS: [&str; 20] = [
    "0",
    "1",
    "-1",
    "2147483647",
    "3L",
    "7U",
    "9UL",
    "1.5",
    "0.001",
    "1e3",
    "2.5f",
    "\"\"",
    "\"ab\"",
    "\" x,y \"",
    "\"2024-01-31\"",
    "\"mm\"",
    "TRUE",
    "FALSE",
    "@n",
    "@s",
];
const TYPES: [&str; 24] = [
    "DT_I1",
    "DT_I2",
    "DT_I4",
    "DT_I8",
    "DT_UI1",
    "DT_UI4",
    "DT_UI8",
    "DT_R4",
    "DT_R8",
    "DT_CY",
    "DT_BOOL",
    "DT_DATE",
    "DT_DBDATE",
    "DT_DBTIME",
    "DT_DBTIMESTAMP",
    "DT_GUID",
    "DT_NTEXT",
    "DT_WSTR,5",
    "DT_STR,30,1252",
    "DT_NUMERIC,9,2",
    "DT_DECIMAL,4",
    "DT_DBTIMESTAMP2,3",
    "DT_DBTIMESTAMPOFFSET,7",
    "DT_BYTES,8",
];

/// Writes an expression of at most `depth` levels, most of them of operands that go together often enough.
pub fn expression(bytes: &mut Bytes<'_>, depth: usize, out: &mut String) {
    let choice = if depth == 0 || bytes.is_empty() { bytes.byte() % 2 } else { bytes.byte() % 12 };
    match choice {
        0 => out.push_str(&format!("c{}", bytes.byte() as usize % COLUMNS.len())),
        1 => out.push_str(LITERALS[bytes.byte() as usize % LITERALS.len()]),
        2 => out.push_str(&format!("NULL({})", TYPES[bytes.byte() as usize % TYPES.len()])),
        3 | 4 => {
            out.push('(');
            expression(bytes, depth - 1, out);
            out.push_str(OPERATORS[bytes.byte() as usize % OPERATORS.len()]);
            expression(bytes, depth - 1, out);
            out.push(')');
        }
        5 | 6 => {
            out.push_str(&format!("({})", TYPES[bytes.byte() as usize % TYPES.len()]));
            expression(bytes, depth - 1, out);
        }
        7 => {
            out.push('(');
            expression(bytes, depth - 1, out);
            out.push_str(" ? ");
            expression(bytes, depth - 1, out);
            out.push_str(" : ");
            expression(bytes, depth - 1, out);
            out.push(')');
        }
        8 => {
            out.push(['-', '!', '~'][bytes.byte() as usize % 3]);
            expression(bytes, depth - 1, out);
        }
        _ => {
            let function = &functions()[bytes.byte() as usize % functions().len()];
            out.push_str(function.name);
            out.push('(');
            for n in 0..function.arity {
                if n > 0 {
                    out.push(',');
                }
                match (function.name, n) {
                    ("DATEADD" | "DATEDIFF" | "DATEPART", 0) => {
                        let parts = ["yy", "qq", "mm", "dy", "dd", "wk", "dw", "hh", "mi", "ss", "ms"];
                        out.push_str(&format!("\"{}\"", parts[bytes.byte() as usize % parts.len()]));
                    }
                    ("NULL", _) => out.push_str("DT_I4"),
                    // A count that does not fill the memory, also where the text is itself a replicated one.
                    ("REPLICATE", 1) => out.push_str("c2 % 9"),
                    _ => expression(bytes, depth - 1, out),
                }
            }
            out.push(')');
        }
    }
}
