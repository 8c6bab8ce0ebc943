//! What kind of failure a driver tells: by SQLSTATE, and by the database's own number where drivers give no more than
//! "general error".

use crate::db::error::ErrorKind;

/// By SQLSTATE, number and words; `source` is the driver's library.
pub(in crate::db) fn of(state: &str, native: i32, source: &str, message: &str) -> ErrorKind {
    let by_number = match source.to_ascii_lowercase() {
        s if s.contains("sqlite") => sqlite(native, message),
        s if s.contains("maodbc") || s.contains("myodbc") => mysql(native),
        s if s.contains("tdsodbc") || s.contains("sqlsrv") || s.contains("msodbcsql") => sql_server(native),
        _ => None,
    };
    if let Some(kind) = by_number {
        return kind;
    }
    match state {
        "42S02" | "42P01" | "S0002" => ErrorKind::NoTable,
        "HYT00" | "HYT01" => ErrorKind::Timeout,
        "HY008" | "57014" => ErrorKind::Cancelled,
        "40001" | "40P01" | "55P03" => ErrorKind::Busy,
        "IM002" | "IM003" => ErrorKind::NoDriver,
        "57P01" | "57P02" | "57P03" => ErrorKind::Lost,
        s if s.starts_with("08") => ErrorKind::Lost,
        s if s.starts_with("28") => ErrorKind::Connect,
        s if s.starts_with("23") || s == "44000" => ErrorKind::Constraint,
        s if s.starts_with("22") => ErrorKind::Value,
        s if s.starts_with("42") || s.starts_with("37") || s.starts_with("S00") => ErrorKind::Statement,
        "IM001" | "HYC00" => ErrorKind::Unsupported,
        _ => ErrorKind::Other,
    }
}

/// SQLite's result codes, of which its driver says HY000; the low byte is the kind.
fn sqlite(native: i32, message: &str) -> Option<ErrorKind> {
    Some(match native & 0xff {
        1 if message.contains("no such table") => ErrorKind::NoTable,
        1 => ErrorKind::Statement,
        5 | 6 => ErrorKind::Busy,
        9 => ErrorKind::Cancelled,
        10 | 11 | 26 => ErrorKind::Lost,
        14 => ErrorKind::Connect,
        18 | 20 => ErrorKind::Value,
        19 => ErrorKind::Constraint,
        _ => return None,
    })
}

fn mysql(native: i32) -> Option<ErrorKind> {
    Some(match native {
        // The connection is gone; a packet that is too long ends it, too.
        2006 | 2013 | 1153 | 1927 => ErrorKind::Lost,
        2002 | 2003 | 2005 => ErrorKind::Connect,
        1205 | 1213 => ErrorKind::Busy,
        1317 => ErrorKind::Cancelled,
        1969 | 3024 => ErrorKind::Timeout,
        // No default for a column that is left out; a view's check option.
        1364 | 1369 => ErrorKind::Constraint,
        // Values that are none of the column's type.
        1265 | 1292 | 1366 | 1411 => ErrorKind::Value,
        1305 => ErrorKind::Statement,
        _ => return None,
    })
}

fn sql_server(native: i32) -> Option<ErrorKind> {
    Some(match native {
        // Unique index, key, foreign key or check, NULL where none may be, a view's check option.
        2601 | 2627 | 547 | 515 | 550 => ErrorKind::Constraint,
        // Too long, overflow, conversions.
        8152 | 2628 | 8115 | 220 | 232 | 241 | 242 | 244 | 245 | 248 | 8114 | 8169 => ErrorKind::Value,
        // More overflows and conversions; a division by zero; a parameter that is no number of its type (NaN).
        295 | 517 | 1007 | 8134 | 8023 => ErrorKind::Value,
        208 => ErrorKind::NoTable,
        // A deadlock, a lock that is not had in time, and rows that somebody else changed meanwhile (SNAPSHOT).
        1205 | 1222 | 3960 | 3961 => ErrorKind::Busy,
        // A transaction that cannot be committed any more, and one that was undone for that at the end of a batch.
        3930 | 3931 | 3971 | 3998 => ErrorKind::Undone,
        18_452 | 18_456 | 18_487 | 18_488 | 4060 => ErrorKind::Connect,
        // FreeTDS's own: connecting, reading, writing, an answer that makes no sense.
        20_002 | 20_009 | 20_013 => ErrorKind::Connect,
        20_003 => ErrorKind::Timeout,
        20_004 | 20_006 | 20_017 | 20_020 => ErrorKind::Lost,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_by_state_or_number() {
        for (state, native, source, kind) in [
            ("23000", 1062, "libmaodbc.so", ErrorKind::Constraint),
            ("HY000", 1366, "libmaodbc.so", ErrorKind::Value),
            ("HY000", 2013, "libmaodbc.so", ErrorKind::Lost),
            ("HY000", 1205, "libmaodbc.so", ErrorKind::Busy),
            ("22001", 1406, "libmaodbc.so", ErrorKind::Value),
            ("HY000", 19, "sqlite3odbc.so", ErrorKind::Constraint),
            ("HY000", 2067, "sqlite3odbc.so", ErrorKind::Constraint),
            ("HY000", 1, "sqlite3odbc.so", ErrorKind::Statement),
            ("23505", 1, "psqlodbcw.so", ErrorKind::Constraint),
            ("42P01", 7, "psqlodbcw.so", ErrorKind::NoTable),
            ("23000", 2627, "libtdsodbc.so", ErrorKind::Constraint),
            ("42000", 8152, "libtdsodbc.so", ErrorKind::Value),
            ("42S02", 208, "libmsodbcsql-18.3.so.2.1", ErrorKind::NoTable),
            ("42000", 3930, "libmsodbcsql-18.3.so.2.1", ErrorKind::Undone),
            ("42000", 3960, "libtdsodbc.so", ErrorKind::Busy),
            ("08001", 20_009, "libtdsodbc.so", ErrorKind::Connect),
            ("IM002", 0, "ODBC", ErrorKind::NoDriver),
            ("HY000", 19, "other.so", ErrorKind::Other),
        ] {
            assert_eq!(of(state, native, source, ""), kind, "{state} {native} {source}");
        }
        assert_eq!(of("HY000", 1, "sqlite3odbc.so", "no such table: t (1)"), ErrorKind::NoTable);
    }
}
