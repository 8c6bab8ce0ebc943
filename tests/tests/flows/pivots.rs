//! Pivot and Unpivot beside SQL: random rows, and the same question to SQLite.

use crate::run::{Bench, Ran, Way};
use crate::text::{self, Cell};
use rusqlite::{Connection, params};
use std::fmt::Write;

const CASES: u64 = 1000;

/// Random numbers (SplitMix64), the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn one_of<'a>(&mut self, of: &[Option<&'a str>]) -> Option<&'a str> {
        of[self.roll(of.len() as u64) as usize]
    }

    fn number(&mut self) -> Cell {
        (self.roll(4) > 0).then(|| (self.roll(2000) as i64 - 1000).to_string())
    }

    fn way(&mut self) -> Way {
        Way {
            threads: [1, 2, 4][self.roll(3) as usize],
            chaos: self.roll(2) == 0,
            batch_rows: [None, Some(3)][self.roll(2) as usize],
            decoys: self.roll(3) as usize,
            memory: None,
        }
    }
}

/// A field of a flow test's rows.
fn field(cell: &Cell) -> &str {
    match cell.as_deref() {
        None => "",
        Some("") => "\"\"",
        Some(text) => text,
    }
}

fn run(text: &str, dice: &mut Dice) -> Ran {
    let test = text::parse(text);
    let bench = Bench::new(&test);
    let tapped = ["Out".to_owned()];
    let (plan, diagnostics) = bench.bind(&tapped);
    bench.run(&plan.unwrap_or_else(|| panic!("{diagnostics:#?}\n{text}")), &tapped, dice.way())
}

fn answer(db: &Connection, sql: &str) -> Vec<Vec<Cell>> {
    let mut statement = db.prepare_cached(sql).unwrap();
    let width = statement.column_count();
    let row = |row: &rusqlite::Row<'_>| (0..width).map(|c| row.get::<_, Cell>(c)).collect::<Result<Vec<Cell>, _>>();
    statement.query_map([], row).unwrap().collect::<Result<_, _>>().unwrap()
}

/// Rows of the same set that follow each other have the same `run`.
const RUNS: &str = "WITH marked AS (SELECT *, n = 0 OR k1 IS NOT lag(k1) OVER w OR k2 IS NOT lag(k2) OVER w AS begins
    FROM t WINDOW w AS (ORDER BY n)), runs AS (SELECT *, sum(begins) OVER (ORDER BY n) AS run FROM marked)";

#[test]
fn pivot_does_what_sql_says() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE t (n INTEGER, k1 TEXT, k2 TEXT, p TEXT, v TEXT, w TEXT)").unwrap();
    let (mut failed, mut sets) = (0, 0);
    for case in 0..CASES + CASES / 4 {
        let mut dice = Dice(case);
        db.execute("DELETE FROM t", []).unwrap();
        let mut rows = String::new();
        let (mut k1, mut k2) = (None, None);
        let mut seen: Vec<&str> = Vec::new();
        let may_repeat = dice.roll(4) == 0;
        for n in 0..dice.roll(30) {
            if n == 0 || dice.roll(3) == 0 {
                let before = (k1, k2);
                (k1, k2) = (dice.one_of(&[Some("1"), Some("2"), None]), dice.one_of(&[Some("x"), Some(""), None]));
                if before != (k1, k2) {
                    seen.clear();
                }
            }
            let mut p = dice.one_of(&[Some("a"), Some("b"), Some("c"), Some("d"), Some("z"), Some(""), None]);
            if p.is_some_and(|p| seen.contains(&p)) && !may_repeat {
                p = Some("z");
            }
            seen.extend(p.filter(|p| "abcd".contains(p) && !p.is_empty()));
            let (v, w) = (dice.number(), dice.number());
            db.execute("INSERT INTO t VALUES (?, ?, ?, ?, ?, ?)", params![n as i64, k1, k2, p, v, w]).unwrap();
            let cells = [k1.map(str::to_owned), k2.map(str::to_owned), p.map(str::to_owned), v, w];
            writeln!(rows, "{}", cells.iter().map(field).collect::<Vec<_>>().join(",")).unwrap();
        }
        let mut columns = String::new();
        for key in ["a", "b", "c", "d"] {
            writeln!(columns, "[column Out.v{key} i4]\nSourceColumn = #{{In.v}}\nPivotKeyValue = {key}").unwrap();
        }
        let text = format!(
            "[component]\nkind = Microsoft.Pivot\nPassThroughUnmatchedPivotKeys = true\n[input In]\n\
             k1 i4, k2 wstr(3), p wstr(3), v i4, w i8\n{rows}\
             [use In.k1]\nPivotUsage = 1\n[use In.k2]\nPivotUsage = 1\n[use In.p]\nPivotUsage = 2\n\
             [use In.v]\nPivotUsage = 3\n[use In.w]\nPivotUsage = 3\n[output Out]\nsync = none\n\
             [column Out.k1 i4]\nSourceColumn = #{{In.k1}}\n[column Out.k2 wstr(3)]\nSourceColumn = #{{In.k2}}\n\
             {columns}[column Out.wb i8]\nSourceColumn = #{{In.w}}\nPivotKeyValue = b\n"
        );
        let twice =
            "SELECT CAST(run AS TEXT) FROM runs WHERE p IN ('a','b','c','d') GROUP BY run, p HAVING count(*) > 1";
        let fails = !answer(&db, &format!("{RUNS} {twice}")).is_empty();
        let ran = run(&text, &mut dice);
        assert_eq!(ran.outcome.is_err(), fails, "case {case}\n{text}");
        if fails {
            failed += 1;
            continue;
        }
        let value = |column: &str, key: &str| format!("max(CASE WHEN p = '{key}' THEN {column} END)");
        let values = ["a", "b", "c", "d"].map(|key| value("v", key)).join(", ");
        let sql =
            format!("{RUNS} SELECT k1, k2, {values}, {} FROM runs GROUP BY run, k1, k2 ORDER BY run", value("w", "b"));
        let expected = answer(&db, &sql);
        sets += expected.len();
        assert_eq!(ran.outputs["Out"].1, expected, "case {case}\n{text}");
    }
    assert!(failed > 50 && sets > 3500, "the cases are too tame: {failed} failed, {sets} sets");
}

#[test]
fn unpivot_does_what_sql_says() {
    let db = Connection::open_in_memory().unwrap();
    db.execute_batch("CREATE TABLE t (n INTEGER, id TEXT, a1 TEXT, a2 TEXT, a3 TEXT, b1 TEXT, b2 TEXT, b3 TEXT)")
        .unwrap();
    let mut made = 0;
    for case in 0..CASES {
        let mut dice = Dice(case);
        db.execute("DELETE FROM t", []).unwrap();
        let nulls = dice.roll(4);
        let mut rows = String::new();
        for n in 0..dice.roll(20) {
            let id = dice.one_of(&[Some("p"), Some("a longer text than twelve bytes"), Some(""), None]);
            let mut cells = vec![id.map(str::to_owned)];
            for _ in 0..6 {
                cells.push(if dice.roll(4) < nulls { None } else { dice.number() });
            }
            let c = &cells;
            db.execute(
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                params![n as i64, c[0], c[1], c[2], c[3], c[4], c[5], c[6]],
            )
            .unwrap();
            writeln!(rows, "{}", cells.iter().map(field).collect::<Vec<_>>().join(",")).unwrap();
        }
        // One destination, or two that share their keys.
        let two = dice.roll(2) == 0;
        let mut uses = String::new();
        let mut parts = Vec::new();
        for key in 1..=3 {
            writeln!(uses, "[use In.a{key}]\nDestinationColumn = #{{Out.a}}\nPivotKeyValue = key {key}").unwrap();
            let b = if two { format!("b{key}") } else { "NULL".into() };
            let all = if two { "a1, a2, a3, b1, b2, b3" } else { "a1, a2, a3" };
            let has = format!("coalesce(a{key}, {b}) IS NOT NULL");
            let none = format!("{key} = 1 AND coalesce({all}) IS NULL");
            parts.push(format!(
                "SELECT n, {key} AS o, id, 'key {key}' AS k, a{key} AS a, {b} AS b FROM t WHERE {has} OR {none}"
            ));
        }
        for key in 1..=3 {
            let target = if two { "#{Out.b}" } else { "-1" };
            writeln!(uses, "[use In.b{key}]\nDestinationColumn = {target}\nPivotKeyValue = key {key}").unwrap();
        }
        let b = if two { "[column Out.b i4]\n" } else { "" };
        let text = format!(
            "[component]\nkind = Microsoft.UnPivot\n[input In]\n\
             id wstr(40), a1 i4, a2 i4, a3 i4, b1 i4, b2 i4, b3 i4\n{rows}\
             [use In.id]\nDestinationColumn = #{{Out.id}}\n{uses}\
             [output Out]\nsync = none\n[column Out.id wstr(40)]\n[column Out.k wstr(9)]\nPivotKey = true\n\
             [column Out.a i4]\n{b}"
        );
        let columns = if two { "id, k, a, b" } else { "id, k, a" };
        let expected = answer(&db, &format!("SELECT {columns} FROM ({}) ORDER BY n, o", parts.join(" UNION ALL ")));
        made += expected.len();
        let ran = run(&text, &mut dice);
        ran.outcome.as_ref().unwrap_or_else(|e| panic!("case {case}: {e}\n{text}"));
        assert_eq!(ran.outputs["Out"].1, expected, "case {case}\n{text}");
    }
    assert!(made > 10_000, "the cases are too tame: {made} rows");
}
