//! Sort keys and comparisons of ASCII text without the collation library, byte for byte as it would have made them.
//!
//! A key of the library has a primary level (the letters), a secondary one (accents: none in ASCII, only their number)
//! and a tertiary one (upper case). The weights of each character are read off the key of the character alone; runs
//! of common weights are written as counts, and the lead byte of letters once a run.

use super::{LEVEL, push_place, sort_key_of};
use icu_collator::CollatorBorrowed;
use std::cmp::Ordering;

/// The weight of what is not special, its compressed runs, and the byte for a whole run.
const COMMON: u8 = 0x05;
const SECONDARY_RUN: usize = 0x21;
const TERTIARY_RUN: usize = 0x61;
/// Before a lead byte that is lower or higher than the one of the letters before it.
const BELOW: u8 = 0x03;
const ABOVE: u8 = 0xFF;

/// The weights of a character.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    /// Its place among all of ASCII; 0: it does not count.
    rank: u8,
    /// Primary weight: lead byte and up to three more.
    primary: [u8; 4],
    length: u8,
    /// Whether the lead byte is left out after one of its kind.
    compressible: bool,
    /// Tertiary weight as it is written; COMMON for most.
    tertiary: u8,
}

/// Tables for ASCII under one collation.
#[derive(Debug)]
pub(super) struct Ascii {
    weights: Box<[Weight; 128]>,
    secondary: bool,
    tertiary: bool,
}

impl Ascii {
    /// The tables of a collation; None if it treats some letters together (`ch`), so that tables by character will not do.
    pub(super) fn of(collator: &CollatorBorrowed<'_>, primary_only: bool) -> Option<Ascii> {
        let key = |text: &[u8]| -> Vec<u8> {
            let mut key = Vec::new();
            sort_key_of(collator, std::str::from_utf8(text).unwrap_or_default(), &mut key);
            key
        };
        let levels = key(b"").len();
        let mut ascii = Ascii {
            weights: Box::new([Weight::default(); 128]),
            secondary: !primary_only && levels >= 1,
            tertiary: !primary_only && levels >= 2,
        };
        for c in 0..128u8 {
            let alone = key(&[c]);
            if alone.len() == levels {
                continue;
            }
            let primary = alone.split(|b| *b == LEVEL).next().unwrap_or_default();
            let weight = &mut ascii.weights[c as usize];
            if primary.is_empty() || primary.len() > 4 {
                return None;
            }
            weight.primary[..primary.len()].copy_from_slice(primary);
            weight.length = primary.len() as u8;
            let twice = key(&[c, c]);
            weight.compressible =
                twice.split(|b| *b == LEVEL).next().unwrap_or_default().len() == 2 * primary.len() - 1;
            weight.tertiary = match alone.rsplit(|b| *b == LEVEL).next() {
                Some([weight, ..]) if ascii.tertiary => *weight,
                _ => COMMON,
            };
        }
        ascii.rank();
        ascii.agrees(&key).then_some(ascii)
    }

    fn rank(&mut self) {
        let mut primaries: Vec<[u8; 4]> = self.weights.iter().filter(|w| w.length > 0).map(|w| w.primary).collect();
        primaries.sort_unstable();
        primaries.dedup();
        for weight in self.weights.iter_mut().filter(|w| w.length > 0) {
            weight.rank = primaries.partition_point(|p| *p < weight.primary) as u8 + 1;
        }
    }

    /// Whether pairs of a letter and another character have the key that the tables give them. Letters that a language
    /// treats together it treats so in lower case, too.
    fn agrees(&self, key: &dyn Fn(&[u8]) -> Vec<u8>) -> bool {
        let others = || (b'a'..=b'z').chain(*b"Z '-9");
        (b'a'..=b'z').all(|letter| {
            others().all(|other| {
                let mut ours = Vec::new();
                self.sort_key(&[letter, other], false, &mut ours);
                ours == key(&[letter, other])
            })
        })
    }

    fn weight(&self, byte: u8) -> &Weight {
        &self.weights[usize::from(byte & 0x7F)]
    }

    pub(super) fn sort_key(&self, text: &[u8], word_sort: bool, key: &mut Vec<u8>) {
        let letters = || text.iter().filter(|c| !(word_sort && is_special(**c))).map(|c| self.weight(*c));
        let mut counted = 0usize;
        let mut previous: Option<[u8; 4]> = None;
        let mut common = true;
        for weight in letters().filter(|w| w.length > 0) {
            counted += 1;
            common &= weight.tertiary == COMMON;
            let primary = &weight.primary[..usize::from(weight.length)];
            match previous {
                Some(before) if weight.compressible && before[0] == primary[0] => {}
                Some(before) => {
                    key.push(if weight.primary < before { BELOW } else { ABOVE });
                    key.push(primary[0]);
                    previous = weight.compressible.then_some(weight.primary);
                }
                None => {
                    key.push(primary[0]);
                    previous = weight.compressible.then_some(weight.primary);
                }
            }
            key.extend_from_slice(&primary[1..]);
        }
        if self.secondary {
            key.push(LEVEL);
            push_run(counted, SECONDARY_RUN, key);
        }
        if self.tertiary {
            key.push(LEVEL);
            if common {
                push_run(counted, TERTIARY_RUN, key);
            } else {
                push_tertiary(letters().filter(|w| w.length > 0).map(|w| w.tertiary), key);
            }
        }
        if word_sort && text.iter().any(|c| is_special(*c)) {
            key.push(LEVEL);
            self.specials(text, |place, which| push_place(place, which, key));
        }
    }

    fn specials(&self, text: &[u8], mut found: impl FnMut(usize, u8)) {
        let mut place = 0;
        for c in text {
            if is_special(*c) {
                found(place, if *c == b'\'' { 2 } else { 3 });
            } else {
                place += 1;
            }
        }
    }

    pub(super) fn compare(&self, a: &[u8], b: &[u8], word_sort: bool) -> Ordering {
        let counts = |c: &&u8| !(word_sort && is_special(**c)) && self.weight(**c).rank > 0;
        let (mut x, mut y) = (a.iter().filter(counts), b.iter().filter(counts));
        let mut tertiary = Ordering::Equal;
        loop {
            match (x.next(), y.next()) {
                (None, None) => break,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(p), Some(q)) => {
                    let (p, q) = (self.weight(*p), self.weight(*q));
                    if p.rank != q.rank {
                        return p.rank.cmp(&q.rank);
                    }
                    tertiary = tertiary.then(p.tertiary.cmp(&q.tertiary));
                }
            }
        }
        if self.tertiary && tertiary != Ordering::Equal {
            return tertiary;
        }
        if !word_sort {
            return Ordering::Equal;
        }
        let places = |text: &[u8]| {
            let mut places = Vec::new();
            self.specials(text, |place, which| places.push((place, which)));
            places
        };
        places(a).cmp(&places(b))
    }
}

fn is_special(c: u8) -> bool {
    super::is_special(char::from(c))
}

/// So many common weights, before the end of the level.
fn push_run(count: usize, run: usize, key: &mut Vec<u8>) {
    if count > 0 {
        let rest = count - 1;
        key.extend(std::iter::repeat_n(COMMON + run as u8 - 1, rest / run));
        key.push(COMMON + (rest % run) as u8);
    }
}

/// Tertiary weights, with runs of the common one before a higher one counted down from above.
fn push_tertiary(weights: impl Iterator<Item = u8>, key: &mut Vec<u8>) {
    const HIGHEST: u8 = COMMON + 0xC0;
    let mut common = 0usize;
    for weight in weights {
        if weight == COMMON {
            common += 1;
            continue;
        }
        if common > 0 {
            let rest = common - 1;
            key.extend(std::iter::repeat_n(COMMON + TERTIARY_RUN as u8 - 1, rest / TERTIARY_RUN));
            key.push(HIGHEST - (rest % TERTIARY_RUN) as u8);
            common = 0;
        }
        key.push(weight);
    }
    push_run(common, TERTIARY_RUN, key);
}
