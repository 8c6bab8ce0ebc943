//! The linguistic order of text: by a Windows locale and the comparison flags of SSIS.
//!
//! Letters, accents and case are compared with the Unicode collation of the locale's language; on top of it come the
//! things that Windows does its own way: hyphen and apostrophe weigh almost nothing ("word sort": `coop`, `co-op` stay
//! together), and width and kind of kana count separately from case. Equal means equal under the flags, which need not
//! mean the same characters.
//!
//! Text of ASCII characters, most text there is, takes a shorter way to the same result: `ascii` derives its tables
//! from the collation itself.

mod ascii;
mod kana;
mod tags;

use crate::diag::{Error, Owner, Result, codes};
use ascii::Ascii;
use icu_collator::options::{AlternateHandling, CaseLevel, CollatorOptions, MaxVariable, Strength};
use icu_collator::{CollatorBorrowed, CollatorPreferences};
use std::cmp::Ordering;
use std::sync::Arc;

/// Upper and lower case are the same.
pub const IGNORE_CASE: u32 = 0x1;
/// Letters with and without accents are the same.
pub const IGNORE_NON_SPACING: u32 = 0x2;
/// Blanks, punctuation and symbols do not count.
pub const IGNORE_SYMBOLS: u32 = 0x4;
/// Hyphen and apostrophe are punctuation like any other.
pub const STRING_SORT: u32 = 0x1000;
/// Hiragana and katakana are the same.
pub const IGNORE_KANA_TYPE: u32 = 0x10000;
/// Narrow and wide forms are the same.
pub const IGNORE_WIDTH: u32 = 0x20000;

/// Every flag that there is.
pub const ALL_FLAGS: u32 =
    IGNORE_CASE | IGNORE_NON_SPACING | IGNORE_SYMBOLS | STRING_SORT | IGNORE_KANA_TYPE | IGNORE_WIDTH;

/// Parts the levels of a sort key, below every weight.
const LEVEL: u8 = 1;

/// An order of text; cheap to clone.
#[derive(Clone, Debug)]
pub struct Collation(Arc<Order>);

#[derive(Debug)]
struct Order {
    collator: CollatorBorrowed<'static>,
    flags: u32,
    /// Hyphens and apostrophes count last of all.
    word_sort: bool,
    ascii: Option<Ascii>,
}

impl Collation {
    /// The order of the language of `lcid` (0: of no language in particular) under ComparisonFlags.
    ///
    /// # Errors
    /// Flags that do not exist.
    pub fn new(lcid: u32, flags: u32) -> Result<Collation> {
        if flags & !ALL_FLAGS != 0 {
            let code = codes::DTS_E_INVALIDCOMPARISONFLAGS;
            return Err(Error::new(Owner::Package, code, code.message(&[&"column", &(flags & !ALL_FLAGS)])));
        }
        let mut options = CollatorOptions::default();
        options.strength = Some(match (flags & IGNORE_CASE != 0, flags & IGNORE_NON_SPACING != 0) {
            (false, false) => Strength::Tertiary,
            (true, false) => Strength::Secondary,
            (_, true) => Strength::Primary,
        });
        let case_level = flags & (IGNORE_CASE | IGNORE_NON_SPACING) == IGNORE_NON_SPACING;
        options.case_level = Some(if case_level { CaseLevel::On } else { CaseLevel::Off });
        options.alternate_handling = Some(AlternateHandling::NonIgnorable);
        if flags & IGNORE_SYMBOLS != 0 {
            options.alternate_handling = Some(AlternateHandling::Shifted);
            options.max_variable = Some(MaxVariable::Currency);
        }
        let preferences = tags::locale(lcid).map(|l| CollatorPreferences::from(&l)).unwrap_or_default();
        let collator = CollatorBorrowed::try_new(preferences, options)
            .map_err(|e| Error::internal(format!("no collation for locale {lcid}: {e}")))?;
        let word_sort = hyphens_count_last(flags);
        let ascii = if case_level { None } else { Ascii::of(&collator, options.strength == Some(Strength::Primary)) };
        Ok(Collation(Arc::new(Order { collator, flags, word_sort, ascii })))
    }

    /// Which of two texts comes first.
    pub fn compare(&self, a: &str, b: &str) -> Ordering {
        if a == b {
            return Ordering::Equal;
        }
        let order = &*self.0;
        if let Some(ascii) = &order.ascii
            && a.is_ascii()
            && b.is_ascii()
        {
            return ascii.compare(a.as_bytes(), b.as_bytes(), order.word_sort);
        }
        let (x, y) = (order.letters(a), order.letters(b));
        order.collator.compare(&x, &y).then_with(|| order.tail(a).cmp(&order.tail(b)))
    }

    /// Whether two texts are the same under the flags.
    pub fn equal(&self, a: &str, b: &str) -> bool {
        self.compare(a, b) == Ordering::Equal
    }

    /// Appends bytes whose order is the order of the texts, and which are equal where the texts are: a key for hashing
    /// and joining as well. No byte is 0.
    pub fn sort_key(&self, text: &str, key: &mut Vec<u8>) {
        let order = &*self.0;
        if let Some(ascii) = &order.ascii
            && text.is_ascii()
        {
            ascii.sort_key(text.as_bytes(), order.word_sort, key);
            return;
        }
        sort_key_of(&order.collator, &order.letters(text), key);
        key.extend_from_slice(&order.tail(text));
    }

    /// Appends bytes that are equal where texts are the same under the flags.
    pub fn equal_key(&self, text: &str, key: &mut Vec<u8>) {
        self.sort_key(text, key);
    }
}

/// The sort key that the collation library makes; its interface for that is not final, so it is used here only.
fn sort_key_of(collator: &CollatorBorrowed<'_>, text: &str, key: &mut Vec<u8>) {
    let Ok(()) = collator.write_sort_key_to(text, key);
}

/// Whether hyphen and apostrophe are compared after everything else: the "word sort" of Windows, unless STRING_SORT is
/// set; without symbols they do not count at all. That the Sort transformation compares so is inferred from the flags
/// that it has (unconfirmed). Where Windows and Unicode order symbols, or letters of less common scripts, differently,
/// we follow Unicode.
fn hyphens_count_last(flags: u32) -> bool {
    flags & (STRING_SORT | IGNORE_SYMBOLS) == 0
}

/// What word sort compares last: hyphen-minus, hyphen, non-breaking hyphen, apostrophe (unconfirmed: the exact set).
fn is_special(c: char) -> bool {
    matches!(c, '-' | '\'' | '\u{2010}' | '\u{2011}')
}

impl Order {
    /// The text without what the tail compares, and with what the flags make equal made equal.
    fn letters<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        let strip = self.word_sort && text.contains(is_special);
        let fold = self.flags & (IGNORE_WIDTH | IGNORE_KANA_TYPE) != 0 && text.chars().any(kana::has_forms);
        if !strip && !fold {
            return text.into();
        }
        let kept = text.chars().filter(|c| !strip || !is_special(*c));
        kept.map(|c| if fold { kana::fold(c, self.flags) } else { c }).collect()
    }

    /// What is compared after everything else: places of hyphens and apostrophes, then forms of kana and width.
    fn tail(&self, text: &str) -> Vec<u8> {
        let mut tail = Vec::new();
        let special = self.word_sort && text.contains(is_special);
        let all = IGNORE_WIDTH | IGNORE_KANA_TYPE;
        let forms = self.flags & all != all && text.chars().any(|c| kana::form(c, self.flags) > kana::PLAIN);
        if special || forms {
            tail.push(LEVEL);
        }
        if special {
            let mut place = 0;
            for c in text.chars() {
                if is_special(c) {
                    push_place(place, if c == '\'' { 2 } else { 3 }, &mut tail);
                } else {
                    place += 1;
                }
            }
        }
        if forms {
            tail.push(LEVEL);
            for (place, form) in text.chars().map(|c| kana::form(c, self.flags)).enumerate() {
                if form > kana::PLAIN {
                    push_place(place, form, &mut tail);
                }
            }
        }
        tail
    }
}

/// The place of a character and what is said of it: three digits to base 64, then which it is; no byte below 2.
fn push_place(place: usize, which: u8, tail: &mut Vec<u8>) {
    let place = place.min((1 << 18) - 1);
    let digit = |shift: u32| ((place >> shift) & 63) as u8 + 2;
    tail.extend([digit(12), digit(6), digit(0), which]);
}

#[cfg(test)]
mod tests;
