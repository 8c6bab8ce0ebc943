//! The types of SQL Server: as tables declare them, as the protocol writes them, and as SQLite keeps their values (numbers
//! with decimals, dates, times and GUIDs as texts).

use super::wire::{Bytes, utf16};
use dtsx_engine::types::code_page::CodePage;
use rusqlite::types::Value;

/// SQL_Latin1_General_CP1_CI_AS.
pub const COLLATION: [u8; 5] = [0x09, 0x04, 0xD0, 0x00, 0x34];
pub const COLLATION_NAME: &str = "SQL_Latin1_General_CP1_CI_AS";
/// Days from 0001-01-01 to 1900-01-01.
const TO_1900: i64 = 693_595;
const MAX: usize = usize::MAX;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Type {
    Bit,
    /// Of so many bytes.
    Int(u8),
    Float(u8),
    Money(u8),
    Decimal(u8, u8),
    Date,
    Time(u8),
    SmallDateTime,
    DateTime,
    DateTime2(u8),
    Offset(u8),
    Guid,
    /// Texts and bytes: whether of a fixed length, and of how many characters at most (MAX: any).
    Narrow(bool, usize),
    Wide(bool, usize),
    Binary(bool, usize),
    Text,
    NText,
    Image,
    Xml,
}

impl Type {
    /// Of the words of a declaration: `decimal(10,2)`, `nvarchar(max)`, or the same as SQLite was told.
    pub fn parse(words: &str) -> Option<Type> {
        let words = words.to_ascii_lowercase().replace("_text", "").replace("_blob", "");
        let (name, rest) = words.split_once(['(', '_']).unwrap_or((&words, ""));
        let mut numbers = rest.trim_end_matches(')').split(',').map(str::trim);
        let first = numbers.next().filter(|n| !n.is_empty());
        let number = |default: u8| first.and_then(|n| n.parse().ok()).unwrap_or(default);
        let size = if first == Some("max") { MAX } else { first.and_then(|n| n.parse().ok()).unwrap_or(1) };
        Some(match name.trim() {
            "bit" => Type::Bit,
            "tinyint" => Type::Int(1),
            "smallint" => Type::Int(2),
            "int" | "integer" => Type::Int(4),
            "bigint" => Type::Int(8),
            "real" => Type::Float(4),
            "float" => Type::Float(8),
            "smallmoney" => Type::Money(4),
            "money" => Type::Money(8),
            "decimal" | "numeric" => {
                Type::Decimal(number(18), numbers.next().and_then(|n| n.parse().ok()).unwrap_or(0))
            }
            "date" => Type::Date,
            "time" => Type::Time(number(7)),
            "smalldatetime" => Type::SmallDateTime,
            "datetime" => Type::DateTime,
            "datetime2" => Type::DateTime2(number(7)),
            "datetimeoffset" => Type::Offset(number(7)),
            "uniqueidentifier" => Type::Guid,
            "char" => Type::Narrow(true, size),
            "varchar" => Type::Narrow(false, size),
            "nchar" => Type::Wide(true, size),
            "nvarchar" | "sysname" => Type::Wide(false, if name == "sysname" { 128 } else { size }),
            "binary" => Type::Binary(true, size),
            "varbinary" => Type::Binary(false, size),
            "text" => Type::Text,
            "ntext" => Type::NText,
            "image" => Type::Image,
            "xml" => Type::Xml,
            _ => return None,
        })
    }

    /// Of a value that no column declares.
    pub fn of(value: &Value) -> Type {
        match value {
            Value::Null => Type::Int(4),
            Value::Integer(n) if i32::try_from(*n).is_ok() => Type::Int(4),
            Value::Integer(_) => Type::Int(8),
            Value::Real(_) => Type::Float(8),
            Value::Text(text) if text.encode_utf16().count() <= 4000 => Type::Wide(false, 4000),
            Value::Text(_) => Type::Wide(false, MAX),
            Value::Blob(bytes) if bytes.len() <= 8000 => Type::Binary(false, 8000),
            Value::Blob(_) => Type::Binary(false, MAX),
        }
    }

    /// Its number in the catalog, its length there, its precision and its scale.
    pub fn catalogued(&self) -> [i64; 4] {
        let sized = |n: usize, unit: usize| if n == MAX { -1 } else { (n * unit) as i64 };
        let (number, length, precision, scale) = match *self {
            Type::Bit => (104, 1, 1, 0),
            Type::Int(1) => (48, 1, 3, 0),
            Type::Int(2) => (52, 2, 5, 0),
            Type::Int(4) => (56, 4, 10, 0),
            Type::Int(_) => (127, 8, 19, 0),
            Type::Float(4) => (59, 4, 24, 0),
            Type::Float(_) => (62, 8, 53, 0),
            Type::Money(4) => (122, 4, 10, 4),
            Type::Money(_) => (60, 8, 19, 4),
            Type::Decimal(p, s) => (108, 17, p, s),
            Type::Date => (40, 3, 10, 0),
            Type::Time(s) => (41, 5, 16, s),
            Type::SmallDateTime => (58, 4, 16, 0),
            Type::DateTime => (61, 8, 23, 3),
            Type::DateTime2(s) => (42, 8, 27, s),
            Type::Offset(s) => (43, 10, 34, s),
            Type::Guid => (36, 16, 0, 0),
            Type::Narrow(fixed, n) => (if fixed { 175 } else { 167 }, sized(n, 1), 0, 0),
            Type::Wide(fixed, n) => (if fixed { 239 } else { 231 }, sized(n, 2), 0, 0),
            Type::Binary(fixed, n) => (if fixed { 173 } else { 165 }, sized(n, 1), 0, 0),
            Type::Text => (35, 16, 0, 0),
            Type::NText => (99, 16, 0, 0),
            Type::Image => (34, 16, 0, 0),
            Type::Xml => (241, -1, 0, 0),
        };
        [number, length, precision.into(), scale.into()]
    }

    /// How SQLite is told of it.
    pub fn declared(&self, words: &str) -> String {
        let words = words.replace("(max)", "_max").replace("(MAX)", "_max");
        let (name, rest) = words.split_once('(').map_or((words.as_str(), ""), |(n, r)| (n, r));
        let rest = if rest.is_empty() { String::new() } else { format!("({rest}") };
        match self {
            Type::Bit | Type::Int(_) | Type::Float(_) | Type::Narrow(..) | Type::Wide(..) => format!("{name}{rest}"),
            Type::Text | Type::NText => format!("{name}{rest}"),
            Type::Binary(..) | Type::Image => format!("{name}_blob{rest}"),
            _ => format!("{name}_text{rest}"),
        }
    }

    /// The SQL word for what CAST makes of a value.
    pub fn storage(&self) -> &'static str {
        match self {
            Type::Bit | Type::Int(_) => "integer",
            Type::Float(_) => "real",
            Type::Binary(..) | Type::Image => "blob",
            _ => "text",
        }
    }

    /// Its TYPE_INFO.
    pub fn describe(&self, out: &mut Vec<u8>) {
        let mut sized = |token: u8, bytes: usize, collated: bool| {
            out.push(token);
            let size = u16::try_from(bytes).unwrap_or(0xFFFF);
            out.extend_from_slice(&size.to_le_bytes());
            if collated {
                out.extend_from_slice(&COLLATION);
            }
        };
        match *self {
            Type::Narrow(fixed, n) => sized(if fixed { 0xAF } else { 0xA7 }, n, true),
            Type::Wide(fixed, n) => sized(if fixed { 0xEF } else { 0xE7 }, n.saturating_mul(2), true),
            Type::Binary(fixed, n) => sized(if fixed { 0xAD } else { 0xA5 }, n, false),
            Type::Bit => out.extend_from_slice(&[0x68, 1]),
            Type::Int(n) => out.extend_from_slice(&[0x26, n]),
            Type::Float(n) => out.extend_from_slice(&[0x6D, n]),
            Type::Money(n) => out.extend_from_slice(&[0x6E, n]),
            Type::Decimal(p, s) => out.extend_from_slice(&[0x6C, 17, p, s]),
            Type::Date => out.push(0x28),
            Type::Time(s) => out.extend_from_slice(&[0x29, s]),
            Type::SmallDateTime => out.extend_from_slice(&[0x6F, 4]),
            Type::DateTime => out.extend_from_slice(&[0x6F, 8]),
            Type::DateTime2(s) => out.extend_from_slice(&[0x2A, s]),
            Type::Offset(s) => out.extend_from_slice(&[0x2B, s]),
            Type::Guid => out.extend_from_slice(&[0x24, 16]),
            Type::Xml => out.extend_from_slice(&[0xF1, 0]),
            Type::Text | Type::NText | Type::Image => {
                out.push(match self {
                    Type::Text => 0x23,
                    Type::NText => 0x63,
                    _ => 0x22,
                });
                out.extend_from_slice(&0x7FFF_FFFF_u32.to_le_bytes());
                if *self != Type::Image {
                    out.extend_from_slice(&COLLATION);
                }
                // The table has one part, of one character.
                out.extend_from_slice(&[1, 1, 0, b't', 0]);
            }
        }
    }

    /// Reads a TYPE_INFO; `table`: names of tables come with texts.
    pub fn described(bytes: &mut Bytes<'_>, table: bool) -> Type {
        match bytes.byte() {
            0x32 => Type::Bit,
            0x30 => Type::Int(1),
            0x34 => Type::Int(2),
            0x38 => Type::Int(4),
            0x7F => Type::Int(8),
            0x68 => {
                bytes.byte();
                Type::Bit
            }
            0x26 => Type::Int(bytes.byte()),
            0x6D => Type::Float(bytes.byte()),
            0x6E => Type::Money(bytes.byte()),
            0x6F => match bytes.byte() {
                4 => Type::SmallDateTime,
                _ => Type::DateTime,
            },
            0x6A | 0x6C => {
                bytes.byte();
                Type::Decimal(bytes.byte(), bytes.byte())
            }
            0x28 => Type::Date,
            0x29 => Type::Time(bytes.byte()),
            0x2A => Type::DateTime2(bytes.byte()),
            0x2B => Type::Offset(bytes.byte()),
            0x24 => {
                bytes.byte();
                Type::Guid
            }
            token @ (0xA7 | 0xAF | 0xE7 | 0xEF | 0xA5 | 0xAD) => {
                let size = match bytes.short() {
                    0xFFFF => MAX,
                    size => usize::from(size),
                };
                if !matches!(token, 0xA5 | 0xAD) {
                    bytes.take(5);
                }
                match token {
                    0xA7 | 0xAF => Type::Narrow(token == 0xAF, size),
                    0xE7 | 0xEF => Type::Wide(token == 0xEF, if size == MAX { MAX } else { size / 2 }),
                    _ => Type::Binary(token == 0xAD, size),
                }
            }
            0xF1 => {
                bytes.byte();
                Type::Xml
            }
            token @ (0x23 | 0x63 | 0x22) => {
                bytes.int();
                if token != 0x22 {
                    bytes.take(5);
                }
                if table {
                    let units = usize::from(bytes.short());
                    bytes.take(units * 2);
                }
                match token {
                    0x23 => Type::Text,
                    0x63 => Type::NText,
                    _ => Type::Image,
                }
            }
            other => panic!("a type that the peer does not know: {other:#x}"),
        }
    }

    fn in_parts(&self) -> bool {
        matches!(self, Type::Narrow(_, MAX) | Type::Wide(_, MAX) | Type::Binary(_, MAX) | Type::Xml)
    }

    /// The bytes of a value and whether there is one.
    fn raw<'m>(&self, bytes: &mut Bytes<'m>) -> Option<std::borrow::Cow<'m, [u8]>> {
        if self.in_parts() {
            let length = u64::from_le_bytes(bytes.take(8).try_into().unwrap());
            if length == u64::MAX {
                return None;
            }
            let mut all = Vec::new();
            loop {
                match bytes.int() as usize {
                    0 => break,
                    part => all.extend_from_slice(bytes.take(part)),
                }
            }
            assert!(
                length == u64::MAX - 1 || length == all.len() as u64,
                "{length} bytes are said, {} come",
                all.len()
            );
            return Some(all.into());
        }
        match self {
            Type::Text | Type::NText | Type::Image => {
                let pointer = usize::from(bytes.byte());
                if pointer == 0 {
                    return None;
                }
                bytes.take(pointer + 8);
                let length = bytes.int() as usize;
                Some(bytes.take(length).into())
            }
            Type::Narrow(..) | Type::Wide(..) | Type::Binary(..) => match bytes.short() {
                0xFFFF => None,
                length => Some(bytes.take(usize::from(length)).into()),
            },
            _ => match bytes.byte() {
                0 => None,
                length => Some(bytes.take(usize::from(length)).into()),
            },
        }
    }

    /// Reads a value.
    pub fn read(&self, bytes: &mut Bytes<'_>) -> Value {
        let Some(raw) = self.raw(bytes) else { return Value::Null };
        let raw = &*raw;
        let low = |part: &[u8]| part.iter().rev().fold(0_i128, |all, b| all << 8 | i128::from(*b));
        let date = |part: &[u8]| calendar(low(part) as i64);
        let time = |part: &[u8], scale: u8| clock(low(part) as i64, scale);
        Value::Text(match *self {
            Type::Bit => return Value::Integer(i64::from(raw[0] != 0)),
            Type::Int(1) => return Value::Integer(i64::from(raw[0])),
            Type::Int(n) => {
                let mut all = [if raw[usize::from(n) - 1] & 0x80 != 0 { 0xFF } else { 0 }; 8];
                all[..raw.len()].copy_from_slice(raw);
                return Value::Integer(i64::from_le_bytes(all));
            }
            Type::Float(4) => return Value::Real(f32::from_le_bytes(raw.try_into().unwrap()).into()),
            Type::Float(_) => return Value::Real(f64::from_le_bytes(raw.try_into().unwrap())),
            Type::Money(4) => with_point(i32::from_le_bytes(raw.try_into().unwrap()).into(), 4),
            Type::Money(_) => {
                let (high, low) = raw.split_at(4);
                let high = i128::from(i32::from_le_bytes(high.try_into().unwrap()));
                with_point(high << 32 | i128::from(u32::from_le_bytes(low.try_into().unwrap())), 4)
            }
            Type::Decimal(_, scale) => {
                let value = low(&raw[1..]);
                with_point(if raw[0] == 0 { -value } else { value }, scale)
            }
            Type::Date => date(raw),
            Type::Time(scale) => time(raw, scale),
            Type::SmallDateTime => {
                let minutes = low(&raw[2..]);
                format!("{} {:02}:{:02}:00", calendar(low(&raw[..2]) as i64 + TO_1900), minutes / 60, minutes % 60)
            }
            Type::DateTime => {
                let days = i32::from_le_bytes(raw[..4].try_into().unwrap());
                // A third of 10 ms, as SQL Server shows it.
                let millis = (low(&raw[4..]) as i64 * 10 + 1) / 3;
                format!("{} {}", calendar(i64::from(days) + TO_1900), clock(millis, 3))
            }
            Type::DateTime2(scale) => {
                let (part, day) = raw.split_at(raw.len() - 3);
                format!("{} {}", date(day), time(part, scale)).trim_end_matches('.').to_owned()
            }
            Type::Offset(scale) => {
                let (part, rest) = raw.split_at(raw.len() - 5);
                let minutes = i64::from(i16::from_le_bytes(rest[3..].try_into().unwrap()));
                let units = 10_i64.pow(u32::from(scale));
                let all = low(&rest[..3]) as i64 * 86_400 * units + low(part) as i64 + minutes * 60 * units;
                let (day, rest) = (all.div_euclid(86_400 * units), all.rem_euclid(86_400 * units));
                let sign = if minutes < 0 { '-' } else { '+' };
                let minutes = minutes.abs();
                format!("{} {} {sign}{:02}:{:02}", calendar(day), clock(rest, scale), minutes / 60, minutes % 60)
            }
            Type::Guid => {
                let hex = |order: &[usize]| order.iter().map(|at| format!("{:02X}", raw[*at])).collect::<String>();
                let parts = [hex(&[3, 2, 1, 0]), hex(&[5, 4]), hex(&[7, 6]), hex(&[8, 9])];
                format!("{}-{}", parts.join("-"), hex(&[10, 11, 12, 13, 14, 15]))
            }
            Type::Narrow(fixed, size) => {
                let text = CodePage::of(1252).unwrap().decode(raw).into_owned();
                if fixed { format!("{text:size$}") } else { text }
            }
            Type::Wide(true, size) => format!("{:size$}", utf16(raw)),
            Type::Text => CodePage::of(1252).unwrap().decode(raw).into_owned(),
            Type::Wide(..) | Type::NText | Type::Xml => utf16(raw),
            Type::Binary(fixed, size) => {
                let mut raw = raw.to_vec();
                if fixed {
                    raw.resize(size.max(raw.len()), 0);
                }
                return Value::Blob(raw);
            }
            Type::Image => return Value::Blob(raw.to_vec()),
        })
    }

    /// Writes a value as SQLite has it.
    pub fn write(&self, value: &Value, out: &mut Vec<u8>) {
        let text = || match value {
            Value::Integer(n) => n.to_string(),
            Value::Real(f) => f.to_string(),
            Value::Text(text) => text.clone(),
            Value::Blob(bytes) => bytes.iter().map(|b| format!("{b:02X}")).collect(),
            Value::Null => String::new(),
        };
        let real = || match value {
            Value::Integer(n) => *n as f64,
            Value::Real(f) => *f,
            _ => text().trim().parse().unwrap_or(0.0),
        };
        if *value == Value::Null {
            return match self {
                _ if self.in_parts() => out.extend_from_slice(&[0xFF; 8]),
                Type::Narrow(..) | Type::Wide(..) | Type::Binary(..) => out.extend_from_slice(&[0xFF; 2]),
                _ => out.push(0),
            };
        }
        let wide = || text().encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        let narrow = || {
            let mut bytes = Vec::new();
            CodePage::of(1252).unwrap().encode(&text(), &mut bytes);
            bytes
        };
        let bytes: Vec<u8> = match *self {
            Type::Bit => vec![u8::from(real() != 0.0)],
            Type::Int(n) => {
                let number = if let Value::Integer(n) = value { *n } else { real() as i64 };
                number.to_le_bytes()[..usize::from(n)].to_vec()
            }
            Type::Float(4) => (real() as f32).to_le_bytes().to_vec(),
            Type::Float(_) => real().to_le_bytes().to_vec(),
            Type::Money(4) => (without_point(&text(), 4) as i32).to_le_bytes().to_vec(),
            Type::Money(_) => {
                let all = (without_point(&text(), 4) as i64).to_le_bytes();
                [&all[4..], &all[..4]].concat()
            }
            Type::Decimal(_, scale) => {
                let number = without_point(&text(), scale);
                let mut all = vec![u8::from(number >= 0)];
                all.extend_from_slice(&number.unsigned_abs().to_le_bytes());
                all
            }
            Type::Date => days(&text()).to_le_bytes()[..3].to_vec(),
            Type::Time(scale) => timed(&text(), scale),
            Type::SmallDateTime => {
                let (day, time) = moment(&text());
                let mut all = ((day - TO_1900) as u16).to_le_bytes().to_vec();
                all.extend_from_slice(&((units(&time, 0) / 60) as u16).to_le_bytes());
                all
            }
            Type::DateTime => {
                let (day, time) = moment(&text());
                let mut all = ((day - TO_1900) as i32).to_le_bytes().to_vec();
                all.extend_from_slice(&(((units(&time, 3) * 3 + 5) / 10) as u32).to_le_bytes());
                all
            }
            Type::DateTime2(scale) => {
                let (day, time) = moment(&text());
                let mut all = timed(&time, scale);
                all.extend_from_slice(&day.to_le_bytes()[..3]);
                all
            }
            Type::Offset(scale) => {
                let text = text();
                let (place, zone) = text.rsplit_once(' ').unwrap();
                let minutes = zone[1..3].parse::<i64>().unwrap() * 60 + zone[4..6].parse::<i64>().unwrap();
                let minutes = if zone.starts_with('-') { -minutes } else { minutes };
                let (day, time) = moment(place);
                let unit = 10_i64.pow(u32::from(scale));
                let all = (day * 86_400 - minutes * 60) * unit + units(&time, scale);
                let mut bytes = all.rem_euclid(86_400 * unit).to_le_bytes()[..length_of_time(scale)].to_vec();
                bytes.extend_from_slice(&all.div_euclid(86_400 * unit).to_le_bytes()[..3]);
                bytes.extend_from_slice(&(minutes as i16).to_le_bytes());
                bytes
            }
            Type::Guid => {
                let hex = text().replace('-', "");
                let byte = |at: usize| u8::from_str_radix(&hex[at * 2..at * 2 + 2], 16).unwrap();
                [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map(byte).to_vec()
            }
            Type::Narrow(..) | Type::Text => narrow(),
            Type::Wide(..) | Type::NText | Type::Xml => wide(),
            Type::Binary(..) | Type::Image => match value {
                Value::Blob(bytes) => bytes.clone(),
                _ => text().into_bytes(),
            },
        };
        match self {
            _ if self.in_parts() => {
                out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
                for part in bytes.chunks(5000) {
                    out.extend_from_slice(&(part.len() as u32).to_le_bytes());
                    out.extend_from_slice(part);
                }
                out.extend_from_slice(&[0; 4]);
            }
            Type::Narrow(..) | Type::Wide(..) | Type::Binary(..) => {
                out.extend_from_slice(&(bytes.len() as u16).to_le_bytes());
                out.extend_from_slice(&bytes);
            }
            Type::Text | Type::NText | Type::Image => {
                out.push(16);
                out.extend_from_slice(&[7; 24]);
                out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
                out.extend_from_slice(&bytes);
            }
            _ => {
                out.push(bytes.len() as u8);
                out.extend_from_slice(&bytes);
            }
        }
    }

    /// Whether a value of bulk load is longer than its column lets it be.
    pub fn too_long(&self, value: &Value) -> bool {
        match (self, value) {
            (Type::Narrow(_, most), Value::Text(text)) => text.chars().count() > *most,
            (Type::Wide(_, most), Value::Text(text)) => text.encode_utf16().count() > *most,
            (Type::Binary(_, most), Value::Blob(bytes)) => bytes.len() > *most,
            _ => false,
        }
    }
}

fn length_of_time(scale: u8) -> usize {
    match scale {
        ..=2 => 3,
        3 | 4 => 4,
        _ => 5,
    }
}

fn with_point(value: i128, scale: u8) -> String {
    let (digits, scale) = (format!("{:0>1$}", value.unsigned_abs(), usize::from(scale) + 1), usize::from(scale));
    let (whole, part) = digits.split_at(digits.len() - scale);
    let sign = if value < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") }
}

fn without_point(text: &str, scale: u8) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = part.chars().chain(std::iter::repeat('0')).take(usize::from(scale)).collect();
    format!("{whole}{digits}").parse().unwrap_or_else(|_| panic!("{text} is no number of {scale} decimals"))
}

/// A day counted from 0001-01-01, as a text.
fn calendar(day: i64) -> String {
    // Years of 400 have 146,097 days; they begin with March.
    let shifted = day + 306;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{day:02}", era * 400 + year_of_era + next)
}

fn days(text: &str) -> i64 {
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().unwrap();
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 306
}

/// A time in units of so many digits of a second, as a text.
fn clock(value: i64, scale: u8) -> String {
    let unit = 10_i64.pow(u32::from(scale));
    let (seconds, part) = (value / unit, value % unit);
    let text = format!("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    if scale == 0 { text } else { format!("{text}.{part:0>0$}", usize::from(scale)) }
}

fn units(text: &str, scale: u8) -> i64 {
    let (time, part) = text.split_once('.').unwrap_or((text, ""));
    let seconds = time.split(':').fold(0, |all, n| all * 60 + n.parse::<i64>().unwrap());
    let digits: String = part.chars().chain(std::iter::repeat('0')).take(usize::from(scale)).collect();
    seconds * 10_i64.pow(u32::from(scale)) + digits.parse::<i64>().unwrap_or(0)
}

fn timed(text: &str, scale: u8) -> Vec<u8> {
    units(text, scale).to_le_bytes()[..length_of_time(scale)].to_vec()
}

/// The day and the time of a text.
fn moment(text: &str) -> (i64, String) {
    let (day, time) = text.trim().split_once([' ', 'T']).unwrap_or((text.trim(), "00:00:00"));
    (days(day), time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (words, value) in [
            ("bit", Value::Integer(1)),
            ("tinyint", Value::Integer(255)),
            ("smallint", Value::Integer(-32768)),
            ("bigint", Value::Integer(i64::MIN)),
            ("real", Value::Real(1.5)),
            ("money", Value::Text("-922337203685477.5808".into())),
            ("smallmoney", Value::Text("-0.0001".into())),
            ("decimal(38,10)", Value::Text("-1234567890123456789012345678.9012345678".into())),
            ("date", Value::Text("0001-01-01".into())),
            ("date", Value::Text("9999-12-31".into())),
            ("time(3)", Value::Text("23:59:59.999".into())),
            ("smalldatetime", Value::Text("2079-06-06 23:59:00".into())),
            ("datetime", Value::Text("2024-02-29 12:34:56.997".into())),
            ("datetime2(7)", Value::Text("2024-02-29 12:34:56.1234567".into())),
            ("datetimeoffset(0)", Value::Text("2024-03-01 00:30:00 +02:00".into())),
            ("uniqueidentifier", Value::Text("00112233-4455-6677-8899-AABBCCDDEEFF".into())),
            ("char(3)", Value::Text("a€ ".into())),
            ("nvarchar(max)", Value::Text("x".repeat(20_000))),
            ("varbinary(3)", Value::Blob(vec![0, 255])),
            ("image", Value::Blob(vec![1; 9000])),
            ("text", Value::Null),
        ] {
            let (kind, mut out) = (Type::parse(words).unwrap(), Vec::new());
            assert_eq!(Type::parse(&kind.declared(words)), Some(kind), "{words}");
            kind.write(&value, &mut out);
            let mut bytes = Bytes(&out);
            assert_eq!(kind.read(&mut bytes), value, "{words}");
            assert!(bytes.0.is_empty(), "{words}");
        }
    }
}
