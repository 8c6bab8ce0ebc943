//! Lookup against SQL: a thousand flows of random rows, whose expected rows SQLite computes by joining.

use crate::run::{Way, ways};
use crate::text;
use dtsx_components::db::{Session, StatementOptions, Target};
use std::fmt::Write as _;

const CASES: u64 = 1000;

/// Numbers that look random.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

#[derive(Clone, Copy)]
enum Key {
    I4,
    I8,
    Text,
}

impl Key {
    fn declared(self) -> (&'static str, &'static str) {
        match self {
            Key::I4 => ("i4", "integer"),
            Key::I8 => ("i8", "bigint"),
            Key::Text => ("wstr(20)", "varchar(20)"),
        }
    }

    /// A value as CSV has it and as SQL has it; sometimes NULL.
    fn roll(self, dice: &mut Dice, spread: u64) -> (String, String) {
        if dice.roll(8) == 0 {
            return (String::new(), "null".into());
        }
        let n = dice.roll(spread) as i64 - 3;
        match self {
            Key::I4 => (n.to_string(), n.to_string()),
            Key::I8 => (format!("{}", n << 33), format!("{}", n << 33)),
            Key::Text => {
                let word = ["a", "A", "a ", "", "é", "e", "long enough to be elsewhere", "Long enough to be elsewhere"];
                let word =
                    format!("{}{}", word[dice.roll(8) as usize].chars().take(18).collect::<String>(), n.max(0) / 4);
                (format!("\"{word}\""), format!("'{word}'"))
            }
        }
    }
}

fn cells(session: &mut dyn Session, sql: &str) -> Vec<Vec<Option<String>>> {
    let mut cursor = session.query(sql, &[], &StatementOptions::default()).unwrap();
    let mut all = Vec::new();
    while let Some(rows) = cursor.next().unwrap() {
        for row in 0..rows.len {
            let cell = |c: &arrow::array::ArrayRef| {
                c.is_valid(row).then(|| arrow::util::display::array_value_to_string(c, row).unwrap())
            };
            all.push(rows.columns.iter().map(cell).collect());
        }
    }
    all
}

fn line(cells: &[Option<String>]) -> String {
    let cell = |c: &Option<String>| c.as_ref().map(|c| format!("\"{c}\"")).unwrap_or_default();
    cells.iter().map(cell).collect::<Vec<_>>().join(",")
}

/// The text of a flow test.
fn flow(dice: &mut Dice) -> String {
    let keys: Vec<Key> = (0..1 + dice.roll(2)).map(|_| [Key::I4, Key::I8, Key::Text][dice.roll(3) as usize]).collect();
    let (cache_type, behaviour) = (dice.roll(3), dice.roll(3));
    let spread = 2 + dice.roll(20);
    let columns = |declared: &dyn Fn(Key) -> &'static str| -> Vec<String> {
        keys.iter().enumerate().map(|(i, k)| format!("k{i} {}", declared(*k))).collect()
    };
    let mut statements = vec![
        format!("create table ref (v integer, t varchar(30), {})", columns(&|k| k.declared().1).join(", ")),
        format!("create table inp (n integer, {})", columns(&|k| k.declared().1).join(", ")),
    ];
    let mut values = Vec::new();
    for v in 0..dice.roll(40) {
        let key: Vec<String> = keys.iter().map(|k| k.roll(dice, spread).1).collect();
        let text = if dice.roll(5) == 0 { "null".into() } else { format!("'the reference row {v}'") };
        values.push(format!("({v}, {text}, {})", key.join(", ")));
    }
    if !values.is_empty() {
        statements.push(format!("insert into ref values {}", values.join(", ")));
    }
    let mut rows = String::new();
    values.clear();
    for n in 0..dice.roll(40) {
        let (csv, sql): (Vec<String>, Vec<String>) = keys.iter().map(|k| k.roll(dice, spread)).unzip();
        values.push(format!("({n}, {})", sql.join(", ")));
        let _ = writeln!(rows, "{n},{}", csv.join(","));
    }
    if !values.is_empty() {
        statements.push(format!("insert into inp values {}", values.join(", ")));
    }
    // In a full cache NULL equals NULL; a database says that it does not.
    let equals = if cache_type == 0 { "is" } else { "=" };
    let same: Vec<String> = (0..keys.len()).map(|i| format!("q.k{i} {equals} i.k{i}")).collect();
    let names: Vec<String> = (0..keys.len()).map(|i| format!("i.k{i}")).collect();
    let found = format!(
        "from inp i left join ref r on r.rowid = (select min(q.rowid) from ref q where {})",
        same.join(" and ")
    );
    let mut session = {
        let target = Target::sqlite(":memory:".into());
        target.driver.open(&target).unwrap()
    };
    for statement in &statements {
        session.execute(statement, &[], &StatementOptions::default()).unwrap();
    }
    let mut query = |columns: &str, which: &str| {
        cells(session.as_mut(), &format!("select i.n, {columns} {found} {which} order by i.n"))
    };
    let wide = format!("{}, r.v, r.t", names.join(", "));
    let (matched, missed) = match behaviour {
        2 => (query(&wide, ""), Vec::new()),
        _ => (query(&wide, "where r.rowid is not null"), query(&names.join(", "), "where r.rowid is null")),
    };
    let header =
        ["n".to_owned()].into_iter().chain((0..keys.len()).map(|i| format!("k{i}"))).collect::<Vec<_>>().join(",");
    let mut text = format!(
        "[component]\nkind = Microsoft.Lookup\nCacheType = {cache_type}\nSqlCommand = select * from [dbo].[ref]\n\
         NoMatchCachePercentage = {}\nNoMatchBehavior = {}\n[connection OleDbConnection OLEDB]\n\
         ConnectionString = sqlite:D:\\T\\x.db\n[file x.db]\n{}\n[input In]\nn i4, {}\n{rows}[use In.n]\nusage = none\n",
        dice.roll(2) * 30,
        u64::from(behaviour == 0),
        statements.join("\n"),
        columns(&|k| k.declared().0).join(", "),
    );
    for i in 0..keys.len() {
        let _ = writeln!(text, "[use In.k{i}]\nJoinToReferenceColumn = k{i}");
    }
    let error = ["FailComponent", "RedirectRow", "IgnoreFailure"][behaviour as usize];
    let _ = write!(
        text,
        "[output Match]\ngroup = 1\nerror = {error}\n[column Match.v i4]\nCopyFromReferenceColumn = v\n\
         [column Match.t wstr(30)]\nCopyFromReferenceColumn = t\n[output No]\ngroup = 1\n[output Errors]\ngroup = 1\n\
         is_error = true\n[expect Match]\n{header},v,t\n"
    );
    matched.iter().for_each(|row| text += &(line(row) + "\n"));
    let port = if behaviour == 1 { "Errors" } else { "No" };
    let _ = writeln!(text, "[expect {port}]\n{header}");
    missed.iter().for_each(|row| text += &(line(row) + "\n"));
    text
}

#[test]
fn lookups_find_what_sql_finds() {
    let mut dice = Dice(20);
    let ways = ways();
    for case in 0..CASES {
        let text = flow(&mut dice);
        // Every third without memory: reference rows go to disk.
        let memory = (case % 3 == 0).then_some(2);
        let way = Way { memory, ..ways[case as usize % ways.len()] };
        let checked = crate::check_ways(&text::parse(&text), &[way]);
        checked.unwrap_or_else(|problem| panic!("case {case}: {problem}\n{text}"));
    }
}
