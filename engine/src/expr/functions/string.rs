//! Functions of text.
//!
//! Text is counted in UTF-16 code units, as in SSIS. A result that is part of its argument shares its blocks.

use super::search::Finder;
use super::signature::{Gives, Takes};
use super::{Args, BASE, Call, FunctionDef, OVERFLOW, Typing, always, example, types};
use crate::batch::Faults;
use crate::diag::{Code, Result, codes};
use crate::expr::kernels::datum::{Datum, Ints, Texts, mismatch};
use crate::expr::kernels::text::{Piece, is_inline_ascii, is_trim, kept, piece, push_case, starts_ascii, units};
use crate::expr::kernels::views::{TextOut, ascii_case};
use crate::expr::kernels::{Computed, fault, null_out};
use crate::expr::typed::{Origin, Typed};
use crate::types::{DataType, MAX_WSTR_UNITS, Value, code_page};
use arrow::array::types::{Int32Type, UInt16Type};
use arrow::array::{AsArray, PrimitiveArray};
use std::sync::Arc;

pub(super) const SUBSTRING: FunctionDef = FunctionDef {
    name: "SUBSTRING",
    syntax: "SUBSTRING(text, start, length)",
    types: types(
        &[Takes::Text, Takes::Integer, Takes::Integer],
        Gives::Text("length, if constant; else what remains of text from a constant start; else that of text"),
    ),
    arity: 3,
    doc: "The part of a text that begins at a position, from 1, and has at most the given length. A start before 1 and a \
          negative length are errors.",
    examples: &[
        example("SUBSTRING(\"elephant\",4,2)", "ph"),
        example("SUBSTRING(\"elephant\",4,50)", "phant"),
        example("SUBSTRING(\"Redmond\",4,0)", ""),
        example("SUBSTRING(\"abc\",9,1)", ""),
        example("SUBSTRING(\"abc\",0,1)", "error 0xC004708C"),
        example("SUBSTRING(\"abc\",1,-1)", "error 0xC004708B"),
    ],
    typing: |args| {
        let len = args.text(0)?;
        args.integer(1)?;
        args.integer(2)?;
        // As the designer stores it: a constant length, whatever the text's; else what remains from a constant start.
        let len = match (args.nodes[1].constant_integer(), args.nodes[2].constant_integer()) {
            (_, Some(n)) => length(n),
            (Some(start), None) => length(i64::from(len).saturating_sub(start).saturating_add(1)),
            (None, None) => len,
        };
        Ok(DataType::WStr { len })
    },
    fallible: |args| {
        let at_least = |node: &Typed, n| node.constant_integer().is_some_and(|v| v >= n);
        !at_least(&args[1], 1) || !at_least(&args[2], 0)
    },
    kernel: |call| {
        let (start, len) = (Ints::new(&call.args[1])?, Ints::new(&call.args[2])?);
        let constant = call.args[1].is_scalar() && call.args[2].is_scalar();
        cut::<false>(call, constant, |row| substring_range(start.get(row), len.get(row)))
    },
    ..BASE
};

/// From and to, of any text: a start past its end is no error, and what is kept there is empty (unconfirmed).
fn substring_range(start: i64, len: i64) -> std::result::Result<(usize, usize), Code> {
    if start < 1 {
        return Err(codes::DTS_E_EXPREVALFNSUBSTRINGINVALIDSTARTINDEX);
    }
    if len < 0 {
        return Err(codes::DTS_E_EXPREVALFNSUBSTRINGINVALIDLENGTH);
    }
    Ok((start as usize - 1, (start - 1).saturating_add(len) as usize))
}

pub(super) const LEFT: FunctionDef = FunctionDef {
    name: "LEFT",
    syntax: "LEFT(text, length)",
    types: types(&[Takes::Text, Takes::Integer], Gives::Text("length, if constant; else that of text")),
    arity: 2,
    doc: "The first characters of a text, all if it has fewer. A negative length is an error.",
    examples: &[
        example("LEFT(\"Mountain Bike\",8)", "Mountain"),
        example("LEFT(\"abc\",0)", ""),
        example("LEFT(\"abc\",10)", "abc"),
        example("LEFT(\"abc\",-1)", "error 0xC00470E7"),
    ],
    typing: end_type,
    fallible: end_fallible,
    kernel: |call| {
        let len = Ints::new(&call.args[1])?;
        cut::<false>(call, call.args[1].is_scalar(), |row| Ok((0, end_length(len.get(row))?)))
    },
    ..BASE
};

pub(super) const RIGHT: FunctionDef = FunctionDef {
    name: "RIGHT",
    syntax: "RIGHT(text, length)",
    types: types(&[Takes::Text, Takes::Integer], Gives::Text("length, if constant; else that of text")),
    arity: 2,
    doc: "The last characters of a text, all if it has fewer. A negative length is an error.",
    examples: &[
        example("RIGHT(\"Mountain Bike\",4)", "Bike"),
        example("RIGHT(\"Touring Front Wheel\",(DT_I2)4.32)", "heel"),
        example("RIGHT(\"abc\",-1)", "error 0xC00470E7"),
    ],
    typing: end_type,
    fallible: end_fallible,
    kernel: |call| {
        let len = Ints::new(&call.args[1])?;
        cut::<true>(call, call.args[1].is_scalar(), |row| Ok((0, end_length(len.get(row))?)))
    },
    ..BASE
};

fn length(n: i64) -> u32 {
    n.clamp(0, i64::from(u32::MAX)) as u32
}

/// LEFT and RIGHT: a constant length, else that of the text.
fn end_type(args: &mut Args<'_>) -> Typing<DataType> {
    let len = args.text(0)?;
    args.integer(1)?;
    Ok(DataType::WStr { len: args.nodes[1].constant_integer().map_or(len, length) })
}

fn end_fallible(args: &[Typed]) -> bool {
    args[1].constant_integer().is_none_or(|n| n < 0)
}

fn end_length(n: i64) -> std::result::Result<usize, Code> {
    usize::try_from(n).map_err(|_| codes::DTS_E_EXPREVALFNRIGHTINVALIDLENGTH)
}

/// Keeps the code units that `range` gives for a row, or if `constant` for all rows; the last ones if `FROM_END`.
fn cut<const FROM_END: bool>(
    call: &Call<'_>,
    constant: bool,
    range: impl Fn(usize) -> std::result::Result<(usize, usize), Code>,
) -> Result<Computed> {
    if constant && let Ok(all) = range(0) {
        return cut_rows::<FROM_END>(call, |_| Ok(all));
    }
    cut_rows::<FROM_END>(call, range)
}

fn cut_rows<const FROM_END: bool>(
    call: &Call<'_>,
    range: impl Fn(usize) -> std::result::Result<(usize, usize), Code>,
) -> Result<Computed> {
    let texts = Texts::new(&call.args[0])?;
    let mut out = TextOut::sharing(texts, call.rows);
    let mut faults = Faults::new();
    for row in 0..call.rows {
        if !call.is_valid(row) {
            out.push_empty();
            continue;
        }
        let (from, to) = match range(row) {
            Ok(range) => range,
            Err(code) => {
                faults.push(fault(row, code));
                out.push_empty();
                continue;
            }
        };
        // Where the text is ASCII as far as it is looked at, code units are bytes.
        let bytes = |len: usize| if FROM_END { (len.saturating_sub(to), len) } else { (from.min(len), to.min(len)) };
        if let Texts::Many(column) = texts
            && let view = column.views()[row]
            && is_inline_ascii(view)
        {
            let (first, last) = bytes(view as u32 as usize);
            out.push_part(row, first, last.max(first));
            continue;
        }
        let pushed = out.push_cut(row, |text| {
            let (first, last) = bytes(text.len());
            let ascii = if FROM_END { text.as_bytes()[first..].is_ascii() } else { starts_ascii(text, to) };
            ascii.then_some((first, last.max(first)))
        });
        if pushed {
            continue;
        }
        let text = texts.get(row);
        let all = if FROM_END { units(text) } else { 0 };
        let (from, to) = if FROM_END { (all.saturating_sub(to), all) } else { (from, to) };
        match piece(text, from, to) {
            Piece::Bytes(from, to) => out.push_part(row, from, to),
            Piece::Broken(part) => out.push(&part),
        }
    }
    let nulls = null_out(call.nulls.clone(), call.rows, &faults);
    Ok((out.finish(nulls)?, faults))
}

pub(super) const TRIM: FunctionDef = FunctionDef {
    name: "TRIM",
    syntax: "TRIM(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text without spaces at its ends. Tabs and other blanks stay.",
    examples: &[example("TRIM(\"   New York   \")", "New York")],
    typing: same_length,
    kernel: |call| trim(call, true, true),
    ..BASE
};

pub(super) const LTRIM: FunctionDef = FunctionDef {
    name: "LTRIM",
    syntax: "LTRIM(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text without spaces at its start.",
    examples: &[example("LTRIM(\"    Hello\")", "Hello"), example("LTRIM(\"\\tHello\")", "\tHello")],
    typing: same_length,
    kernel: |call| trim(call, true, false),
    ..BASE
};

pub(super) const RTRIM: FunctionDef = FunctionDef {
    name: "RTRIM",
    syntax: "RTRIM(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text without spaces at its end.",
    examples: &[example("RTRIM(\"Hello   \")", "Hello")],
    typing: same_length,
    kernel: |call| trim(call, false, true),
    ..BASE
};

fn same_length(args: &mut Args<'_>) -> Typing<DataType> {
    Ok(DataType::WStr { len: args.text(0)? })
}

fn trim(call: &Call<'_>, start: bool, end: bool) -> Result<Computed> {
    let texts = Texts::new(&call.args[0])?;
    // Nothing to trim, as is common.
    if let (Texts::Many(column), Datum::Array(whole)) = (texts, &call.args[0])
        && is_trim(column, start, end, call.nulls.as_ref())
    {
        return Ok((whole.clone(), Faults::new()));
    }
    let mut out = TextOut::sharing(texts, call.rows);
    for row in 0..call.rows {
        if !call.is_valid(row) {
            out.push_empty();
            continue;
        }
        let (from, to) = kept(texts, row, start, end);
        out.push_part(row, from, to);
    }
    Ok((out.finish(call.nulls.clone())?, Faults::new()))
}

pub(super) const UPPER: FunctionDef = FunctionDef {
    name: "UPPER",
    syntax: "UPPER(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text in upper case, character by character.",
    examples: &[example("UPPER(\"New York\")", "NEW YORK"), example("UPPER(\"é\")", "É")],
    typing: same_length,
    kernel: |call| case(call, true),
    ..BASE
};

pub(super) const LOWER: FunctionDef = FunctionDef {
    name: "LOWER",
    syntax: "LOWER(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text in lower case, character by character.",
    examples: &[example("LOWER(\"New York\")", "new york")],
    typing: same_length,
    kernel: |call| case(call, false),
    ..BASE
};

fn case(call: &Call<'_>, upper: bool) -> Result<Computed> {
    let texts = Texts::new(&call.args[0])?;
    if let Texts::Many(column) = texts
        && let Some(array) = ascii_case(column, upper, call.nulls.as_ref())?
    {
        return Ok((array, Faults::new()));
    }
    let mut out = TextOut::new(call.rows);
    let mut changed = String::new();
    for row in 0..call.rows {
        changed.clear();
        if call.is_valid(row) {
            push_case(&mut changed, texts.get(row), upper);
        }
        out.push(&changed);
    }
    Ok((out.finish(call.nulls.clone())?, Faults::new()))
}

pub(super) const REVERSE: FunctionDef = FunctionDef {
    name: "REVERSE",
    syntax: "REVERSE(text)",
    types: types(&[Takes::Text], Gives::Text("that of text")),
    doc: "The text backwards.",
    examples: &[
        example("REVERSE(\"Mountain Bike\")", "ekiB niatnuoM"),
        example("REVERSE(\"Touring Bike\")", "ekiB gniruoT"),
    ],
    typing: same_length,
    kernel: |call| {
        let texts = Texts::new(&call.args[0])?;
        let mut out = TextOut::new(call.rows);
        for row in 0..call.rows {
            if call.is_valid(row) { out.push(&reverse(texts.get(row))) } else { out.push_empty() }
        }
        Ok((out.finish(call.nulls.clone())?, Faults::new()))
    },
    ..BASE
};

/// Characters backwards. SSIS may reverse the two code units of one beyond U+FFFF, which is no text then (unconfirmed).
fn reverse(text: &str) -> String {
    text.chars().rev().collect()
}

pub(super) const REPLACE: FunctionDef = FunctionDef {
    name: "REPLACE",
    syntax: "REPLACE(text, search, replacement)",
    types: types(
        &[Takes::Text, Takes::Text, Takes::Text],
        Gives::Text(
            "that of text; more if replacement is longer than search, as often as search fits in text; at most 4000",
        ),
    ),
    arity: 3,
    doc: "The text with every occurrence of another text, upper and lower case told apart, replaced by a third, which may \
          be empty. The text to search for must not be empty.",
    examples: &[
        example("REPLACE(\"Mountain Bike\",\"Mountain\",\"All Terrain\")", "All Terrain Bike"),
        example("REPLACE(\"2024-03-05\",\"-\",\"\")", "20240305"),
        example("REPLACE((DT_WSTR,8)6,\"6\",\"5\")", "5"),
    ],
    typing: |args| {
        let (len, search, replacement) = (args.text(0)?, args.text(1)?, args.text(2)?);
        if args.nodes[1].origin == Origin::Literal && args.nodes[1].constant_text() == Some("") {
            return Err(empty_search(args));
        }
        Ok(DataType::WStr { len: replaced_length(len, search, replacement) })
    },
    fallible: |args| args[1].constant_text().is_none_or(str::is_empty),
    kernel: |call| {
        let (texts, search, with) =
            (Texts::new(&call.args[0])?, Texts::new(&call.args[1])?, Texts::new(&call.args[2])?);
        let mut out = TextOut::sharing(texts, call.rows);
        let mut faults = Faults::new();
        let finder = match search {
            Texts::One(needle) if !needle.is_empty() => Some(Finder::new(needle)),
            _ => None,
        };
        for row in 0..call.rows {
            if !call.is_valid(row) {
                out.push_empty();
                continue;
            }
            let (text, needle, with) = (texts.get(row), search.get(row), with.get(row));
            if needle.is_empty() {
                faults.push(fault(row, EMPTY_SEARCH));
                out.push_empty();
                continue;
            }
            let bytes = text.as_bytes();
            let find = |from: usize| match &finder {
                Some(finder) => finder.find(&bytes[from..]),
                None => memchr::memmem::find(&bytes[from..], needle.as_bytes()),
            };
            let Some(first) = find(0) else {
                out.push_part(row, 0, text.len());
                continue;
            };
            out.push_with(|own| {
                let (mut done, mut next) = (0, Some(first));
                while let Some(at) = next {
                    own.push_str(&text[done..done + at]);
                    own.push_str(with);
                    done += at + needle.len();
                    next = find(done);
                }
                own.push_str(&text[done..]);
            });
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((out.finish(nulls)?, faults))
    },
    ..BASE
};

/// The code of a row that searches for the empty text; the reference forbids it and names no code (unconfirmed).
const EMPTY_SEARCH: Code = codes::DTS_E_EXPREVALFUNCTIONCOMPUTEFAILED;

fn empty_search(args: &Args<'_>) -> crate::expr::ExprError {
    crate::expr::ExprError::new(EMPTY_SEARCH, args.nodes[1].span.clone(), &[&args.def.name, &EMPTY_SEARCH.0])
        .saying("REPLACE cannot search for an empty text")
        .expecting(&["a text that is not empty"])
}

/// The declared length of a REPLACE: that of the text; if the replacement is longer than what it replaces, as many times
/// as fit in it (unconfirmed), no more than a DT_WSTR column holds.
fn replaced_length(len: u32, search: u32, replacement: u32) -> u32 {
    if replacement <= search || search == 0 {
        return len;
    }
    let times = len / search;
    let grown = u64::from(len) + u64::from(times) * u64::from(replacement - search);
    (grown.min(u64::from(MAX_WSTR_UNITS)) as u32).max(len)
}

pub(super) const REPLICATE: FunctionDef = FunctionDef {
    name: "REPLICATE",
    syntax: "REPLICATE(text, times)",
    types: types(
        &[Takes::Text, Takes::Integer],
        Gives::Text("that of text, multiplied by times if constant; at most 4000; 4000 if times is not constant"),
    ),
    arity: 2,
    doc: "The text as many times over. A negative number is an error.",
    examples: &[
        example("REPLICATE(\"Helmet\",2)", "HelmetHelmet"),
        example("REPLICATE(\"a\",0)", ""),
        example("REPLICATE(\"a\",-1)", "error 0xC00470E8"),
    ],
    typing: |args| {
        let len = args.text(0)?;
        args.integer(1)?;
        Ok(DataType::WStr { len: replicated_length(len, args.nodes[1].constant_integer()) })
    },
    fallible: always,
    kernel: |call| {
        let (texts, times) = (Texts::new(&call.args[0])?, Ints::new(&call.args[1])?);
        let mut out = TextOut::new(call.rows);
        let mut faults = Faults::new();
        for row in 0..call.rows {
            if !call.is_valid(row) {
                out.push_empty();
                continue;
            }
            let (text, times) = (texts.get(row), times.get(row));
            let total = usize::try_from(times).ok().and_then(|n| n.checked_mul(text.len()));
            match total {
                Some(total) if total <= REPLICATED_BYTES => out.push_with(|own| {
                    if !text.is_empty() {
                        (0..times).for_each(|_| own.push_str(text));
                    }
                }),
                _ => {
                    let negative = times < 0;
                    faults.push(fault(
                        row,
                        if negative { codes::DTS_E_EXPREVALFNREPLICATEINVALIDREPEATCOUNT } else { OVERFLOW },
                    ));
                    out.push_empty();
                }
            }
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((out.finish(nulls)?, faults))
    },
    ..BASE
};

/// The declared length of a REPLICATE: as many times that of the text, which the expression's type caps with a warning; of
/// a number that is not constant what a column holds (unconfirmed).
fn replicated_length(len: u32, times: Option<i64>) -> u32 {
    times.map_or(MAX_WSTR_UNITS, |n| length(i64::from(len).saturating_mul(n)))
}

/// The largest text that REPLICATE makes (a limit of this program, so that a count cannot exhaust memory).
const REPLICATED_BYTES: usize = 64 << 20;

pub(super) const LEN: FunctionDef = FunctionDef {
    name: "LEN",
    syntax: "LEN(text)",
    types: types(&[Takes::TextOrBlob], Gives::Always(DataType::I4)),
    doc: "The number of characters of a text, trailing blanks included; of a DT_TEXT, DT_NTEXT or DT_IMAGE, the number of \
          bytes.",
    examples: &[example("LEN(\"Ball Bearing\")", "12"), example("LEN(\"ab  \")", "4")],
    typing: |args| {
        if !args.nodes[0].ty.is_blob() {
            args.text(0)?;
        }
        Ok(DataType::I4)
    },
    kernel: |call| {
        let mut lengths: Vec<i32> = Vec::with_capacity(call.rows);
        match call.nodes[0].ty {
            DataType::Image => match &call.args[0] {
                Datum::Scalar(Value::Bytes(b)) => lengths.resize(call.rows, b.len() as i32),
                Datum::Array(a) => {
                    let column = a.as_binary_view_opt().ok_or_else(|| mismatch("byte string"))?;
                    lengths.extend(column.views().iter().map(|v| *v as u32 as i32));
                }
                _ => return Err(mismatch("byte string")),
            },
            DataType::Text { code_page } => {
                let texts = Texts::new(&call.args[0])?;
                for row in 0..call.rows {
                    lengths.push(if call.is_valid(row) {
                        code_page::encoded_len(texts.get(row), code_page)? as i32
                    } else {
                        0
                    });
                }
            }
            data_type => {
                let width = if data_type == DataType::NText { 2 } else { 1 };
                let texts = Texts::new(&call.args[0])?;
                for row in 0..call.rows {
                    lengths.push(if call.is_valid(row) { (units(texts.get(row)) * width) as i32 } else { 0 });
                }
            }
        }
        Ok((Arc::new(PrimitiveArray::<Int32Type>::try_new(lengths.into(), call.nulls.clone())?), Faults::new()))
    },
    ..BASE
};

pub(super) const CODEPOINT: FunctionDef = FunctionDef {
    name: "CODEPOINT",
    syntax: "CODEPOINT(text)",
    types: types(&[Takes::Text], Gives::Always(DataType::UI2)),
    doc: "The code of the first character (of a pair, its first half); NULL for an empty text.",
    examples: &[
        example("CODEPOINT(\"Mountain Bike\")", "77"),
        example("CODEPOINT(\"Touring Front Wheel\")", "84"),
        example("CODEPOINT(\"\")", "NULL"),
    ],
    typing: |args| {
        args.text(0)?;
        Ok(DataType::UI2)
    },
    kernel: |call| {
        let texts = Texts::new(&call.args[0])?;
        let codes: PrimitiveArray<UInt16Type> = (0..call.rows)
            .map(|row| call.is_valid(row).then(|| texts.get(row).encode_utf16().next()).flatten())
            .collect();
        Ok((Arc::new(codes), Faults::new()))
    },
    ..BASE
};
