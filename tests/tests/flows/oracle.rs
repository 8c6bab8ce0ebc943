//! Sort, Merge and Merge Join against SQL: random rows and settings, every case run in some way and with some budget.

use crate::run::{Bench, Ran, Way};
use crate::text;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use std::fmt::Write;

const CASES: u64 = 1000;

/// Numbers that look random and are the same every time.
pub(crate) struct Dice(pub u64);

impl Dice {
    pub(crate) fn next(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn of<T: Copy>(&mut self, choice: &[T]) -> T {
        choice[self.next(choice.len() as u64) as usize]
    }

    fn way(&mut self) -> Way {
        Way {
            threads: self.of(&[1, 2, 4]),
            chaos: self.next(2) == 0,
            batch_rows: self.of(&[Some(1), Some(3), None]),
            decoys: self.of(&[0, 1]),
            memory: self.of(&[None, None, Some(2), Some(1000), Some(4000)]),
        }
    }
}

/// The types of key columns: what SQL orders as the original does.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Number,
    Decimal,
    Text,
    /// Compared without case.
    Caseless,
}

impl Kind {
    fn declared(self) -> &'static str {
        match self {
            Kind::Number => "i8",
            Kind::Decimal => "numeric(12,2)",
            Kind::Text | Kind::Caseless => "wstr(40)",
        }
    }

    fn collate(self) -> &'static str {
        if self == Kind::Caseless { " COLLATE NOCASE" } else { "" }
    }

    /// A value as a field, and for SQL.
    fn value(self, dice: &mut Dice) -> (String, Value) {
        if dice.next(6) == 0 {
            return (String::new(), Value::Null);
        }
        match self {
            Kind::Number => {
                let number = dice.of(&[-5, 0, 1, 2, 3, 255, 256, -256, i64::MAX, i64::MIN, 1 << 40]);
                (number.to_string(), Value::Integer(number))
            }
            Kind::Decimal => {
                let cents = dice.next(7) as i64 * 125 - 300;
                let sign = if cents < 0 { "-" } else { "" };
                (format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100), Value::Integer(cents))
            }
            Kind::Text | Kind::Caseless => {
                let letters = if self == Kind::Text { b"abab".as_slice() } else { b"abAB" };
                let prefix = dice.of(&["", "", "longer than a prefix "]);
                let length = dice.next(4);
                let tail: String = (0..length).map(|_| char::from(dice.of(letters))).collect();
                let text = format!("{prefix}{tail}");
                (format!("\"{text}\""), Value::Text(text))
            }
        }
    }
}

/// Rows of key columns; a row's number is its id.
struct Table {
    kinds: Vec<Kind>,
    rows: Vec<Vec<(String, Value)>>,
}

impl Table {
    fn random(dice: &mut Dice, kinds: &[Kind], most: u64) -> Table {
        let rows = dice.next(most);
        let rows = (0..rows).map(|_| kinds.iter().map(|kind| kind.value(dice)).collect()).collect();
        Table { kinds: kinds.to_vec(), rows }
    }

    fn create(&self, db: &Connection, name: &str) {
        let columns: Vec<String> = (0..self.kinds.len()).map(|i| format!("k{i}{}", self.kinds[i].collate())).collect();
        db.execute_batch(&format!(
            "DROP TABLE IF EXISTS {name}; CREATE TABLE {name}(id INTEGER, {})",
            columns.join(",")
        ))
        .unwrap();
        let marks = vec!["?"; self.kinds.len() + 1].join(",");
        let mut insert = db.prepare_cached(&format!("INSERT INTO {name} VALUES ({marks})")).unwrap();
        for (id, row) in self.rows.iter().enumerate() {
            let values = std::iter::once(Value::Integer(id as i64)).chain(row.iter().map(|(_, v)| v.clone()));
            insert.execute(params_from_iter(values)).unwrap();
        }
    }

    /// The section of an input whose rows come in the order of `ids`.
    fn section(&self, name: &str, ids: impl Iterator<Item = i64>) -> String {
        let columns: Vec<String> =
            self.kinds.iter().enumerate().map(|(i, k)| format!("k{i} {}", k.declared())).collect();
        let mut text = format!("[input {name}]\nid i8, {}\n", columns.join(", "));
        for id in ids {
            let row: Vec<&str> = self.rows[id as usize].iter().map(|(field, _)| field.as_str()).collect();
            writeln!(text, "{id},{}", row.join(",")).unwrap();
        }
        text
    }
}

/// `k0 ASC NULLS FIRST, k1 DESC NULLS LAST, …`
fn order(table: &str, kinds: &[Kind], descending: &[bool]) -> String {
    let part = |(i, d): (usize, &bool)| {
        format!("{table}k{i}{} {}", kinds[i].collate(), if *d { "DESC NULLS LAST" } else { "ASC NULLS FIRST" })
    };
    descending.iter().enumerate().map(part).collect::<Vec<_>>().join(",")
}

fn ids(db: &Connection, query: &str) -> Vec<Vec<Option<i64>>> {
    let mut statement = db.prepare(query).unwrap();
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|i| row.get(i)).collect()).unwrap();
    rows.map(Result::unwrap).collect()
}

fn run(text: &str, way: Way) -> Ran {
    let test = text::parse(text);
    let bench = Bench::new(&test);
    let tapped = ["Out".to_owned()];
    let (plan, diagnostics) = bench.bind(&tapped);
    let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}\n{text}"));
    let ran = bench.run(&plan, &tapped, way);
    if let Err(error) = &ran.outcome {
        panic!("{error} [{way:?}]\n{text}");
    }
    ran
}

/// The rows of the output, as the numbers in its columns.
fn numbers(ran: &Ran, columns: &[usize]) -> Vec<Vec<Option<i64>>> {
    let number = |row: &Vec<text::Cell>, column: &usize| row[*column].as_ref().map(|cell| cell.parse().unwrap());
    ran.outputs["Out"].1.iter().map(|row| columns.iter().map(|c| number(row, c)).collect()).collect()
}

fn kinds(dice: &mut Dice, caseless: bool) -> Vec<Kind> {
    let choice = [Kind::Number, Kind::Decimal, Kind::Text, Kind::Caseless];
    let choice = if caseless { &choice[..] } else { &choice[..3] };
    (0..1 + dice.next(3)).map(|_| dice.of(choice)).collect()
}

#[test]
fn sort_is_order_by() {
    let db = Connection::open_in_memory().unwrap();
    for case in 0..CASES {
        let mut dice = Dice(case);
        let kinds = kinds(&mut dice, true);
        let table = Table::random(&mut dice, &kinds, 40);
        table.create(&db, "t");
        let descending: Vec<bool> = kinds.iter().map(|_| dice.next(3) == 0).collect();
        let distinct = dice.next(3) == 0;
        let mut text = format!("[component]\nkind = Microsoft.Sort\nEliminateDuplicates = {distinct}\n");
        text += &table.section("In", 0..table.rows.len() as i64);
        let mut columns = "[output Out]\nsync = none\n[column Out.id i8]\nSortColumnId = #{In.id}\n".to_owned();
        for (i, kind) in kinds.iter().enumerate() {
            let position = if descending[i] { -1 - i as i64 } else { 1 + i as i64 };
            let flags = i32::from(*kind == Kind::Caseless);
            writeln!(text, "[use In.k{i}]\nNewSortKeyPosition = {position}\nNewComparisonFlags = {flags}").unwrap();
            writeln!(columns, "[column Out.k{i} {}]\nSortColumnId = #{{In.k{i}}}", kind.declared()).unwrap();
        }
        text += &columns;
        let keys: Vec<String> = (0..kinds.len()).map(|i| format!("k{i}")).collect();
        let from = if distinct {
            format!(
                "(SELECT *, row_number() OVER (PARTITION BY {} ORDER BY id) AS n FROM t) WHERE n = 1",
                keys.join(",")
            )
        } else {
            "t".to_owned()
        };
        let wanted = ids(&db, &format!("SELECT id FROM {from} ORDER BY {}, id", order("", &kinds, &descending)));
        let way = dice.way();
        let ran = run(&text, way);
        assert_eq!(numbers(&ran, &[0]), wanted, "case {case} [{way:?}]\n{text}");
        for row in &ran.outputs["Out"].1 {
            let id: usize = row[0].as_ref().unwrap().parse().unwrap();
            for (cell, (field, value)) in row[1..].iter().zip(&table.rows[id]) {
                let field = (*value != Value::Null).then(|| field.trim_matches('"').to_owned());
                assert_eq!(*cell, field, "case {case}: the values of a row stay together");
            }
        }
    }
}

#[test]
fn merge_join_is_join() {
    let db = Connection::open_in_memory().unwrap();
    for case in 0..CASES {
        let mut dice = Dice(case << 32);
        let kinds = kinds(&mut dice, true);
        let sides = [Table::random(&mut dice, &kinds, 30), Table::random(&mut dice, &kinds, 30)];
        let descending: Vec<bool> = kinds.iter().map(|_| dice.next(3) == 0).collect();
        let join = dice.next(3);
        let nulls_match = dice.next(2) == 0;
        let mut text = format!(
            "[component]\nkind = Microsoft.MergeJoin\nJoinType = {join}\nNumKeyColumns = {}\nTreatNullsAsEqual = {nulls_match}\n",
            kinds.len()
        );
        for (table, name) in sides.iter().zip(["L", "R"]) {
            table.create(&db, name);
            let sorted = ids(&db, &format!("SELECT id FROM {name} ORDER BY {}, id", order("", &kinds, &descending)));
            text += &table.section(name, sorted.into_iter().map(|row| row[0].unwrap()));
            for (i, kind) in kinds.iter().enumerate() {
                let position = if descending[i] { -1 - i as i64 } else { 1 + i as i64 };
                let flags = i32::from(*kind == Kind::Caseless);
                writeln!(text, "[use {name}.k{i}]\nsort = {position}\nflags = {flags}").unwrap();
            }
        }
        text += "[output Out]\nsync = none\n[column Out.l i8]\nInputColumnID = #{L.id}\n[column Out.r i8]\nInputColumnID = #{R.id}\n";
        let word = ["FULL", "LEFT", "INNER"][join as usize];
        let equal = if nulls_match { "IS" } else { "=" };
        let on: Vec<String> = (0..kinds.len()).map(|i| format!("L.k{i} {equal} R.k{i}")).collect();
        let query = format!("SELECT L.id, R.id FROM L {word} JOIN R ON {} ", on.join(" AND "));
        let way = dice.way();
        let ran = run(&text, way);
        let found = numbers(&ran, &[0, 1]);
        if join > 0 {
            let wanted = ids(&db, &format!("{query} ORDER BY {}, L.id, R.id", order("L.", &kinds, &descending)));
            assert_eq!(found, wanted, "case {case} [{way:?}]\n{text}");
        } else {
            let (mut found, mut wanted) = (found, ids(&db, &query));
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "case {case} [{way:?}]\n{text}");
        }
    }
}

#[test]
fn merge_is_union_all_in_order() {
    let db = Connection::open_in_memory().unwrap();
    for case in 0..CASES {
        let mut dice = Dice(case << 16);
        let kinds = kinds(&mut dice, true);
        let sides = [Table::random(&mut dice, &kinds, 30), Table::random(&mut dice, &kinds, 30)];
        let descending: Vec<bool> = kinds.iter().map(|_| dice.next(3) == 0).collect();
        let mut text = "[component]\nkind = Microsoft.Merge\n".to_owned();
        for (table, name) in sides.iter().zip(["L", "R"]) {
            table.create(&db, name);
            let sorted = ids(&db, &format!("SELECT id FROM {name} ORDER BY {}, id", order("", &kinds, &descending)));
            text += &table.section(name, sorted.into_iter().map(|row| row[0].unwrap()));
            writeln!(text, "[use {name}.id]\nOutputColumnLineageID = #{{Out.id}}").unwrap();
            for (i, kind) in kinds.iter().enumerate() {
                let position = if descending[i] { -1 - i as i64 } else { 1 + i as i64 };
                let flags = i32::from(*kind == Kind::Caseless);
                let target = format!("OutputColumnLineageID = #{{Out.k{i}}}");
                writeln!(text, "[use {name}.k{i}]\nsort = {position}\nflags = {flags}\n{target}").unwrap();
            }
        }
        text += "[output Out]\nsync = none\n[column Out.id i8]\n";
        for (i, kind) in kinds.iter().enumerate() {
            writeln!(text, "[column Out.k{i} {}]", kind.declared()).unwrap();
        }
        let both = "SELECT 0 AS side, * FROM L UNION ALL SELECT 1, * FROM R";
        let query = format!("SELECT id FROM ({both}) ORDER BY {}, side, id", order("", &kinds, &descending));
        let way = dice.way();
        let ran = run(&text, way);
        assert_eq!(numbers(&ran, &[0]), ids(&db, &query), "case {case} [{way:?}]\n{text}");
    }
}

/// A Multicast hands its rows to both inputs in step; through a Sort the second one has none until the first has had all.
#[test]
fn inputs_from_one_source_do_not_hold_each_other_up() {
    let rows = 400;
    for (kind, properties, takes) in [
        ("MergeJoin", "JoinType = 0", ["", ""]),
        ("Merge", "", ["OutputColumnLineageID = #{Out.k}\n", "OutputColumnLineageID = #{Out.t}\n"]),
    ] {
        let mut text = format!("[component]\nkind = Microsoft.{kind}\n{properties}\n");
        for name in ["L", "R"] {
            text += &format!("[input {name}]\nk i8, t wstr(30)\n");
            (0..rows).for_each(|row| writeln!(text, "{row},some text of row {row}").unwrap());
            write!(text, "[use {name}.k]\nsort = 1\n{}[use {name}.t]\n{}", takes[0], takes[1]).unwrap();
        }
        text += "[output Out]\nsync = none\n[column Out.k i8]\nInputColumnID = #{L.k}\n";
        text += "[column Out.t wstr(30)]\nInputColumnID = #{R.t}\n";
        let test = text::parse(&text);
        let tapped = ["Out".to_owned()];
        for sort in [false, true] {
            let mut bench = Bench::new(&test);
            bench.share(sort);
            let (plan, diagnostics) = bench.bind(&tapped);
            let plan = plan.unwrap_or_else(|| panic!("{diagnostics:#?}"));
            for threads in [1, 2, 4] {
                for chaos in [false, true] {
                    for memory in [None, Some(2000)] {
                        let way = Way { threads, chaos, batch_rows: None, decoys: 0, memory };
                        let ran = bench.run(&plan, &tapped, way);
                        assert!(ran.outcome.is_ok(), "{:?} [{way:?}]", ran.outcome);
                        let found = &ran.outputs["Out"].1;
                        let copies = if kind == "Merge" { 2 } else { 1 };
                        assert_eq!(found.len(), rows * copies, "{kind} [{way:?}]");
                        for (at, row) in found.iter().enumerate() {
                            let key = (at / copies).to_string();
                            assert_eq!(row[0].as_ref(), Some(&key));
                            assert_eq!(row[1], Some(format!("some text of row {key}")));
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn a_merge_join_can_be_cancelled() {
    let mut text = "[component]\nkind = Microsoft.MergeJoin\n".to_owned();
    for name in ["L", "R"] {
        write!(text, "[input {name}]\nk i8\n").unwrap();
        (0..2000).for_each(|row| writeln!(text, "{row}").unwrap());
        write!(text, "[use {name}.k]\nsort = 1\n").unwrap();
    }
    text += "[output Out]\nsync = none\n[column Out.k i8]\nInputColumnID = #{L.k}\n";
    let tapped = ["Out".to_owned()];
    let bench = Bench::new(&text::parse(&text));
    let plan = bench.bind(&tapped).0.unwrap();
    for morsel in [1, 2, 250, 499] {
        for chaos in [false, true] {
            bench.cancel_at(morsel);
            let way = Way { threads: 2, chaos, batch_rows: None, decoys: 0, memory: None };
            let error = bench.run(&plan, &tapped, way).outcome.unwrap_err();
            assert_eq!(error.owner(), dtsx_engine::diag::Owner::Cancelled);
        }
    }
}
