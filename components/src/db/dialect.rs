//! How databases spell things: quotes, schemas, savepoints, and what can be told from a driver's name.

use super::call::Call;
use super::error::{DbError, Outcome};
use super::session::Direction;
use super::table_name::TableName;
use super::translate;
use std::borrow::Cow;

/// Families of databases, by how they spell things.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Family {
    /// Microsoft SQL Server, Azure SQL.
    SqlServer,
    /// PostgreSQL and what speaks its language.
    Postgres,
    /// MySQL, MariaDB.
    MySql,
    /// SQLite.
    Sqlite,
    /// Oracle.
    Oracle,
    /// IBM Db2.
    Db2,
    /// Sybase ASE.
    Sybase,
    /// Something else, taken to follow the standard.
    Other,
}

/// How a database spells things. A row of [`Dialect::of`], changed by what a driver says of its database.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    /// Which family.
    pub family: Family,
    /// What stands before and behind a quoted name.
    pub quotes: (char, char),
    /// Whether tables are in schemas.
    pub schemas: bool,
    /// What stands for a parameter in a statement: `?`, or `$1`.
    pub numbered_parameters: bool,
    /// Whether one INSERT may hold several rows of values.
    pub multi_row_insert: bool,
    /// How many parameters a statement may have.
    pub max_parameters: usize,
}

impl Dialect {
    /// The dialect of a family.
    pub const fn of(family: Family) -> Dialect {
        let standard = Dialect {
            family,
            quotes: ('"', '"'),
            schemas: true,
            numbered_parameters: false,
            multi_row_insert: true,
            max_parameters: 2000,
        };
        match family {
            Family::SqlServer => Dialect { quotes: ('[', ']'), max_parameters: 2090, ..standard },
            Family::Sybase => Dialect { quotes: ('[', ']'), multi_row_insert: false, ..standard },
            // The server takes 65,535. libpq, below its driver, breaks the connection off when the description of a
            // statement's parameters, four bytes each, has more than 30,000 bytes.
            Family::Postgres => Dialect { max_parameters: 7_000, ..standard },
            // A database of MySQL is what others call a schema.
            Family::MySql => Dialect { quotes: ('`', '`'), max_parameters: 60_000, ..standard },
            Family::Sqlite => Dialect { schemas: false, max_parameters: 32_000, ..standard },
            Family::Oracle => Dialect { multi_row_insert: false, ..standard },
            Family::Db2 | Family::Other => standard,
        }
    }

    /// The family of a database by its product name (SQL_DBMS_NAME) or that of its driver.
    pub fn family_of(name: &str) -> Family {
        let name = name.to_ascii_lowercase();
        let has = |part: &str| name.contains(part);
        if has("sql server")
            || has("sqlserver")
            || has("msodbcsql")
            || has("freetds")
            || has("tdsodbc")
            || has("azure sql")
        {
            Family::SqlServer
        } else if has("postgres") || has("psql") {
            Family::Postgres
        } else if has("mysql") || has("mariadb") || has("maodbc") {
            Family::MySql
        } else if has("sqlite") {
            Family::Sqlite
        } else if has("oracle") {
            Family::Oracle
        } else if has("db2") {
            Family::Db2
        } else if has("sybase") || has("adaptive server") {
            Family::Sybase
        } else {
            Family::Other
        }
    }

    /// A name in quotes.
    pub fn quote(&self, name: &str) -> String {
        let (open, close) = self.quotes;
        let mut out = String::with_capacity(name.len() + 2);
        out.push(open);
        for c in name.chars() {
            out.push(c);
            if c == close {
                out.push(c);
            }
        }
        out.push(close);
        out
    }

    /// A table's name, quoted, as far as the database has its parts: without schemas, the table alone; without servers
    /// and other databases in names, schema and table.
    pub fn table(&self, name: &TableName) -> String {
        let keep = match self.family {
            Family::SqlServer | Family::Sybase => name.parts.len(),
            // Names of other databases cannot be written where a database is a world of its own.
            _ if self.schemas => 2,
            _ => 1,
        };
        let parts = &name.parts[name.parts.len().saturating_sub(keep)..];
        let leading = parts.iter().position(|p| !p.is_empty()).unwrap_or(0);
        let quoted = |part: &String| if part.is_empty() { String::new() } else { self.quote(part) };
        let schemas_of_mysql = self.family == Family::MySql && is_default_schema(name);
        let parts = if schemas_of_mysql { &parts[parts.len() - 1..] } else { &parts[leading..] };
        parts.iter().map(quoted).collect::<Vec<_>>().join(".")
    }

    /// A statement of a package, in the words of this database: what the designer of SSIS writes itself (names in
    /// brackets, schemas) is translated, everything else passes as it is.
    pub fn translate<'a>(&self, sql: &'a str) -> Cow<'a, str> {
        translate::statement(self, sql)
    }

    /// Whether a parameter of that direction can be had from this database.
    ///
    /// # Errors
    /// Unsupported: what it has instead.
    pub fn gives_outputs(&self, direction: Direction, name: Option<&str>) -> Outcome<()> {
        let name = name.unwrap_or("?");
        let why = match (self.family, direction) {
            (_, Direction::Input) => return Ok(()),
            (Family::Sqlite, _) => format!("SQLite has no procedures, so the parameter {name} cannot be an output"),
            (Family::Postgres, _) => format!("the parameter {name} is an output, which PostgreSQL gives as a row"),
            (Family::MySql, Direction::ReturnValue) => {
                format!("the parameter {name} is a return value, which procedures of MySQL and MariaDB do not have")
            }
            _ => return Ok(()),
        };
        Err(DbError::unsupported(why))
    }

    /// A call in the words of ODBC, `{? = CALL p(?, ?)}`, where the database's own word for it is SQL Server's EXEC and its
    /// arguments go by their places; None for every other statement.
    pub(super) fn call_escape(&self, sql: &str) -> Option<String> {
        let known = matches!(self.family, Family::SqlServer | Family::Sybase);
        Call::parse(sql).filter(|call| known && call.by_place()).map(|call| call.escape())
    }

    /// What sets the isolation level of a transaction (IsolationLevel of a container): a statement before it begins, one
    /// after. Databases with one level only have none; a level that a database lacks is the next stricter one that it has.
    pub fn isolation(&self, level: i64) -> (Option<String>, Option<String>) {
        let name = match level {
            256 if self.family != Family::Postgres => "READ UNCOMMITTED",
            256 | 4096 => "READ COMMITTED",
            65_536 => "REPEATABLE READ",
            16_777_216 if self.family == Family::SqlServer => "SNAPSHOT",
            16_777_216 => "REPEATABLE READ",
            1_048_576 => "SERIALIZABLE",
            _ => return (None, None),
        };
        let sql = format!("SET TRANSACTION ISOLATION LEVEL {name}");
        match self.family {
            Family::Sqlite => (None, None),
            Family::Postgres => (None, Some(sql)),
            _ => (Some(sql), None),
        }
    }

    /// The statement that sets a savepoint.
    pub fn savepoint(&self, name: &str) -> String {
        match self.family {
            Family::SqlServer | Family::Sybase => format!("SAVE TRANSACTION {name}"),
            Family::Db2 => format!("SAVEPOINT {name} ON ROLLBACK RETAIN CURSORS"),
            _ => format!("SAVEPOINT {name}"),
        }
    }

    /// The statement that goes back to a savepoint.
    pub fn rollback_to(&self, name: &str) -> String {
        match self.family {
            Family::SqlServer | Family::Sybase => format!("ROLLBACK TRANSACTION {name}"),
            _ => format!("ROLLBACK TO SAVEPOINT {name}"),
        }
    }

    /// The statement that forgets a savepoint, where there is one.
    pub fn release(&self, name: &str) -> Option<String> {
        match self.family {
            Family::SqlServer | Family::Sybase | Family::Oracle => None,
            _ => Some(format!("RELEASE SAVEPOINT {name}")),
        }
    }

    /// A query for all rows and columns of a table.
    pub fn select_all(&self, name: &TableName) -> String {
        format!("SELECT * FROM {}", self.table(name))
    }

    /// What stands behind the table's name in the INSERTs of a load. Of the options of SQL Server's bulk load, INSERT has the
    /// table's lock; it checks constraints and fires triggers whether it is told to or not.
    pub fn load_hint(&self, table_lock: bool) -> &'static str {
        if table_lock && self.family == Family::SqlServer { " WITH (TABLOCK)" } else { "" }
    }

    /// What lets a load give values for an identity column, or ends that; None where every INSERT may.
    pub fn identity_insert(&self, name: &TableName, on: bool) -> Option<String> {
        if !matches!(self.family, Family::SqlServer | Family::Sybase) {
            return None;
        }
        let (table, switch) = (self.table(name), if on { "ON" } else { "OFF" });
        // Temporary tables are in a database of their own.
        let temporary = name.table().starts_with('#') && name.database().is_none();
        let object = if temporary { format!("tempdb..{}", self.quote(name.table())) } else { table.clone() };
        let home = if temporary { Some("tempdb") } else { name.database() };
        let home = home.map(|home| format!("{}.", self.quote(home))).unwrap_or_default();
        let text = object.replace('\'', "''");
        Some(match self.family {
            // Of a table without such a column, the server would refuse to hear of it.
            Family::SqlServer => format!(
                "IF EXISTS (SELECT 1 FROM {home}sys.identity_columns WHERE object_id = OBJECT_ID(N'{text}')) \
                 SET IDENTITY_INSERT {table} {switch}"
            ),
            _ => format!("SET IDENTITY_INSERT {table} {switch}"),
        })
    }

    /// An INSERT of `rows` rows of parameters.
    pub fn insert<'n>(&self, name: &TableName, columns: impl IntoIterator<Item = &'n str>, rows: usize) -> String {
        let columns: Vec<String> = columns.into_iter().map(|c| self.quote(c)).collect();
        let mut sql = format!("INSERT INTO {} ({}) VALUES ", self.table(name), columns.join(", "));
        let mut number = 0;
        for row in 0..rows {
            sql.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns.len() {
                number += 1;
                if column > 0 {
                    sql.push_str(", ");
                }
                if self.numbered_parameters {
                    sql.push('$');
                    sql.push_str(&number.to_string());
                } else {
                    sql.push('?');
                }
            }
            sql.push(')');
        }
        sql
    }
}

/// Whether a name says no more than SQL Server's default schema: then MySQL, whose schemas are databases, leaves it out.
fn is_default_schema(name: &TableName) -> bool {
    name.schema().is_some_and(|s| s.eq_ignore_ascii_case("dbo"))
}

/// Whether a transaction is open when statements have run, by the words that they begin with: drivers that do not tell.
pub(super) fn transaction_after(sql: &str, before: bool) -> bool {
    let words = translate::words(sql);
    words.chunk_by(|a, b| a.statement == b.statement).fold(before, |open, statement| {
        let mut words = statement.iter().map(|word| word.text.to_ascii_uppercase());
        let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (first.as_str(), second.as_str()) {
            // BEGIN with anything else behind it begins a block of statements.
            ("BEGIN", "" | "TRAN" | "TRANSACTION" | "WORK" | "ISOLATION" | "READ") | ("START", "TRANSACTION") => true,
            ("ROLLBACK", "TO") => open,
            ("COMMIT" | "ROLLBACK" | "ABORT", _) | ("END", "" | "TRANSACTION" | "WORK") => false,
            _ => open,
        }
    })
}

/// Whether statements may begin or end a transaction of SQL Server, which knows whether one is open.
pub(super) fn touches_transactions(sql: &str) -> bool {
    const WORDS: [&str; 5] = ["TRAN", "TRANSACTION", "COMMIT", "ROLLBACK", "IMPLICIT_TRANSACTIONS"];
    translate::words(sql).iter().any(|word| word.is(&WORDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_begin_and_end_by_their_words() {
        for (sql, before, after) in [
            ("begin", false, true),
            ("BEGIN TRAN; delete from t", false, true),
            ("start transaction read only", false, true),
            ("BEGIN SELECT 1 END", false, false),
            ("insert into t values (1)", true, true),
            ("rollback to savepoint a", true, true),
            ("commit work", true, false),
            ("rollback;", true, false),
            ("delete from t; COMMIT; BEGIN", true, true),
            ("-- start\nBEGIN", false, true),
            ("/* done; */ commit; -- begin", true, false),
            ("insert into t values (';commit'); select \"a;commit\"", true, true),
            ("do $$ begin perform f(); commit; end $$", true, true),
        ] {
            assert_eq!(transaction_after(sql, before), after, "{sql}");
        }
        for (sql, touches) in [
            ("SET XACT_ABORT ON\nBEGIN TRAN", true),
            ("IF @@TRANCOUNT > 0 commit", true),
            ("select 'commit', [rollback] -- tran", false),
        ] {
            assert_eq!(touches_transactions(sql), touches, "{sql}");
        }
    }

    #[test]
    fn names_in_every_dialect() {
        let name = TableName::parse("[Stage].[dbo].[Sales \"x\" Orders]");
        for (family, expected) in [
            (Family::SqlServer, "[Stage].[dbo].[Sales \"x\" Orders]"),
            (Family::Postgres, "\"dbo\".\"Sales \"\"x\"\" Orders\""),
            (Family::MySql, "`Sales \"x\" Orders`"),
            (Family::Sqlite, "\"Sales \"\"x\"\" Orders\""),
        ] {
            assert_eq!(Dialect::of(family).table(&name), expected, "{family:?}");
        }
        let other = TableName::parse("[sales].[T]");
        assert_eq!(Dialect::of(Family::MySql).table(&other), "`sales`.`T`");
        assert_eq!(Dialect::of(Family::SqlServer).table(&TableName::parse("Stage..T")), "[Stage]..[T]");
    }

    #[test]
    fn inserts_of_several_rows() {
        let lite = Dialect::of(Family::Sqlite);
        let name = TableName::parse("[dbo].[T]");
        assert_eq!(lite.insert(&name, ["a", "b"], 2), "INSERT INTO \"T\" (\"a\", \"b\") VALUES (?, ?), (?, ?)");
        let numbered = Dialect { numbered_parameters: true, ..Dialect::of(Family::Postgres) };
        assert_eq!(numbered.insert(&name, ["a"], 2), "INSERT INTO \"dbo\".\"T\" (\"a\") VALUES ($1), ($2)");
    }

    #[test]
    fn loads_of_sql_server() {
        let (server, name) = (Dialect::of(Family::SqlServer), TableName::parse("dbo.[It's]"));
        assert_eq!((server.load_hint(true), server.load_hint(false)), (" WITH (TABLOCK)", ""));
        assert_eq!(Dialect::of(Family::MySql).load_hint(true), "");
        assert_eq!(
            server.identity_insert(&name, true).as_deref(),
            Some(
                "IF EXISTS (SELECT 1 FROM sys.identity_columns WHERE object_id = OBJECT_ID(N'[dbo].[It''s]')) \
                 SET IDENTITY_INSERT [dbo].[It's] ON"
            )
        );
        for (name, asked) in [
            ("Stage.dbo.T", "[Stage].sys.identity_columns WHERE object_id = OBJECT_ID(N'[Stage].[dbo].[T]')"),
            ("#t", "[tempdb].sys.identity_columns WHERE object_id = OBJECT_ID(N'tempdb..[#t]')"),
        ] {
            let sql = server.identity_insert(&TableName::parse(name), false);
            assert!(sql.as_ref().is_some_and(|sql| sql.contains(asked)), "{sql:?}");
        }
        assert_eq!(Dialect::of(Family::MySql).identity_insert(&name, true), None);
        assert_eq!(server.call_escape("EXEC ? = p ?, ? OUTPUT").as_deref(), Some("{? = CALL p(?, ?)}"));
        assert_eq!(server.call_escape("EXEC ? = p @a = ?"), None);
        for (family, direction, fine) in [
            (Family::SqlServer, Direction::ReturnValue, true),
            (Family::MySql, Direction::Output, true),
            (Family::MySql, Direction::ReturnValue, false),
            (Family::Postgres, Direction::Output, false),
            (Family::Sqlite, Direction::InputOutput, false),
            (Family::Sqlite, Direction::Input, true),
        ] {
            let told = Dialect::of(family).gives_outputs(direction, Some("@x"));
            assert_eq!(told.is_ok(), fine, "{family:?} {direction:?}");
            assert!(told.is_ok() || told.unwrap_err().message.contains("@x"));
        }
    }

    #[test]
    fn families_by_product_or_driver() {
        for (name, family) in [
            ("Microsoft SQL Server", Family::SqlServer),
            ("ODBC Driver 18 for SQL Server", Family::SqlServer),
            ("PostgreSQL Unicode", Family::Postgres),
            ("MariaDB Unicode", Family::MySql),
            ("SQLite3", Family::Sqlite),
            ("Something", Family::Other),
        ] {
            assert_eq!(Dialect::family_of(name), family, "{name}");
        }
    }
}
