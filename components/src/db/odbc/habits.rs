//! What drivers do with arrays of parameters and with text, one row a driver. The rows of drivers that the tests run
//! against were found by trying them; what drivers say of themselves (SQL_PARAM_ARRAY_ROW_COUNTS) does not tell which of
//! them are worth it: psqlodbc and sqliteodbc claim arrays, too.

use crate::db::dialect::Family;

/// Whether statements get their rows of parameters in arrays.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Arrays {
    /// No: row by row, and several rows of values in one INSERT where the database has that.
    No,
    /// In one go, which succeeds or fails as a whole; what the driver says of single rows is not to be relied on.
    Whole,
    /// Each row has a status.
    Told,
}

/// How text is bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Text {
    /// As UTF-16 (SQL_C_WCHAR), which every Unicode driver takes.
    Wide,
    /// As UTF-8 (SQL_C_CHAR), where that is what goes over the wire.
    Utf8,
}

/// How output parameters come back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Outputs {
    /// Into the buffers that are bound to them.
    Bound,
    /// As a row, the last that a call yields, which tells NULLs and types; the driver's own way from there into buffers
    /// does not.
    LastRow,
}

/// What the length means that a driver tells of a column of text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Lengths {
    /// No value has more units of UTF-16 than that.
    Units,
    /// No value has more characters than that; one beyond 16 bits is two units.
    Characters,
    /// Nothing: what was declared binds nobody.
    Nothing,
}

/// What a driver does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Habits {
    pub(super) arrays: Arrays,
    pub(super) text: Text,
    pub(super) outputs: Outputs,
    pub(super) lengths: Lengths,
}

const fn habits(arrays: Arrays, text: Text, outputs: Outputs, lengths: Lengths) -> Habits {
    Habits { arrays, text, outputs, lengths }
}

/// Parts of SQL_DRIVER_NAME in lower case.
const DRIVERS: [(&str, Habits); 6] = [
    // MariaDB's: the server's bulk execution (since 10.2), about as fast as LOAD DATA and with errors instead of warnings.
    // One row that fails undoes the whole INSERT, and every status says 0x0101 then. Its conversion from UTF-16 opens a
    // converter for each value; UTF-8 goes to the server as it is.
    ("maodbc", habits(Arrays::Whole, Text::Utf8, Outputs::LastRow, Lengths::Characters)),
    // PostgreSQL's: a statement a row, 13 times slower than INSERTs of many rows; a failure says 5 for every row.
    ("psqlodbc", habits(Arrays::No, Text::Utf8, Outputs::Bound, Lengths::Characters)),
    // SQLite's: row by row inside the driver, ends at the first that fails, and never writes a status.
    ("sqlite3odbc", habits(Arrays::No, Text::Wide, Outputs::Bound, Lengths::Nothing)),
    ("sqliteodbc", habits(Arrays::No, Text::Wide, Outputs::Bound, Lengths::Nothing)),
    // Microsoft's: one request with a call a row, rows after one that fails are run, each has its status.
    ("msodbcsql", habits(Arrays::Told, Text::Wide, Outputs::Bound, Lengths::Units)),
    // FreeTDS: several rows in a request, too; errors come with the results of their rows.
    ("tdsodbc", habits(Arrays::Told, Text::Wide, Outputs::Bound, Lengths::Units)),
];

impl Habits {
    /// Of a driver by its SQL_DRIVER_NAME, for a family of databases; `row_counts` is its SQL_PARAM_ARRAY_ROW_COUNTS.
    pub(super) fn of(driver: &str, family: Family, row_counts: Option<u32>) -> Habits {
        let driver = driver.to_ascii_lowercase();
        if let Some((_, known)) = DRIVERS.iter().find(|(part, _)| driver.contains(part)) {
            return *known;
        }
        // Of a driver that nobody tried: arrays as the standard has them where the database takes one row an INSERT and
        // each row would be a round trip. What it claims is checked after every array.
        let arrays = match (family, row_counts) {
            (Family::Oracle | Family::Db2 | Family::Sybase | Family::SqlServer, Some(_)) => Arrays::Told,
            _ => Arrays::No,
        };
        habits(arrays, Text::Wide, Outputs::Bound, Lengths::Characters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_by_the_name_that_they_give() {
        for (driver, family, arrays) in [
            ("libmaodbc.so", Family::MySql, Arrays::Whole),
            ("maodbc.dll", Family::MySql, Arrays::Whole),
            ("psqlodbcw.so", Family::Postgres, Arrays::No),
            ("PSQLODBC35W.DLL", Family::Postgres, Arrays::No),
            ("sqlite3odbc.so", Family::Sqlite, Arrays::No),
            ("libmsodbcsql-18.3.so.2.1", Family::SqlServer, Arrays::Told),
            ("msodbcsql17.dll", Family::SqlServer, Arrays::Told),
            ("libtdsodbc.so", Family::Sybase, Arrays::Told),
            ("SQORA32.DLL", Family::Oracle, Arrays::Told),
            ("myodbc9w.so", Family::MySql, Arrays::No),
            ("", Family::Other, Arrays::No),
        ] {
            assert_eq!(Habits::of(driver, family, Some(1)).arrays, arrays, "{driver}");
        }
        assert_eq!(Habits::of("unknown", Family::Oracle, None).arrays, Arrays::No);
    }
}
