//! Records as bytes: the texts that have to be equal, then by fuzzy column its tokens, each with its weight.

use super::Weighted;
use super::store::short;
use dtsx_engine::diag::Result;
use std::hash::BuildHasher;

/// A record: the tokens of each fuzzy column, and the texts of the columns that have to be equal (None is NULL).
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Record {
    pub(crate) tokens: Vec<Vec<String>>,
    pub(crate) exact: Vec<Option<String>>,
}

/// Bytes of a token beside its text: its length and its weight.
const HEAD: usize = 12;

impl Record {
    /// Writes the record; its tokens have no weights yet.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0; 4]);
        for text in &self.exact {
            out.extend_from_slice(&text.as_ref().map_or(u32::MAX, |text| text.len() as u32).to_le_bytes());
            out.extend_from_slice(text.as_deref().unwrap_or_default().as_bytes());
        }
        let exact = (out.len() - 4) as u32;
        out[..4].copy_from_slice(&exact.to_le_bytes());
        for tokens in &self.tokens {
            out.extend_from_slice(&(tokens.len() as u32).to_le_bytes());
            for token in tokens {
                out.extend_from_slice(&(token.len() as u32).to_le_bytes());
                out.extend_from_slice(&[0; 8]);
                out.extend_from_slice(token.as_bytes());
            }
        }
    }
}

/// Sets the weights of the tokens of a written record.
pub(super) fn set_weights(record: &mut [u8], mut weight: impl FnMut(usize, &[u8]) -> Result<f64>) -> Result<()> {
    let mut at = 4 + short(record) as usize;
    let mut column = 0;
    while at < record.len() {
        let tokens = short(&record[at..]);
        at += 4;
        for _ in 0..tokens {
            let text = at + HEAD;
            let end = text + short(&record[at..]) as usize;
            let weight = weight(column, &record[text..end])?;
            record[at + 4..text].copy_from_slice(&weight.to_le_bytes());
            at = end;
        }
        column += 1;
    }
    Ok(())
}

/// A record that was written.
pub(super) struct Written<'a> {
    /// By fuzzy column.
    pub(super) columns: Vec<Vec<Weighted<'a>>>,
    /// The texts that have to be equal.
    pub(super) exact: &'a [u8],
}

impl<'a> Written<'a> {
    pub(super) fn read(record: &'a [u8]) -> Written<'a> {
        let (exact, mut rest) = record[4..].split_at(short(record) as usize);
        let mut columns = Vec::new();
        while !rest.is_empty() {
            let count = short(rest) as usize;
            rest = &rest[4..];
            let mut tokens = Vec::with_capacity(count);
            for _ in 0..count {
                let (head, text) = rest.split_at(HEAD);
                let (text, behind) = text.split_at(short(head) as usize);
                let weight = head[4..].first_chunk().map_or(0.0, |bytes| f64::from_le_bytes(*bytes));
                tokens.push((std::str::from_utf8(text).unwrap_or_default(), weight));
                rest = behind;
            }
            columns.push(tokens);
        }
        Written { columns, exact }
    }

    /// A number for the texts that have to be equal; None if there are none.
    pub(super) fn exact_hash(&self) -> Option<u64> {
        (!self.exact.is_empty()).then(|| foldhash::fast::FixedState::with_seed(0).hash_one(self.exact))
    }
}
