//! What functions take and give, for readers; a test holds it against what the functions' typing does.

use crate::types::DataType;
use std::fmt;

/// The types of a function's arguments and of its result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Signature {
    /// Of each argument.
    pub takes: &'static [Takes],
    /// Of the result.
    pub gives: Gives,
}

/// A signature.
pub(super) const fn types(takes: &'static [Takes], gives: Gives) -> Signature {
    Signature { takes, gives }
}

/// Which types an argument may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// DT_STR and DT_WSTR.
    Text,
    /// The same, DT_TEXT, DT_NTEXT and DT_IMAGE.
    TextOrBlob,
    /// Every number.
    Number,
    /// Every number but unsigned integers.
    SignedNumber,
    /// Every integer.
    Integer,
    /// Every date and time.
    Date,
    /// The name of a part of a date, as a literal.
    DatePart,
    /// Every type.
    Any,
    /// Every type but DT_TEXT, DT_NTEXT and DT_IMAGE.
    NoBlob,
    /// The name of a type, with its parameters.
    TypeName,
}

impl Takes {
    /// Whether an argument may have the type.
    pub fn accepts(self, data_type: &DataType) -> bool {
        match self {
            Takes::Text => data_type.is_string(),
            Takes::TextOrBlob => data_type.is_string() || data_type.is_blob(),
            Takes::Number => data_type.is_numeric(),
            Takes::SignedNumber => {
                let unsigned = matches!(data_type, DataType::UI1 | DataType::UI2 | DataType::UI4 | DataType::UI8);
                data_type.is_numeric() && !unsigned
            }
            Takes::Integer => data_type.is_integer(),
            Takes::Date => data_type.is_date_time(),
            Takes::Any => true,
            Takes::NoBlob => !data_type.is_blob(),
            Takes::DatePart | Takes::TypeName => false,
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Takes::Text => "a text (DT_WSTR, DT_STR)",
            Takes::TextOrBlob => "a text (DT_WSTR, DT_STR, DT_TEXT, DT_NTEXT) or DT_IMAGE",
            Takes::Number => "a number",
            Takes::SignedNumber => "a number of a type that has a sign",
            Takes::Integer => "an integer",
            Takes::Date => "a date or time",
            Takes::DatePart => "a text literal",
            Takes::Any => "a value of any type",
            Takes::NoBlob => "a value of any type but DT_TEXT, DT_NTEXT and DT_IMAGE",
            Takes::TypeName => "the name of a type",
        })
    }
}

/// The type of a result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gives {
    /// Always this.
    Always(DataType),
    /// That of the first argument.
    First,
    /// That of the first argument; of a text, a DT_WSTR whose length is said.
    FirstOrText(&'static str),
    /// DT_WSTR, whose length is said.
    Text(&'static str),
    /// The one named in the first argument.
    Named,
}

impl fmt::Display for Gives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gives::Always(data_type) => write!(f, "{data_type}"),
            Gives::First => f.write_str("the type of the first argument"),
            Gives::FirstOrText(length) => write!(f, "the type of the first argument; of a text, DT_WSTR({length})"),
            Gives::Text(length) => write!(f, "DT_WSTR({length})"),
            Gives::Named => f.write_str("the type named"),
        }
    }
}
