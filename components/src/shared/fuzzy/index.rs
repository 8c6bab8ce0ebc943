//! Records of texts, and an index of parts of their tokens that finds the ones worth comparing.
//!
//! Everything is sorted bytes, which stay in memory for as long as the budget has room and are read from disk otherwise:
//! what is found is the same. Whatever the budget says, some hundred kilobytes are taken while an index is built.

use super::dictionary::{Dictionary, DictionaryWriter};
use super::record::{Written, set_weights};
use super::sorter::Sorter;
use super::store::{Entries, EntriesWriter, Room, Store, StoreWriter, short};
use super::{Record, cost, similarity};
use dtsx_engine::diag::Result;
use dtsx_engine::run::CancelToken;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Characters of the parts by which tokens are found; a shorter token is a part of its own.
const GRAM: usize = 3;
/// Records that are compared with an input at most, unless all are to be: those that share the most with it.
const CANDIDATES: usize = 500;
/// Records whose shares are added up at a time.
const RANGE: u32 = 1 << 14;
/// Numbers of records that are read at a time.
const CHUNK: usize = 1 << 10;
/// Records between two looks at whether the run was cancelled.
const STEP: u32 = 1 << 12;

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

/// Gathers records.
pub(crate) struct Builder {
    room: Room,
    exhaustive: bool,
    /// A column and a token for each record that has it.
    tokens: Sorter,
    /// The key of a part of a token, and the number of a record that has it.
    grams: Sorter,
    /// Records without the weights of their tokens.
    drafts: EntriesWriter,
    draft: Vec<u8>,
    key: Vec<u8>,
}

/// The key of a token.
fn token_key(key: &mut Vec<u8>, column: usize, token: &[u8]) {
    key.clear();
    key.extend_from_slice(&(column as u16).to_be_bytes());
    key.extend_from_slice(token);
}

/// The key of a part of a token. What has to be equal is a part of it, so that only such records are found.
fn gram_key(key: &mut Vec<u8>, exact: Option<u64>, column: usize, gram: &str) {
    all_key(key, exact);
    key.extend_from_slice(&(column as u16).to_be_bytes());
    // The length comes first, so that the records of a part stand together.
    key.extend_from_slice(&(gram.len() as u16).to_be_bytes());
    key.extend_from_slice(gram.as_bytes());
}

/// The key of all records whose texts are equal where they have to be.
fn all_key(key: &mut Vec<u8>, exact: Option<u64>) {
    key.clear();
    key.extend(exact.into_iter().flat_map(u64::to_be_bytes));
}

impl Builder {
    pub(crate) fn new(room: &Room, exhaustive: bool) -> Builder {
        Builder {
            room: room.clone(),
            exhaustive,
            tokens: Sorter::new(room),
            grams: Sorter::new(room),
            drafts: EntriesWriter::new(room),
            draft: Vec::new(),
            key: Vec::new(),
        }
    }

    /// Adds a record. All have the same columns.
    ///
    /// # Errors
    /// A temporary file that cannot be written.
    pub(crate) fn add(&mut self, record: &Record) -> Result<()> {
        let number = self.drafts.count().to_be_bytes();
        record.write(&mut self.draft);
        self.drafts.push(&self.draft)?;
        let exact = Written::read(&self.draft).exact_hash();
        for (column, tokens) in record.tokens.iter().enumerate() {
            let mut seen: Vec<&String> = tokens.iter().collect();
            seen.sort_unstable();
            seen.dedup();
            for token in seen {
                token_key(&mut self.key, column, token.as_bytes());
                self.tokens.push(&self.key)?;
                for gram in parts(token).into_iter().filter(|_| !self.exhaustive) {
                    gram_key(&mut self.key, exact, column, &gram);
                    self.key.extend_from_slice(&number);
                    self.grams.push(&self.key)?;
                }
            }
        }
        if exact.is_some() && (self.exhaustive || record.tokens.is_empty()) {
            all_key(&mut self.key, exact);
            self.key.extend_from_slice(&number);
            self.grams.push(&self.key)?;
        }
        Ok(())
    }

    /// An index of the records.
    ///
    /// # Errors
    /// A temporary file that cannot be written or read; that the run was cancelled.
    pub(crate) fn finish(self, cancel: &CancelToken) -> Result<Index> {
        let Builder { room, exhaustive, tokens, grams, drafts, .. } = self;
        let drafts = drafts.finish()?;
        let (weights, unknown) = weights(&room, tokens, drafts.count(), cancel)?;
        let mut index = Index {
            exhaustive,
            weights,
            unknown,
            grams: DictionaryWriter::new(&room).finish()?,
            postings: StoreWriter::new(&room).finish()?,
            records: EntriesWriter::new(&room).finish()?,
        };
        let mut records = EntriesWriter::new(&room);
        let mut scratch = Scratch::default();
        for number in 0..drafts.count() {
            if number % STEP == 0 {
                cancel.check()?;
            }
            let mut record = drafts.get(number, &mut scratch.page)?.to_vec();
            index.weigh(&mut record, &mut scratch)?;
            records.push(&record)?;
        }
        drop(drafts);
        index.records = records.finish()?;
        (index.grams, index.postings) = postings(&room, grams, cancel)?;
        Ok(index)
    }
}

/// What tokens weigh, by [`token_key`], and by column the average weight.
fn weights(room: &Room, tokens: Sorter, total: u32, cancel: &CancelToken) -> Result<(Dictionary, Vec<f64>)> {
    let weigh = |count: u32| (1.0 + f64::from(total) / f64::from(count)).ln();
    let mut weights = DictionaryWriter::new(room);
    // By column, how many tokens so many records have.
    let mut counts: Vec<BTreeMap<u32, u64>> = Vec::new();
    let mut end = |key: &[u8], count: u32| -> Result<()> {
        let column = key.first_chunk().map_or(0, |bytes| usize::from(u16::from_be_bytes(*bytes)));
        counts.resize_with(counts.len().max(column + 1), BTreeMap::new);
        *counts[column].entry(count).or_default() += 1;
        weights.push(key, weigh(count).to_bits())
    };
    let mut sorted = tokens.finish()?;
    let (mut present, mut count): (Vec<u8>, u32) = (Vec::new(), 0);
    while let Some(key) = sorted.next()? {
        if count > 0 && key != present {
            end(&present, count)?;
            count = 0;
            cancel.check()?;
        }
        if count == 0 {
            present.clear();
            present.extend_from_slice(key);
        }
        count += 1;
    }
    if count > 0 {
        end(&present, count)?;
    }
    let average = |counts: &BTreeMap<u32, u64>| {
        let sum: f64 = counts.iter().rev().map(|(count, tokens)| weigh(*count) * *tokens as f64).sum();
        let tokens: u64 = counts.values().sum();
        if tokens == 0 { 1.0 } else { sum / tokens as f64 }
    };
    Ok((weights.finish()?, counts.iter().map(average).collect()))
}

/// The records that have a part, by [`gram_key`]: where their count stands, with the numbers behind it, ascending.
fn postings(room: &Room, grams: Sorter, cancel: &CancelToken) -> Result<(Dictionary, Store)> {
    let (mut keys, mut postings) = (DictionaryWriter::new(room), StoreWriter::new(room));
    let mut end = |key: &[u8], list: &[u8]| -> Result<()> {
        keys.push(key, postings.len())?;
        postings.append(&((list.len() / 4) as u32).to_le_bytes())?;
        postings.append(list)
    };
    let mut sorted = grams.finish()?;
    let (mut present, mut list, mut last): (Vec<u8>, Vec<u8>, Option<u32>) = (Vec::new(), Vec::new(), None);
    while let Some((key, number)) = sorted.next()?.and_then(<[u8]>::split_last_chunk) {
        if last.is_some() && key != present {
            end(&present, &list)?;
            list.clear();
            last = None;
            cancel.check()?;
        }
        if last.is_none() {
            present.clear();
            present.extend_from_slice(key);
        }
        let number = u32::from_be_bytes(*number);
        if last != Some(number) {
            list.extend_from_slice(&number.to_le_bytes());
            last = Some(number);
        }
    }
    if last.is_some() {
        end(&present, &list)?;
    }
    Ok((keys.finish()?, postings.finish()?))
}

/// Reference records.
pub(crate) struct Index {
    /// Compare with every record.
    exhaustive: bool,
    /// What tokens weigh, by column and token.
    weights: Dictionary,
    /// By fuzzy column, the weight of a token that no record has: that of an average one.
    unknown: Vec<f64>,
    /// Where the records are that have a part of a token.
    grams: Dictionary,
    postings: Store,
    records: Entries,
}

/// Room for what is read.
#[derive(Default)]
struct Scratch {
    page: Vec<u8>,
    key: Vec<u8>,
    scores: Vec<f64>,
}

/// Numbers of records, ascending, and what sharing this part is worth.
struct List {
    worth: f64,
    numbers: Vec<u32>,
    at: usize,
    /// Where the numbers are that were not read yet, and how many.
    next: u64,
    left: usize,
}

impl List {
    fn head(&self) -> Option<u32> {
        self.numbers.get(self.at).copied()
    }

    fn advance(&mut self, postings: &Store, scratch: &mut Vec<u8>) -> Result<()> {
        self.at += 1;
        if self.at >= self.numbers.len() { self.read(postings, scratch) } else { Ok(()) }
    }

    fn read(&mut self, postings: &Store, scratch: &mut Vec<u8>) -> Result<()> {
        let count = self.left.min(CHUNK);
        self.at = 0;
        self.numbers.clear();
        self.numbers.extend(postings.read(self.next, 4 * count, scratch)?.chunks_exact(4).map(short));
        self.next += 4 * count as u64;
        self.left -= count;
        Ok(())
    }
}

impl Index {
    /// How many records there are.
    pub(crate) fn count(&self) -> u32 {
        self.records.count()
    }

    /// Finds records for one lane.
    pub(crate) fn finder(self: &Arc<Self>) -> Finder {
        Finder { index: self.clone(), input: Vec::new(), scratch: Scratch::default() }
    }

    /// Sets the weights of the tokens of a written record.
    fn weigh(&self, record: &mut [u8], scratch: &mut Scratch) -> Result<()> {
        let Scratch { page, key, .. } = scratch;
        set_weights(record, |column, token| {
            token_key(key, column, token);
            let known = self.weights.get(key, page)?.map(f64::from_bits);
            Ok(known.unwrap_or_else(|| self.unknown.get(column).copied().unwrap_or(1.0)))
        })
    }

    /// How similar `input` is to a record; None if texts differ that have to be equal.
    fn compare(&self, input: &Written<'_>, record: u32, page: &mut Vec<u8>) -> Result<Option<Match>> {
        let reference = Written::read(self.records.get(record, page)?);
        if input.exact != reference.exact {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(input.columns.len());
        let (mut costs, mut weights) = (0.0, 0.0);
        for (input, reference) in input.columns.iter().zip(&reference.columns) {
            let (cost, weight) = cost(input, reference);
            costs += cost;
            weights += weight;
            columns.push(similarity((cost, weight)));
        }
        Ok(Some(Match { record, similarity: similarity((costs, weights)), columns }))
    }

    /// The records that are at least so similar to `input`: over all columns `least`, column by column `columns`; the
    /// most similar first, then in the order of the records.
    fn matches(&self, input: &Written<'_>, least: f64, columns: &[f64], scratch: &mut Scratch) -> Result<Vec<Match>> {
        let fits = |m: &Match| m.similarity >= least && m.columns.iter().zip(columns).all(|(s, least)| s >= least);
        let mut matches = Vec::new();
        for record in self.candidates(input, scratch)? {
            // Nothing in common is no match, whatever the thresholds.
            let found = self.compare(input, record, &mut scratch.page)?;
            matches.extend(found.filter(|m| fits(m) && (m.similarity > 0.0 || m.columns.is_empty())));
        }
        matches.sort_by(|a, b| b.similarity.total_cmp(&a.similarity).then(a.record.cmp(&b.record)));
        Ok(matches)
    }

    /// The list of a key; `worth` is what sharing it is.
    fn list(&self, worth: f64, scratch: &mut Scratch) -> Result<Option<List>> {
        let Some(at) = self.grams.get(&scratch.key, &mut scratch.page)? else { return Ok(None) };
        let left = short(self.postings.read(at, 4, &mut scratch.page)?) as usize;
        let mut list = List { worth, numbers: Vec::new(), at: 0, next: at + 4, left };
        list.read(&self.postings, &mut scratch.page)?;
        Ok(Some(list))
    }

    /// The records worth comparing, ascending.
    fn candidates(&self, input: &Written<'_>, scratch: &mut Scratch) -> Result<Vec<u32>> {
        let exact = input.exact_hash();
        if self.exhaustive || input.columns.is_empty() {
            if exact.is_none() {
                return Ok((0..self.count()).collect());
            }
            all_key(&mut scratch.key, exact);
            let Some(mut list) = self.list(0.0, scratch)? else { return Ok(Vec::new()) };
            let mut all = Vec::with_capacity(list.left + list.numbers.len());
            while !list.numbers.is_empty() {
                all.extend_from_slice(&list.numbers);
                list.read(&self.postings, &mut scratch.page)?;
            }
            return Ok(all);
        }
        let mut lists = Vec::new();
        for (column, tokens) in input.columns.iter().enumerate() {
            for (token, weight) in tokens {
                let parts = parts(token);
                let worth = weight / parts.len() as f64;
                for gram in parts {
                    gram_key(&mut scratch.key, exact, column, &gram);
                    lists.extend(self.list(worth, scratch)?);
                }
            }
        }
        self.best(lists, scratch)
    }

    /// The records on the lists that share the most, ascending. Shares are added in the order of the lists.
    fn best(&self, mut lists: Vec<List>, scratch: &mut Scratch) -> Result<Vec<u32>> {
        let mut best: Vec<(f64, u32)> = Vec::new();
        let cut = |best: &mut Vec<(f64, u32)>| {
            best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            best.truncate(CANDIDATES);
        };
        while let Some(first) = lists.iter().filter_map(List::head).min() {
            let base = first - first % RANGE;
            scratch.scores.clear();
            scratch.scores.resize(RANGE as usize, 0.0);
            for list in &mut lists {
                while let Some(record) = list.head().filter(|record| record - base < RANGE) {
                    scratch.scores[(record - base) as usize] += list.worth;
                    list.advance(&self.postings, &mut scratch.page)?;
                }
            }
            let shared = scratch.scores.iter().enumerate().filter(|(_, score)| **score > 0.0);
            best.extend(shared.map(|(at, score)| (*score, base + at as u32)));
            if best.len() > 16 * CANDIDATES {
                cut(&mut best);
            }
        }
        cut(&mut best);
        let mut records: Vec<u32> = best.into_iter().map(|(_, record)| record).collect();
        records.sort_unstable();
        Ok(records)
    }
}

/// Finds records of an [`Index`].
pub(crate) struct Finder {
    index: Arc<Index>,
    input: Vec<u8>,
    scratch: Scratch,
}

impl Finder {
    /// The records that are at least so similar to `input`: over all columns `least`, column by column `columns`; the
    /// most similar first, then in the order of the records.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn matches(&mut self, input: &Record, least: f64, columns: &[f64]) -> Result<Vec<Match>> {
        input.write(&mut self.input);
        self.index.weigh(&mut self.input, &mut self.scratch)?;
        self.index.matches(&Written::read(&self.input), least, columns, &mut self.scratch)
    }

    /// As [`Finder::matches`], for a record of the index.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(crate) fn matches_of(&mut self, record: u32, least: f64, columns: &[f64]) -> Result<Vec<Match>> {
        let record = self.index.records.get(record, &mut self.input)?;
        self.index.matches(&Written::read(record), least, columns, &mut self.scratch)
    }
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
    use dtsx_engine::run::{RunOptions, Services};

    fn record(text: &str, exact: Option<&str>) -> Record {
        Record {
            tokens: vec![text.split(' ').filter(|t| !t.is_empty()).map(str::to_owned).collect()],
            exact: exact.map(|e| vec![Some(e.to_owned())]).unwrap_or_default(),
        }
    }

    fn finder(records: &[Record], exhaustive: bool, memory: Option<usize>) -> Finder {
        let services = Services::new(RunOptions { threads: 1, memory, ..RunOptions::default() }).unwrap();
        let mut builder = Builder::new(&Room::new(&services), exhaustive);
        records.iter().for_each(|record| builder.add(record).unwrap());
        Arc::new(builder.finish(&services.cancel).unwrap()).finder()
    }

    fn numbers(matches: &[Match]) -> Vec<u32> {
        matches.iter().map(|m| m.record).collect()
    }

    #[test]
    fn the_most_similar_come_first() {
        let names = ["boeing company", "bon corporation", "companions", "boeing corporation"];
        for (exhaustive, memory) in [(false, None), (true, None), (false, Some(0)), (true, Some(0))] {
            let records: Vec<Record> = names.iter().map(|n| record(n, None)).collect();
            let mut finder = finder(&records, exhaustive, memory);
            let mut matches =
                |text: &str, least: f64, column: f64| finder.matches(&record(text, None), least, &[column]).unwrap();
            let found = matches("beoing company", 0.3, 0.0);
            assert_eq!(found[0].record, 0, "{found:?}");
            assert!(found[0].similarity < 1.0 && found[0].similarity > 0.6);
            assert_eq!(matches("boeing corporation", 0.99, 0.0)[0].similarity, 1.0);
            assert!(matches("zzzz", 0.0, 0.0).is_empty());
            assert!(matches("", 0.1, 0.0).is_empty());
            assert!(matches("beoing company", 0.3, 0.99).is_empty());
        }
    }

    #[test]
    fn exact_columns_have_to_be_equal() {
        let records = [record("ann smith", Some("x")), record("ann smith", Some("y"))];
        for (exhaustive, memory) in [(false, None), (true, None), (false, Some(0))] {
            let mut finder = finder(&records, exhaustive, memory);
            let mut matches =
                |exact: &str| numbers(&finder.matches(&record("anne smith", Some(exact)), 0.2, &[0.0]).unwrap());
            assert_eq!((matches("y"), matches("z")), (vec![1], vec![]));
        }
        let only_exact = |text: &str| Record { tokens: Vec::new(), exact: vec![Some(text.to_owned()), None] };
        let mut finder = finder(&["a", "b", "a"].map(only_exact), false, None);
        assert_eq!(numbers(&finder.matches(&only_exact("a"), 0.0, &[]).unwrap()), [0, 2]);
        assert!(finder.matches(&only_exact("c"), 0.0, &[]).unwrap().is_empty());
    }

    #[test]
    fn nothing_is_like_nothing() {
        assert!(finder(&[], false, None).matches(&record("ann", None), 0.0, &[0.0]).unwrap().is_empty());
    }

    #[test]
    fn what_is_found_does_not_depend_on_memory() {
        let syllables = ["bo", "ra", "ti", "len", "mar", "ko", "sun", "est"];
        let text = |n: usize| {
            let token = |n: usize| format!("{}{}{}", syllables[n % 8], syllables[n / 8 % 8], syllables[n / 64 % 8]);
            format!("{} {} {}", token(n), token(n * 7 + 3), token(n * n))
        };
        let records: Vec<Record> = (0..800).map(|n| record(&text(n), Some(["x", "y"][n % 2]))).collect();
        let mut whole = finder(&records, false, None);
        for memory in [1_000_000, 100_000, 0] {
            let mut finder = finder(&records, false, Some(memory));
            for n in (0..800).step_by(100) {
                let input = record(&text(n + 1), Some("x"));
                let wanted = whole.matches(&input, 0.3, &[0.0]).unwrap();
                assert_eq!(finder.matches(&input, 0.3, &[0.0]).unwrap(), wanted, "{memory}");
                assert!(wanted.len() > 3);
                assert_eq!(
                    finder.matches_of(n as u32, 0.3, &[0.0]).unwrap(),
                    whole.matches_of(n as u32, 0.3, &[0.0]).unwrap()
                );
            }
        }
    }
}
