//! Fuzzy matching of texts: tokens, weights, similarity, and an index that finds candidates.
//!
//! The original's algorithm is not published in full. This one is the similarity of "Robust and Efficient Fuzzy Match for
//! Online Data Cleaning" (Chaudhuri, Ganjam, Ganti, Motwani, 2003), from which it came: a text is a bag of tokens, a token
//! weighs the more the rarer it is in the reference, and the similarity of an input to a reference text is one minus what
//! it costs to turn the one into the other, in parts of the input's weight:
//!
//! | step | cost |
//! |---|---|
//! | replace an input token by a reference token | edit distance, as a part of the longer token's length, times the input token's weight |
//! | delete an input token | its weight |
//! | insert a reference token | half its weight |
//!
//! Numbers come out close to the original's, not equal to them; order, thresholds and shape of what comes out are the same
//! on every run.

mod dictionary;
mod index;
mod record;
pub(crate) mod rows;
mod sorter;
mod store;
mod text;

pub(crate) use index::{Builder, Finder, Index, Match};
pub(crate) use record::Record;
pub(crate) use sorter::{Sorted, Sorter};
pub(crate) use store::{Entries, EntriesWriter, Room};
pub(crate) use text::{Folding, Tokenizer, unescaped};

/// What inserting a token costs, in parts of its weight.
const INSERTION: f64 = 0.5;

/// A token and what it weighs.
pub(crate) type Weighted<'a> = (&'a str, f64);

/// What it costs to turn `input` into `reference`, and what the input weighs.
pub(crate) fn cost(input: &[Weighted<'_>], reference: &[Weighted<'_>]) -> (f64, f64) {
    let weight: f64 = input.iter().map(|(_, w)| w).sum();
    // The cheapest replacements first; ties in the order of the tokens.
    let mut pairs = Vec::new();
    for (i, (a, w)) in input.iter().enumerate() {
        for (r, (b, _)) in reference.iter().enumerate() {
            let distance = distance(a, b);
            if distance < 1.0 {
                pairs.push((distance, i, r, distance * w));
            }
        }
    }
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
    let (mut used_input, mut used_reference) = (vec![false; input.len()], vec![false; reference.len()]);
    let mut cost = 0.0;
    for (_, i, r, replacement) in pairs {
        // A replacement that costs more than to delete the one and insert the other is none.
        if !used_input[i] && !used_reference[r] && replacement <= input[i].1 + INSERTION * reference[r].1 {
            (used_input[i], used_reference[r]) = (true, true);
            cost += replacement;
        }
    }
    cost += input.iter().zip(&used_input).filter(|(_, used)| !**used).map(|((_, w), _)| w).sum::<f64>();
    cost +=
        reference.iter().zip(&used_reference).filter(|(_, used)| !**used).map(|((_, w), _)| INSERTION * w).sum::<f64>();
    (cost, weight)
}

/// The similarity of a cost and a weight: 1 for two empty texts, 0 for an empty input and a reference text.
pub(crate) fn similarity((cost, weight): (f64, f64)) -> f64 {
    if cost <= 0.0 {
        return 1.0;
    }
    if weight <= 0.0 { 0.0 } else { (1.0 - cost / weight).max(0.0) }
}

/// The edit distance of two tokens (insert, delete, replace, each 1) as a part of the longer one's length.
pub(crate) fn distance(a: &str, b: &str) -> f64 {
    if a == b {
        return 0.0;
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    let longer = a.len().max(b.len());
    if longer == 0 { 0.0 } else { row[b.len()] as f64 / longer as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, expected) in [
            ("", "", 0.0),
            ("abc", "abc", 0.0),
            ("abc", "abd", 1.0 / 3.0),
            ("kitten", "sitting", 3.0 / 7.0),
            ("a", "", 1.0),
            ("xy", "ab", 1.0),
        ] {
            assert!((distance(a, b) - expected).abs() < 1e-9, "{a} {b}");
        }
    }

    #[test]
    fn similarities() {
        let of = |a: &[Weighted<'_>], b: &[Weighted<'_>]| similarity(cost(a, b));
        assert_eq!(of(&[("boeing", 2.0), ("company", 1.0)], &[("company", 1.0), ("boeing", 2.0)]), 1.0);
        // A rare token that differs costs more than a common one.
        let close = of(&[("beoing", 2.0), ("company", 1.0)], &[("boeing", 2.0), ("company", 1.0)]);
        let far = of(&[("boeing", 2.0), ("company", 1.0)], &[("boon", 2.0), ("company", 1.0)]);
        assert!(close > far && close < 1.0, "{close} {far}");
        assert_eq!(of(&[("a", 1.0)], &[("zzz", 1.0)]), 0.0);
        assert_eq!((of(&[], &[]), of(&[], &[("a", 1.0)])), (1.0, 0.0));
        // Half of the weight of what has to be inserted.
        assert!((of(&[("a", 1.0)], &[("a", 1.0), ("b", 1.0)]) - 0.5).abs() < 1e-9);
    }
}
