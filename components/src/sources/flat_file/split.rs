//! The exact splitter: one row at a time, one column after the other, for every format and every spelling.
//!
//! It is the definition of where fields begin and end; the vector scanner ([`super::scan`]) covers the common case and
//! leaves the rest to this one.

use crate::connections::flat_file::{ColumnEnd, FlatFileFormat};
use memchr::memmem::Finder;

/// A field: first byte and one past the last, qualifiers included. [`MISSING`] where the row ended before it.
pub(crate) type Range = (u32, u32);

/// The field of a column that its row does not have.
pub(crate) const MISSING: Range = (u32::MAX, u32::MAX);

/// What became of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Split {
    /// It ends here; the next begins at the offset.
    Row(usize),
    /// It does not end within the bytes given.
    NeedMore,
    /// The file ends within it, before all its columns.
    Partial,
    /// Text follows a closing qualifier, or a qualifier is not closed: the column's index.
    Broken(usize, Defect),
}

/// Why a row cannot be told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Defect {
    /// DTS_E_COLUMNDELIMITERNOTFOUND.
    NoDelimiter,
    /// DTS_E_TEXTQUALIFIERNOTFOUND.
    NoQualifier,
}

enum End {
    Delimiter(Box<Finder<'static>>),
    Width(usize),
}

struct Column {
    end: End,
    qualified: bool,
}

/// Splits rows as a [`FlatFileFormat`] says.
pub(crate) struct Splitter {
    columns: Vec<Column>,
    row: Option<Finder<'static>>,
    qualifier: Vec<u8>,
    qualifier_finder: Finder<'static>,
    always_check: bool,
    /// Widths count UTF-16 code units of UTF-8 text, not bytes.
    units: bool,
}

impl Splitter {
    /// A splitter for text in which delimiters and qualifiers are spelled as `encode` says.
    pub(crate) fn new(format: &FlatFileFormat, units: bool, encode: impl Fn(&str) -> Vec<u8>) -> Splitter {
        let finder = |text: &str| Finder::new(&encode(text)).into_owned();
        let columns = format
            .columns
            .iter()
            .map(|c| match &c.end {
                ColumnEnd::Delimiter(text) => {
                    Column { end: End::Delimiter(Box::new(finder(text))), qualified: c.text_qualified }
                }
                ColumnEnd::Width(n) => Column { end: End::Width(*n as usize), qualified: false },
            })
            .collect();
        let row = (!format.row_delimiter.is_empty()).then(|| finder(&format.row_delimiter));
        Splitter {
            columns,
            row,
            qualifier: encode(&format.qualifier),
            qualifier_finder: finder(&format.qualifier),
            always_check: format.always_check,
            units,
        }
    }

    /// Splits the row that begins at `start`; appends one range a column to `out` if it is whole. `at_end` says that
    /// nothing follows `bytes`. There must be something to split.
    pub(crate) fn split(&self, bytes: &[u8], start: usize, at_end: bool, out: &mut Vec<Range>) -> Split {
        let mark = out.len();
        let mut at = start;
        for index in 0..self.columns.len() {
            let last = index + 1 == self.columns.len();
            let step = match &self.columns[index].end {
                End::Delimiter(own) => self.delimited(bytes, at, at_end, index, own, last),
                End::Width(width) => self.fixed(bytes, at, at_end, *width, last),
            };
            match step {
                Field::Ends { end, next } => {
                    out.push((at as u32, end as u32));
                    at = next;
                }
                Field::EndsRow { end, next } => {
                    out.push((at as u32, end as u32));
                    out.resize(mark + self.columns.len(), MISSING);
                    return Split::Row(next);
                }
                Field::Stops(stop) => {
                    out.truncate(mark);
                    return stop;
                }
            }
        }
        Split::Row(at)
    }

    fn delimited(&self, bytes: &[u8], at: usize, at_end: bool, index: usize, own: &Finder, last: bool) -> Field {
        let mut from = at;
        let qualified =
            self.columns[index].qualified && !self.qualifier.is_empty() && bytes[at..].starts_with(&self.qualifier);
        if self.columns[index].qualified && !self.qualifier.is_empty() && !at_end {
            // A qualifier of several bytes that the block cuts.
            let rest = &bytes[at..];
            if rest.len() < self.qualifier.len() && self.qualifier.starts_with(rest) {
                return Field::Stops(Split::NeedMore);
            }
        }
        if qualified {
            let size = self.qualifier.len();
            from = at + size;
            loop {
                let Some(found) = self.qualifier_finder.find(&bytes[from..]) else {
                    return Field::Stops(if at_end {
                        Split::Broken(index, Defect::NoQualifier)
                    } else {
                        Split::NeedMore
                    });
                };
                from += found + size;
                let rest = &bytes[from..];
                if rest.starts_with(&self.qualifier) {
                    from += size;
                } else if rest.len() < size && !at_end && self.qualifier.starts_with(rest) {
                    return Field::Stops(Split::NeedMore);
                } else {
                    break;
                }
            }
        }
        let rest = &bytes[from..];
        let row = match &self.row {
            Some(row) if !last && self.always_check => Some(row),
            _ => None,
        };
        if qualified {
            // Only a delimiter may follow.
            let ends = |needle: &[u8]| rest.starts_with(needle);
            if ends(own.needle()) {
                return Field::Ends { end: from, next: from + own.needle().len() };
            }
            if let Some(row) = row
                && ends(row.needle())
            {
                return Field::EndsRow { end: from, next: from + row.needle().len() };
            }
            let may_come = |needle: &[u8]| rest.len() < needle.len() && needle.starts_with(rest);
            if !at_end && (may_come(own.needle()) || row.is_some_and(|r| may_come(r.needle()))) {
                return Field::Stops(Split::NeedMore);
            }
            return match (rest.is_empty(), last) {
                (true, true) => Field::Ends { end: from, next: from },
                (true, false) => Field::Stops(Split::Partial),
                (false, _) => Field::Stops(Split::Broken(index, Defect::NoDelimiter)),
            };
        }
        let row_at = row.and_then(|row| row.find(rest).map(|found| (found, row.needle().len())));
        // What lies behind the row's end is of no interest.
        let size = own.needle().len();
        let within = row_at.map_or(rest.len(), |(found, row)| (found + row.max(size)).min(rest.len()));
        let own_at = own.find(&rest[..within]);
        match (own_at, row_at) {
            (Some(found), None) => Field::Ends { end: from + found, next: from + found + own.needle().len() },
            (Some(found), Some((row_found, _))) if found <= row_found => {
                Field::Ends { end: from + found, next: from + found + own.needle().len() }
            }
            (_, Some((found, size))) => Field::EndsRow { end: from + found, next: from + found + size },
            (None, None) if !at_end => Field::Stops(Split::NeedMore),
            (None, None) if last => Field::Ends { end: bytes.len(), next: bytes.len() },
            (None, None) => Field::Stops(Split::Partial),
        }
    }

    fn fixed(&self, bytes: &[u8], at: usize, at_end: bool, width: usize, last: bool) -> Field {
        let rest = &bytes[at..];
        let end = if self.units { units_end(rest, width) } else { (rest.len() >= width).then_some(width) };
        if self.always_check
            && let Some(row) = &self.row
        {
            let size = row.needle().len();
            // A delimiter may begin at the last unit of the column at the latest.
            let until = end.unwrap_or(rest.len());
            let window = &rest[..(until + size - 1).min(rest.len())];
            match row.find(window) {
                Some(found) if found < until => {
                    return Field::EndsRow { end: at + found, next: at + found + size };
                }
                _ if !at_end && window.len() < until + size - 1 => return Field::Stops(Split::NeedMore),
                _ => {}
            }
        }
        match end {
            Some(end) => Field::Ends { end: at + end, next: at + end },
            None if !at_end => Field::Stops(Split::NeedMore),
            None if last && !rest.is_empty() => Field::Ends { end: bytes.len(), next: bytes.len() },
            None => Field::Stops(Split::Partial),
        }
    }
}

enum Field {
    Ends { end: usize, next: usize },
    EndsRow { end: usize, next: usize },
    Stops(Split),
}

/// Where `width` UTF-16 code units of UTF-8 text end, if there are so many.
fn units_end(bytes: &[u8], width: usize) -> Option<usize> {
    let mut units = 0;
    let mut at = 0;
    while units < width {
        let (size, of) = match bytes.get(at)? {
            0..=0x7f => (1, 1),
            0xc0..=0xdf => (2, 1),
            0xe0..=0xef => (3, 1),
            0xf0..=0xff => (4, 2),
            _ => (1, 0),
        };
        at += size;
        units += of;
    }
    (at <= bytes.len()).then_some(at)
}
