//! What holds rows gives the same rows with any memory, and leaves nothing behind, however it ends.

use crate::oracle::Dice;
use crate::run::{Bench, Ran, Way};
use crate::text;
use dtsx_engine::diag::Owner;
use dtsx_engine::flow::FlowPlan;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

/// A component in a flow of its own, and what is tapped of it.
struct Held {
    bench: Bench,
    plan: Arc<FlowPlan>,
    tapped: Vec<String>,
}

impl Held {
    fn new(text: &str) -> Held {
        Held::of(Bench::new(&text::parse(text)))
    }

    fn of(bench: Bench) -> Held {
        let tapped = vec!["Out".to_owned()];
        let (plan, diagnostics) = bench.bind(&tapped);
        Held { plan: plan.unwrap_or_else(|| panic!("{diagnostics:#?}")), bench, tapped }
    }

    fn run(&self, threads: usize, chaos: bool, memory: Option<usize>) -> Ran {
        self.bench.run(&self.plan, &self.tapped, Way { threads, chaos, batch_rows: None, decoys: 0, memory })
    }

    /// Runs with shares of the memory that it takes when there is plenty.
    fn is_the_same_with_any_memory(&self, name: &str) {
        let whole = self.run(2, false, None);
        assert!(whole.outcome.is_ok(), "{name}: {:?}", whole.outcome);
        assert!(whole.spilled == 0 && whole.peak > 50_000, "{name}: {} bytes", whole.peak);
        for (share, threads, chaos) in
            [(2.0, 2, true), (0.5, 1, false), (0.33, 2, true), (0.1, 4, false), (0.01, 2, false)]
        {
            let spills = share < 1.0;
            // Half of the memory is for holders of rows.
            let memory = (2.0 * share * whole.peak as f64) as usize;
            let ran = self.run(threads, chaos, Some(memory));
            let case = format!("{name}, {share} of {} bytes, {threads} threads", whole.peak);
            assert!(ran.outcome.is_ok(), "{case}: {:?}", ran.outcome);
            assert_eq!(ran.spilled > 0, spills, "{case}");
            assert!(ran.outputs == whole.outputs, "{case}: other rows");
            assert!(!spills || ran.peak < whole.peak, "{case}: {} bytes", ran.peak);
        }
    }

    /// Cancels the run when a source gives its `morsels`th morsels.
    fn can_be_cancelled(&self, name: &str, morsels: &[usize], memory: Option<usize>) {
        for morsel in morsels {
            for (threads, chaos) in [(1, false), (4, true)] {
                self.bench.cancel_at(*morsel);
                let ran = self.run(threads, chaos, memory);
                let error = ran.outcome.err().unwrap_or_else(|| panic!("{name} ended before morsel {morsel}"));
                assert_eq!(error.owner(), Owner::Cancelled, "{name}: {error}");
                assert!(ran.outputs.is_empty());
            }
        }
        self.bench.cancel_at(0);
    }

    /// Cancels the run when its output gives its `batches`th batches of few rows.
    fn can_be_cancelled_at_its_output(&self, name: &str, batches: &[usize], memory: Option<usize>) {
        for batch in batches {
            for (threads, chaos) in [(1, false), (4, true)] {
                self.bench.cancel_at_output(*batch);
                let way = Way { threads, chaos, batch_rows: Some(16), decoys: 0, memory };
                let ran = self.bench.run(&self.plan, &self.tapped, way);
                let error = ran.outcome.err().unwrap_or_else(|| panic!("{name} ended before batch {batch}"));
                assert_eq!(error.owner(), Owner::Cancelled, "{name}: {error}");
                assert!(ran.outputs.is_empty());
                assert_eq!(ran.spilled > 0, memory.is_some(), "{name}");
            }
        }
        self.bench.cancel_at_output(0);
    }
}

/// A Merge Join of all rows on the left with those on the right; `key` gives the key of a row.
fn join(kind: i32, rows: [i64; 2], key: impl Fn(usize, i64) -> i64) -> String {
    let mut text = format!("[component]\nkind = Microsoft.MergeJoin\nJoinType = {kind}\n");
    for (side, name) in ["L", "R"].into_iter().enumerate() {
        writeln!(text, "[input {name}]\nk i8, t wstr(60)").unwrap();
        let write = |row| writeln!(text, "{},\"row {row} of the side that is called {name}\"", key(side, row)).unwrap();
        (0..rows[side]).for_each(write);
        write!(text, "[use {name}.k]\nsort = 1\n[use {name}.t]\n").unwrap();
    }
    text += "[output Out]\nsync = none\n[column Out.k i8]\nInputColumnID = #{L.k}\n";
    text += "[column Out.t wstr(60)]\nInputColumnID = #{R.t}\n[column Out.u wstr(60)]\nInputColumnID = #{L.t}\n";
    text
}

/// Rows of both sides: some with keys of their own, many with one key, some more.
fn with_a_large_group(side: usize, row: i64) -> i64 {
    let many = [4, 600][side];
    if row < 20 {
        2 * row + side as i64
    } else if row < 20 + many {
        100
    } else {
        100 + row
    }
}

#[test]
fn a_merge_join_holds_the_rows_of_a_key_on_disk() {
    for kind in [0, 1, 2] {
        Held::new(&join(kind, [50, 650], with_a_large_group)).is_the_same_with_any_memory(&format!("JoinType {kind}"));
    }
}

/// A Merge or a Merge Join whose second input has no rows before the first one has had all: it comes through a Sort.
fn held_up(kind: &str, rows: i64) -> Held {
    let text = match kind {
        "Merge" => {
            let takes = ["OutputColumnLineageID = #{Out.k}\n", "OutputColumnLineageID = #{Out.t}\n"];
            let mut text = "[component]\nkind = Microsoft.Merge\n".to_owned();
            for name in ["L", "R"] {
                writeln!(text, "[input {name}]\nk i8, t wstr(60)").unwrap();
                (0..rows).for_each(|row| writeln!(text, "{},some longer text of row {row}", row / 3).unwrap());
                write!(text, "[use {name}.k]\nsort = 1\n{}[use {name}.t]\n{}", takes[0], takes[1]).unwrap();
            }
            text + "[output Out]\nsync = none\n[column Out.k i8]\n[column Out.t wstr(60)]\n"
        }
        _ => join(0, [rows, rows], |_, row| row / 3),
    };
    let mut bench = Bench::new(&text::parse(&text));
    bench.share(true);
    Held::of(bench)
}

#[test]
fn a_side_that_waits_for_the_other_grows_on_disk() {
    for kind in ["Merge", "MergeJoin"] {
        held_up(kind, 800).is_the_same_with_any_memory(kind);
    }
}

/// Both have to gather the rows of a key, of which neither source may give more before the other one does.
#[test]
fn joins_of_the_same_sources_crosswise_do_not_wait_for_each_other() {
    let mut bench = Bench::new(&text::parse(&join(0, [80, 80], |_, _| 7)));
    bench.cross();
    let held = Held::of(bench);
    for (threads, chaos, memory) in [(1, false, None), (2, true, Some(20_000)), (4, false, Some(20_000))] {
        let ran = held.run(threads, chaos, memory);
        assert!(ran.outcome.is_ok(), "{:?}", ran.outcome);
        assert_eq!(ran.outputs["Out"].1.len(), 80 * 80);
    }
}

#[test]
fn merges_can_be_cancelled() {
    for kind in ["Merge", "MergeJoin"] {
        held_up(kind, 800).can_be_cancelled(kind, &[1, 2, 100, 200, 201], Some(20_000));
    }
    let large_group = Held::new(&join(2, [50, 650], with_a_large_group));
    large_group.can_be_cancelled("a large group", &[1, 3, 12], Some(20_000));
    large_group.can_be_cancelled_at_its_output("a large group", &[1, 60], Some(20_000));
}

/// A Sort of many rows, with keys that prefixes hold and keys that they do not.
fn sort(distinct: bool, fails: bool) -> Held {
    let mut dice = Dice(7);
    let mut text = format!("[component]\nkind = Microsoft.Sort\nEliminateDuplicates = {distinct}\n");
    text += if fails { "[input In fails]\n" } else { "[input In]\n" };
    text += "id i8, a i4, b wstr(40), c numeric(38,2)\n";
    for id in 0..6000 {
        let (a, b) = (dice.next(50), dice.next(300));
        writeln!(text, "{id},{a},some longer text number {b},{}.50", dice.next(1 << 40)).unwrap();
    }
    text += "[use In.b]\nNewSortKeyPosition = 2\n[use In.a]\nNewSortKeyPosition = -1\n[output Out]\nsync = none\n";
    for (name, data_type) in [("id", "i8"), ("a", "i4"), ("b", "wstr(40)"), ("c", "numeric(38,2)")] {
        writeln!(text, "[column Out.{name} {data_type}]\nSortColumnId = #{{In.{name}}}").unwrap();
    }
    Held::new(&text)
}

#[test]
fn a_sort_is_the_same_with_any_memory() {
    for distinct in [false, true] {
        sort(distinct, false).is_the_same_with_any_memory("Sort");
    }
}

/// Rows so wide that a run has many blocks, half of them with keys of others.
#[test]
fn a_sort_without_duplicates_of_wide_rows_is_the_same_with_any_memory() {
    let mut dice = Dice(11);
    let mut text = "[component]\nkind = Microsoft.Sort\nEliminateDuplicates = true\n[input In]\n".to_owned();
    text += "id i8, k i4, t wstr(1200)\n";
    for id in 0..3000 {
        writeln!(text, "{id},{},row {id}{}", dice.next(2000), ".".repeat(1000)).unwrap();
    }
    text += "[use In.k]\nNewSortKeyPosition = 1\n[output Out]\nsync = none\n";
    for (name, data_type) in [("id", "i8"), ("k", "i4"), ("t", "wstr(1200)")] {
        writeln!(text, "[column Out.{name} {data_type}]\nSortColumnId = #{{In.{name}}}").unwrap();
    }
    Held::new(&text).is_the_same_with_any_memory("Sort");
}

#[test]
fn a_sort_that_fails_or_is_cancelled_leaves_nothing() {
    sort(false, false).can_be_cancelled("Sort", &[1, 2, 700, 1400, 1501], Some(100_000));
    sort(false, false).can_be_cancelled_at_its_output("Sort", &[1, 100], Some(100_000));
    let fails = sort(false, true);
    for chaos in [false, true] {
        let ran = fails.run(2, chaos, Some(100_000));
        assert_eq!(ran.outcome.unwrap_err().owner(), Owner::Data);
        assert!(ran.outputs.is_empty() && ran.spilled > 0);
    }
}

/// A name that is like some others.
fn name(n: usize) -> String {
    let syllables = ["bo", "ra", "ti", "len", "mar", "ko", "sun", "est"];
    let token = |n: usize| format!("{}{}{}", syllables[n % 8], syllables[n / 8 % 8], syllables[n / 64 % 8]);
    format!("{} {} {}", token(n), token(n * 7 + 3), token(n * n % 97))
}

/// A Fuzzy Lookup of `rows` rows in `reference` ones; the database is a file, so that the run has to bind anew.
fn fuzzy_lookup(rows: usize, reference: usize) -> Held {
    let column = |name: &str, ty: &str| {
        format!(r#"<referenceColumn name="{name}" dataType="{ty}" length="60" precision="0" scale="0" codePage="0"/>"#)
    };
    let columns = [column("Id", "DT_I4"), column("Name", "DT_WSTR"), column("Kind", "DT_WSTR")].concat();
    let mut text =
        "[component]\nkind = Microsoft.FuzzyLookup\nReferenceTableName = T\nMinSimilarity = 0.3\n".to_owned();
    write!(text, "MaxOutputMatchesPerInput = 3\nReferenceMetadataXml = <r>{columns}</r>\n").unwrap();
    text += "[connection OleDbConnection OLEDB]\nConnectionString = sqlite:D:\\T\\ref.db\n[file ref.db]\n";
    text += "create table T (Id integer, Name varchar(60), Kind varchar(20))\ninsert into T values ";
    let row = |n: usize| format!("({n}, '{}', '{}')", name(n), ["x", "y"][n % 2]);
    text += &(0..reference).map(row).collect::<Vec<_>>().join(", ");
    text += "\n[input In]\nname wstr(60), kind wstr(20)\n";
    (0..rows).for_each(|n| writeln!(text, "{},{}", name(n * 5 + 1), ["x", "y", "z"][n % 3]).unwrap());
    text += "[use In.name]\nJoinToReferenceColumn = Name\nJoinType = 2\n[use In.kind]\nJoinToReferenceColumn = Kind\n";
    text += "JoinType = 1\n[output Out]\nsync = none\n[column Out.name wstr(60)]\nSourceInputColumnLineageID = #{In.name}\n";
    text += "[column Out.Id i4]\nCopyFromReferenceColumn = Id\n[column Out.Name wstr(60)]\nCopyFromReferenceColumn = Name\n";
    text += "[column Out._Similarity r4]\nColumnType = 1\n[column Out._Confidence r4]\nColumnType = 2\n";
    Held::new(&text)
}

fn fuzzy_grouping(rows: usize) -> Held {
    let mut text =
        "[component]\nkind = Microsoft.FuzzyGrouping\nMinSimilarity = 0.5\n[input In]\nn i4, name wstr(60)\n"
            .to_owned();
    (0..rows).for_each(|n| writeln!(text, "{n},{}", name(n)).unwrap());
    text += "[use In.name]\nToBeCleaned = true\nExactFuzzy = 2\n[output Out]\nsync = none\n";
    text += "[column Out.key_in i4]\nColumnType = 1\n[column Out.key_out i4]\nColumnType = 2\n[column Out.score r4]\nColumnType = 3\n";
    text += "[column Out.n i4]\nColumnType = 5\nInputId = #{In.n}\n";
    text += "[column Out.clean wstr(60)]\nColumnType = 6\nInputId = #{In.name}\n";
    Held::new(&text)
}

#[test]
fn a_fuzzy_lookup_is_the_same_with_any_memory() {
    fuzzy_lookup(24, 700).is_the_same_with_any_memory("Fuzzy Lookup");
}

#[test]
fn a_fuzzy_grouping_is_the_same_with_any_memory() {
    fuzzy_grouping(260).is_the_same_with_any_memory("Fuzzy Grouping");
}

#[test]
fn fuzzy_transformations_can_be_cancelled() {
    fuzzy_lookup(40, 150).can_be_cancelled("Fuzzy Lookup", &[1, 6, 11], Some(20_000));
    fuzzy_lookup(40, 150).can_be_cancelled_at_its_output("Fuzzy Lookup", &[1, 3], Some(20_000));
    fuzzy_grouping(120).can_be_cancelled_at_its_output("Fuzzy Grouping", &[1, 4], Some(20_000));
    fuzzy_grouping(120).can_be_cancelled("Fuzzy Grouping", &[1, 20, 30, 31], Some(20_000));
}

/// An Aggregate of `rows` rows into a third as many groups.
fn aggregate(rows: usize) -> Held {
    let mut text = "[component]\nkind = Microsoft.Aggregate\n[input In]\na i4, t wstr(60)\n".to_owned();
    (0..rows).for_each(|n| writeln!(text, "{n},some longer text of group {}", n % (rows / 3)).unwrap());
    text += "[output Out]\nsync = none\n[column Out.t wstr(60)]\nAggregationColumnId = #{In.t}\nAggregationType = 0\n";
    text += "[column Out.a i4]\nAggregationColumnId = #{In.a}\nAggregationType = 6\n";
    Held::new(&text)
}

#[test]
fn an_aggregate_can_be_cancelled() {
    for memory in [None, Some(40_000)] {
        let aggregate = aggregate(3000);
        aggregate.can_be_cancelled("Aggregate", &[1, 2, 400, 750, 751], memory);
        aggregate.can_be_cancelled_at_its_output("Aggregate", &[1, 20], memory);
    }
}

#[test]
fn a_pivot_can_be_cancelled() {
    let mut text = "[component]\nkind = Microsoft.Pivot\n[input In]\nk i4, p i4, v i4\n".to_owned();
    (0..1200).for_each(|n| writeln!(text, "{},{},{n}", n / 2, n % 2).unwrap());
    text += "[use In.k]\nPivotUsage = 1\n[use In.p]\nPivotUsage = 2\n[use In.v]\nPivotUsage = 3\n[output Out]\nsync = none\n";
    text +=
        "[column Out.k i4]\nSourceColumn = #{In.k}\n[column Out.one i4]\nSourceColumn = #{In.v}\nPivotKeyValue = 1\n";
    text += "[column Out.zero i4]\nSourceColumn = #{In.v}\nPivotKeyValue = 0\n";
    let pivot = Held::new(&text);
    pivot.can_be_cancelled("Pivot", &[1, 2, 150, 300, 301], None);
    pivot.can_be_cancelled_at_its_output("Pivot", &[1, 30], None);
}

/// A Lookup with a full cache in a table, or in a query that never ends.
fn lookup(rows: usize, command: &str) -> Held {
    let mut text = format!("[component]\nkind = Microsoft.Lookup\nSqlCommand = {command}\n");
    text += "[connection OleDbConnection OLEDB]\nConnectionString = sqlite:D:\\T\\ref.db\n[file ref.db]\n";
    text += "create table T (k integer, t varchar(60))\ninsert into T values ";
    let row = |n: usize| format!("({n}, 'some longer text of key {n}')");
    text += &(0..500).map(row).collect::<Vec<_>>().join(", ");
    text += "\n[input In]\nk i8\n";
    (0..rows).for_each(|n| writeln!(text, "{}", n % 500).unwrap());
    text += "[use In.k]\nJoinToReferenceColumn = k\n[output Out]\ngroup = 1\n";
    text += "[column Out.t wstr(60)]\nCopyFromReferenceColumn = t\n";
    Held::new(&text)
}

#[test]
fn a_lookup_can_be_cancelled_while_it_probes() {
    let lookup = lookup(1000, "select k, t from T");
    for memory in [None, Some(10_000)] {
        lookup.can_be_cancelled("Lookup", &[1, 2, 125, 250, 251], memory);
        lookup.can_be_cancelled_at_its_output("Lookup", &[1, 30], memory);
    }
}

/// The reference rows never end: only because the run is cancelled does it.
#[test]
fn a_lookup_can_be_cancelled_while_it_reads_its_reference() {
    let endless =
        "with recursive n(i) as (select 1 union all select i + 1 from n) select i as k, 'text ' || i as t from n";
    let lookup = lookup(10, endless);
    for (threads, memory) in [(1, None), (4, Some(100_000))] {
        lookup.bench.cancel_after(Duration::from_millis(200));
        let ran = lookup.run(threads, false, memory);
        assert_eq!(ran.outcome.unwrap_err().owner(), Owner::Cancelled);
        assert!(ran.outputs.is_empty());
    }
}
