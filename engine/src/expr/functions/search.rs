//! Functions that look for something in a text.

use super::signature::{Gives, Takes};
use super::{BASE, Call, FunctionDef, NullRule, example, types};
use crate::batch::Faults;
use crate::diag::{Result, codes};
use crate::expr::kernels::datum::{Ints, Texts};
use crate::expr::kernels::text::units;
use crate::expr::kernels::views::TextOut;
use crate::expr::kernels::{Computed, fault, null_out};
use crate::types::DataType;
use arrow::array::Int32Array;
use arrow::buffer::{BooleanBuffer, NullBuffer};
use std::sync::Arc;

pub(super) const FINDSTRING: FunctionDef = FunctionDef {
    name: "FINDSTRING",
    syntax: "FINDSTRING(text, search, occurrence)",
    types: types(&[Takes::Text, Takes::Text, Takes::Integer], Gives::Always(DataType::I4)),
    arity: 3,
    doc: "The position, from 1, of an occurrence of a text in another, upper and lower case told apart; 0 if there are not \
          as many. An occurrence before the first is an error.",
    examples: &[
        example("FINDSTRING(\"New York, NY, NY\",\"NY\",1)", "11"),
        example("FINDSTRING(\"New York, NY, NY\",\"NY\",3)", "0"),
        example("FINDSTRING(\"Anderson\",\"n\",2)", "8"),
        example("FINDSTRING(\"Mountain,500Red,42\",\"42\",1)", "17"),
        example("FINDSTRING(\"abc\",\"b\",0)", "error 0xC00470EE"),
    ],
    typing: |args| {
        args.text(0)?;
        args.text(1)?;
        args.integer(2)?;
        Ok(DataType::I4)
    },
    fallible: |args| args[2].constant_integer().is_none_or(|n| n < 1),
    kernel: |call| {
        let (texts, search) = (Texts::new(&call.args[0])?, Texts::new(&call.args[1])?);
        let nth = Ints::new(&call.args[2])?;
        let finder = match search {
            Texts::One(needle) => Some(Finder::new(needle)),
            Texts::Many(_) => None,
        };
        let mut faults = Faults::new();
        let mut positions = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            if !call.is_valid(row) {
                positions.push(0);
                continue;
            }
            let nth = nth.get(row);
            if nth < 1 {
                faults.push(fault(row, codes::DTS_E_EXPREVALFNFINDSTRINGINVALIDOCCURRENCECOUNT));
                positions.push(0);
                continue;
            }
            let (text, needle) = (texts.get(row), search.get(row));
            let found = match &finder {
                Some(finder) => find_nth(text, needle, nth, |bytes| finder.find(bytes)),
                None => find_nth(text, needle, nth, |bytes| memchr::memmem::find(bytes, needle.as_bytes())),
            };
            positions.push(found);
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((Arc::new(Int32Array::try_new(positions.into(), nulls)?), faults))
    },
    ..BASE
};

/// Looks for the same text in many others.
pub(super) enum Finder<'a> {
    /// A text of one byte.
    Byte(u8),
    Text(Box<memchr::memmem::Finder<'a>>),
}

impl<'a> Finder<'a> {
    pub fn new(needle: &'a str) -> Finder<'a> {
        match needle.as_bytes() {
            [byte] => Finder::Byte(*byte),
            bytes => Finder::Text(Box::new(memchr::memmem::Finder::new(bytes))),
        }
    }

    #[inline]
    pub fn find(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Finder::Byte(byte) => memchr::memchr(*byte, bytes),
            Finder::Text(finder) => finder.find(bytes),
        }
    }
}

/// The position of the nth occurrence. Occurrences do not overlap (unconfirmed), and the empty text is nowhere
/// (unconfirmed).
fn find_nth(text: &str, needle: &str, nth: i64, find: impl Fn(&[u8]) -> Option<usize>) -> i32 {
    let bytes = text.as_bytes();
    let mut from = 0;
    if needle.is_empty() {
        return 0;
    }
    for n in 1.. {
        let Some(at) = find(&bytes[from..]) else { return 0 };
        if n == nth {
            return units(&text[..from + at]) as i32 + 1;
        }
        from += at + needle.len();
    }
    0
}

pub(super) const TOKEN: FunctionDef = FunctionDef {
    name: "TOKEN",
    syntax: "TOKEN(text, delimiters, number)",
    types: types(&[Takes::Text, Takes::Text, Takes::Integer], Gives::Text("that of text")),
    arity: 3,
    doc: "A part of a text between delimiters, by its number from 1. Every character of the second argument delimits, and \
          delimiters in a row are as one. NULL if there are fewer parts.",
    examples: &[
        example("TOKEN(\"a little white dog\",\" \",1)", "a"),
        example("TOKEN(\"a:little|white dog\",\"| ,.:\",4)", "dog"),
        example("TOKEN(\"a little white dog\",\"|\",1)", "a little white dog"),
        example("TOKEN(\"        a little white dog\",\" \",1)", "a"),
        example("TOKEN(\"2009/01/01\",\"/\",1)", "2009"),
        example("TOKEN(\"a little white dog\",\" \",99)", "NULL"),
    ],
    typing: |args| {
        let len = args.text(0)?;
        args.text(1)?;
        args.integer(2)?;
        Ok(DataType::WStr { len })
    },
    kernel: |call| {
        let (texts, delimiters) = (Texts::new(&call.args[0])?, Texts::new(&call.args[1])?);
        let number = Ints::new(&call.args[2])?;
        let mut out = TextOut::sharing(texts, call.rows);
        let set = match delimiters {
            Texts::One(d) => Some(Delimiters::new(d)),
            Texts::Many(_) => None,
        };
        let mut missing = Vec::new();
        for row in 0..call.rows {
            if !call.is_valid(row) {
                out.push_empty();
                continue;
            }
            let text = texts.get(row);
            let own;
            let set = match &set {
                Some(set) => set,
                None => {
                    own = Delimiters::new(delimiters.get(row));
                    &own
                }
            };
            let Some((from, to)) = set.token(text, number.get(row)) else {
                if if number.get(row) < 1 { TOKEN_BEFORE_FIRST_IS_NULL } else { MISSING_TOKEN_IS_NULL } {
                    missing.push(row);
                }
                out.push_empty();
                continue;
            };
            out.push_part(row, from, to);
        }
        let mut nulls = call.nulls.clone();
        if !missing.is_empty() {
            let mut valid = vec![true; call.rows];
            missing.iter().for_each(|row| valid[*row] = false);
            nulls = NullBuffer::union(nulls.as_ref(), Some(&NullBuffer::new(BooleanBuffer::from(valid))));
        }
        Ok((out.finish(nulls)?, Faults::new()))
    },
    ..BASE
};

/// A token beyond the last: the reference's remark says NULL, its example shows "" (conflict).
const MISSING_TOKEN_IS_NULL: bool = true;

/// A token before the first is NULL as well (unconfirmed: the reference says nothing of numbers below 1).
const TOKEN_BEFORE_FIRST_IS_NULL: bool = true;

pub(super) const TOKENCOUNT: FunctionDef = FunctionDef {
    name: "TOKENCOUNT",
    syntax: "TOKENCOUNT(text, delimiters)",
    types: types(&[Takes::Text, Takes::Text], Gives::Always(DataType::I4)),
    arity: 2,
    doc: "The number of parts of a text between delimiters; 0 for NULL.",
    examples: &[
        example("TOKENCOUNT(\"01/12/2011\",\"/\")", "3"),
        example("TOKENCOUNT(\"a little white dog\",\" \")", "4"),
        example("TOKENCOUNT(\"a little white dog\",\"|\")", "1"),
        example("TOKENCOUNT(\"a:little|white dog\",\"| ,.:\")", "4"),
        example("TOKENCOUNT(NULL(DT_WSTR,10),\" \")", "0"),
    ],
    nulls: NullRule::Own,
    typing: |args| {
        args.text(0)?;
        args.text(1)?;
        Ok(DataType::I4)
    },
    kernel: count_tokens,
    ..BASE
};

fn count_tokens(call: &Call<'_>) -> Result<Computed> {
    if call.args.iter().any(|a| a.is_null_scalar()) {
        return Ok((Arc::new(Int32Array::from_value(0, call.rows)), Faults::new()));
    }
    let (texts, delimiters) = (Texts::new(&call.args[0])?, Texts::new(&call.args[1])?);
    let nulls = crate::expr::kernels::datum::union_nulls(call.args);
    let set = match delimiters {
        Texts::One(d) => Some(Delimiters::new(d)),
        Texts::Many(_) => None,
    };
    let counts = (0..call.rows).map(|row| {
        if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return 0;
        }
        match &set {
            Some(set) => set.count(texts.get(row)),
            None => Delimiters::new(delimiters.get(row)).count(texts.get(row)),
        }
    });
    Ok((Arc::new(Int32Array::from_iter_values(counts)), Faults::new()))
}

/// A set of characters that part tokens, as strtok has it.
struct Delimiters<'a> {
    ascii: u128,
    /// The only one, if it is ASCII.
    single: Option<u8>,
    /// Those beyond ASCII; "" if there are none.
    others: &'a str,
}

impl<'a> Delimiters<'a> {
    fn new(text: &'a str) -> Delimiters<'a> {
        let ascii = text.bytes().filter(u8::is_ascii).fold(0, |set, b| set | 1 << b);
        let single = match text.as_bytes() {
            [byte] => Some(*byte),
            _ => None,
        };
        Delimiters { ascii, single, others: if text.is_ascii() { "" } else { text } }
    }

    #[inline]
    fn parts(&self, byte: u8) -> bool {
        byte < 128 && self.ascii >> byte & 1 == 1
    }

    /// Start and end of each token. Delimiters in a row are as one, and no token is empty (unconfirmed: the reference shows
    /// it for those at the start only).
    fn tokens<'t>(&'t self, text: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
        let mut at = 0;
        std::iter::from_fn(move || {
            if self.others.is_empty() {
                let bytes = text.as_bytes();
                let from = at + bytes[at..].iter().position(|b| !self.parts(*b))?;
                let end = match self.single {
                    Some(byte) => memchr::memchr(byte, &bytes[from..]),
                    None => bytes[from..].iter().position(|b| self.parts(*b)),
                };
                let to = end.map_or(bytes.len(), |n| from + n);
                at = to;
                Some((from, to))
            } else {
                let delimits = |c: char| self.others.contains(c);
                let from = at + text[at..].find(|c| !delimits(c))?;
                let to = text[from..].find(delimits).map_or(text.len(), |n| from + n);
                at = to;
                Some((from, to))
            }
        })
    }

    fn token(&self, text: &str, number: i64) -> Option<(usize, usize)> {
        self.tokens(text).nth(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    fn count(&self, text: &str) -> i32 {
        self.tokens(text).count() as i32
    }
}
