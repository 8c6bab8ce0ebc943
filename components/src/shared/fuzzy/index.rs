//! Records of texts, and an index of parts of their tokens that finds the ones worth comparing.

use super::{Weighted, cost, similarity};
use std::collections::HashMap;

/// Characters of the parts by which tokens are found; a shorter token is a part of its own.
const GRAM: usize = 3;
/// Records that are compared with an input at most, unless all are to be: those that share the most with it.
const CANDIDATES: usize = 500;

/// A record: the tokens of each fuzzy column, and the texts of the columns that have to be equal (None is NULL).
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Record {
    pub(crate) tokens: Vec<Vec<String>>,
    pub(crate) exact: Vec<Option<String>>,
}

/// A record that is similar to an input.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Match {
    /// Its number.
    pub(crate) record: u32,
    /// The similarity over all fuzzy columns.
    pub(crate) similarity: f64,
    /// By fuzzy column.
    pub(crate) columns: Vec<f64>,
}

/// Reference records.
pub(crate) struct Index {
    records: Vec<Record>,
    /// By fuzzy column, what its tokens weigh.
    weights: Vec<HashMap<String, f64>>,
    /// By fuzzy column, the weight of a token that no record has: that of an average one.
    unknown: Vec<f64>,
    /// The records that have a part of a token, by column and part, ascending.
    grams: HashMap<(usize, String), Vec<u32>>,
    /// Compare with every record.
    exhaustive: bool,
}

impl Index {
    /// An index of `records`, all of which have the same columns.
    pub(crate) fn new(records: Vec<Record>, exhaustive: bool) -> Index {
        let columns = records.first().map_or(0, |r| r.tokens.len());
        let mut counts: Vec<HashMap<String, u32>> = vec![HashMap::new(); columns];
        let mut grams: HashMap<(usize, String), Vec<u32>> = HashMap::new();
        for (number, record) in records.iter().enumerate() {
            for (column, tokens) in record.tokens.iter().enumerate() {
                let mut seen: Vec<&String> = tokens.iter().collect();
                seen.sort_unstable();
                seen.dedup();
                for token in seen {
                    *counts[column].entry(token.clone()).or_default() += 1;
                    for gram in parts(token) {
                        let list = grams.entry((column, gram)).or_default();
                        if list.last() != Some(&(number as u32)) {
                            list.push(number as u32);
                        }
                    }
                }
            }
        }
        let total = records.len() as f64;
        let weigh = |count: u32| (1.0 + total / f64::from(count)).ln();
        let weights: Vec<HashMap<String, f64>> =
            counts.into_iter().map(|c| c.into_iter().map(|(t, n)| (t, weigh(n))).collect()).collect();
        let unknown = weights.iter().map(average).collect();
        Index { records, weights, unknown, grams, exhaustive }
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.records
    }

    fn weighted<'t>(&self, column: usize, tokens: &'t [String]) -> Vec<Weighted<'t>> {
        let weight = |t: &String| self.weights[column].get(t).copied().unwrap_or(self.unknown[column]);
        tokens.iter().map(|t| (t.as_str(), weight(t))).collect()
    }

    /// How similar `input` is to a record.
    pub(crate) fn compare(&self, input: &Record, record: u32) -> Match {
        let reference = &self.records[record as usize];
        let mut columns = Vec::with_capacity(input.tokens.len());
        let (mut costs, mut weights) = (0.0, 0.0);
        for (column, (a, b)) in input.tokens.iter().zip(&reference.tokens).enumerate() {
            let (cost, weight) = cost(&self.weighted(column, a), &self.weighted(column, b));
            costs += cost;
            weights += weight;
            columns.push(similarity((cost, weight)));
        }
        Match { record, similarity: similarity((costs, weights)), columns }
    }

    /// The records that are at least so similar to `input`: over all columns `least`, column by column `columns`; the
    /// most similar first, then in the order of the records.
    pub(crate) fn matches(&self, input: &Record, least: f64, columns: &[f64]) -> Vec<Match> {
        let fits = |m: &Match| m.similarity >= least && m.columns.iter().zip(columns).all(|(s, least)| s >= least);
        let candidates = self.candidates(input);
        let compared = candidates.into_iter().map(|record| self.compare(input, record));
        // Nothing in common is no match, whatever the thresholds.
        let mut matches: Vec<Match> =
            compared.filter(|m| fits(m) && (m.similarity > 0.0 || m.columns.is_empty())).collect();
        matches.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.record.cmp(&b.record)));
        matches
    }

    /// The records worth comparing, ascending.
    fn candidates(&self, input: &Record) -> Vec<u32> {
        let equal = |record: &u32| self.records[*record as usize].exact == input.exact;
        let all = || (0..self.records.len() as u32).filter(equal).collect();
        if self.exhaustive || input.tokens.is_empty() {
            return all();
        }
        let mut shared: HashMap<u32, f64> = HashMap::new();
        for (column, tokens) in input.tokens.iter().enumerate() {
            for token in tokens {
                let parts = parts(token);
                let worth =
                    self.weights[column].get(token).copied().unwrap_or(self.unknown[column]) / parts.len() as f64;
                for gram in parts {
                    for record in self.grams.get(&(column, gram)).into_iter().flatten() {
                        *shared.entry(*record).or_default() += worth;
                    }
                }
            }
        }
        let mut shared: Vec<(u32, f64)> = shared.into_iter().filter(|(record, _)| equal(record)).collect();
        shared.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        shared.truncate(CANDIDATES);
        let mut records: Vec<u32> = shared.into_iter().map(|(record, _)| record).collect();
        records.sort_unstable();
        records
    }
}

/// The average weight, 1 without tokens. Added up in order, so that it is the same on every run.
fn average(weights: &HashMap<String, f64>) -> f64 {
    if weights.is_empty() {
        return 1.0;
    }
    let mut all: Vec<f64> = weights.values().copied().collect();
    all.sort_by(f64::total_cmp);
    all.iter().sum::<f64>() / all.len() as f64
}

/// The parts of a token.
fn parts(token: &str) -> Vec<String> {
    let chars: Vec<char> = token.chars().collect();
    if chars.len() <= GRAM {
        return vec![token.to_owned()];
    }
    let mut parts: Vec<String> = chars.windows(GRAM).map(|w| w.iter().collect()).collect();
    parts.sort_unstable();
    parts.dedup();
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str, exact: Option<&str>) -> Record {
        Record {
            tokens: vec![text.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect()],
            exact: exact.map(|e| vec![Some(e.to_owned())]).unwrap_or_default(),
        }
    }

    fn numbers(matches: &[Match]) -> Vec<u32> {
        matches.iter().map(|m| m.record).collect()
    }

    #[test]
    fn the_most_similar_come_first() {
        let names = ["boeing company", "bon corporation", "companions", "boeing corporation"];
        for exhaustive in [false, true] {
            let index = Index::new(names.iter().map(|n| record(n, None)).collect(), exhaustive);
            let matches = index.matches(&record("beoing company", None), 0.3, &[0.0]);
            assert_eq!(matches[0].record, 0, "{matches:?}");
            assert!(matches[0].similarity < 1.0 && matches[0].similarity > 0.6);
            assert_eq!(index.matches(&record("boeing corporation", None), 0.99, &[0.0])[0].similarity, 1.0);
            assert!(index.matches(&record("zzzz", None), 0.0, &[0.0]).is_empty());
            assert!(index.matches(&record("", None), 0.1, &[0.0]).is_empty());
            assert!(index.matches(&record("beoing company", None), 0.3, &[0.99]).is_empty());
        }
    }

    #[test]
    fn exact_columns_have_to_be_equal() {
        let records = vec![record("ann smith", Some("x")), record("ann smith", Some("y"))];
        let index = Index::new(records, false);
        assert_eq!(numbers(&index.matches(&record("anne smith", Some("y")), 0.2, &[0.0])), [1]);
        assert_eq!(numbers(&index.matches(&record("anne smith", Some("z")), 0.2, &[0.0])), [0; 0]);
    }
}
