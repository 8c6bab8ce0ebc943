//! Names of tables as packages spell them: `[dbo].[Sales Orders]`, `"dbo"."T"`, `dbo.T`, `T`.

use std::fmt;

/// A name of one to four parts: server, database, schema, table.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TableName {
    /// The parts, quotes removed; an omitted part (`db..t`) is "".
    pub parts: Vec<String>,
    /// Whether any part was quoted.
    pub quoted: bool,
}

impl TableName {
    /// Reads a name. What is no well-formed name is one part as it is.
    pub fn parse(text: &str) -> TableName {
        let text = text.trim();
        TableName::split(text).unwrap_or_else(|| TableName { parts: vec![text.to_owned()], quoted: false })
    }

    /// A name of these parts.
    pub fn of(parts: &[&str]) -> TableName {
        TableName { parts: parts.iter().map(|p| (*p).to_owned()).collect(), quoted: true }
    }

    fn split(text: &str) -> Option<TableName> {
        let (mut parts, mut quoted, mut rest) = (Vec::new(), false, text);
        loop {
            rest = rest.trim_start();
            let close = match rest.chars().next() {
                Some('[') => Some(']'),
                Some('"') => Some('"'),
                Some('`') => Some('`'),
                _ => None,
            };
            if let Some(close) = close {
                let mut part = String::new();
                let mut chars = rest[1..].char_indices();
                let end = loop {
                    let (at, c) = chars.next()?;
                    if c != close {
                        part.push(c);
                    } else if chars.as_str().starts_with(close) {
                        chars.next();
                        part.push(close);
                    } else {
                        break at + 1 + c.len_utf8();
                    }
                };
                quoted = true;
                parts.push(part);
                rest = rest[end..].trim_start();
            } else {
                let end = rest.find('.').unwrap_or(rest.len());
                parts.push(rest[..end].trim().to_owned());
                rest = &rest[end..];
            }
            if rest.is_empty() {
                break;
            }
            rest = rest.strip_prefix('.')?;
        }
        let named = parts.last().is_some_and(|p| !p.is_empty()) && parts.len() <= 4;
        named.then_some(TableName { parts, quoted })
    }

    /// The table's own name.
    pub fn table(&self) -> &str {
        self.parts.last().map_or("", String::as_str)
    }

    /// Its schema, if it is named.
    pub fn schema(&self) -> Option<&str> {
        let at = self.parts.len().checked_sub(2)?;
        self.parts.get(at).map(String::as_str).filter(|s| !s.is_empty())
    }

    /// Its database, if it is named.
    pub fn database(&self) -> Option<&str> {
        let at = self.parts.len().checked_sub(3)?;
        self.parts.get(at).map(String::as_str).filter(|s| !s.is_empty())
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, part) in self.parts.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            if !part.is_empty() {
                write!(f, "[{}]", part.replace(']', "]]"))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_at_their_dots() {
        for (text, parts) in [
            ("[dbo].[Sales Orders]", &["dbo", "Sales Orders"][..]),
            ("\"dbo\".\"DimStates\"", &["dbo", "DimStates"]),
            ("dbo.T", &["dbo", "T"]),
            (" T ", &["T"]),
            ("[a.b].[c]]d]", &["a.b", "c]d"]),
            ("`my db`.`t`", &["my db", "t"]),
            ("Stage..[T]", &["Stage", "", "T"]),
            ("Sheet1$", &["Sheet1$"]),
            ("[dbo] . [T]", &["dbo", "T"]),
            ("[broken", &["[broken"]),
            ("[a][b]", &["[a][b]"]),
        ] {
            assert_eq!(TableName::parse(text).parts, parts, "{text}");
        }
        let name = TableName::parse("Stage..[T]");
        assert_eq!((name.database(), name.schema(), name.table()), (Some("Stage"), None, "T"));
        assert_eq!(name.to_string(), "[Stage]..[T]");
    }
}
