//! Cutting a file into rows and fields.

use std::io::{self, Read};

/// A terminator as the designer shows it (`Comma {,}`, `{CR}{LF}`, `Vertical Bar {|}`, `Tab`) or as it is (`\t`, `||`).
pub(super) fn terminator(text: &str) -> String {
    match text.trim().to_ascii_lowercase().as_str() {
        "tab" | "tab {t}" => return "\t".to_owned(),
        "comma" => return ",".to_owned(),
        "semicolon" => return ";".to_owned(),
        "colon" => return ":".to_owned(),
        "vertical bar" => return "|".to_owned(),
        _ => {}
    }
    let mut out = String::new();
    let mut rest = text;
    // What stands in braces counts; a word before them is for people.
    while let Some((_, behind)) = rest.split_once('{') {
        let Some((inside, tail)) = behind.split_once('}') else { break };
        out.push_str(match inside.to_ascii_uppercase().as_str() {
            "CR" => "\r",
            "LF" => "\n",
            "T" | "TAB" => "\t",
            _ => inside,
        });
        rest = tail;
    }
    if !out.is_empty() {
        return out;
    }
    text.replace("\\t", "\t").replace("\\r", "\r").replace("\\n", "\n").replace("\\0", "\0").replace("\\\\", "\\")
}

/// How much of a file is read at once.
const BLOCK: usize = 1 << 20;
/// How long a row may be. Where the terminator is not that of the file, all of it would be one.
const LONGEST: usize = 64 << 20;

/// The rows of a file, as UTF-8.
pub(super) struct RowReader<R> {
    source: R,
    decoder: encoding_rs::Decoder,
    row: Vec<u8>,
    /// Text that was read; rows before `at` are out.
    text: Vec<u8>,
    at: usize,
    ended: bool,
    longest: usize,
}

impl<R: Read> RowReader<R> {
    /// A reader of text in `encoding` (a byte order mark is obeyed), whose rows end with `row`.
    pub(super) fn new(source: R, encoding: &'static encoding_rs::Encoding, row: &str) -> RowReader<R> {
        let row = row.as_bytes().to_vec();
        RowReader {
            source,
            decoder: encoding.new_decoder(),
            row,
            text: Vec::new(),
            at: 0,
            ended: false,
            longest: LONGEST,
        }
    }

    /// The next row without its terminator. The last row of a file needs none.
    pub(super) fn next(&mut self) -> io::Result<Option<&str>> {
        let mut searched = self.at;
        loop {
            if let Some(found) = memchr::memmem::find(&self.text[searched..], &self.row) {
                let (from, to) = (self.at, searched + found);
                self.at = to + self.row.len();
                return text(&self.text[from..to]).map(Some);
            }
            if self.ended {
                let from = std::mem::replace(&mut self.at, self.text.len());
                return if from == self.text.len() { Ok(None) } else { text(&self.text[from..]).map(Some) };
            }
            // A terminator may be cut by the end of what was read.
            searched = (self.text.len() + 1).saturating_sub(self.row.len()).max(self.at) - self.at;
            self.text.drain(..self.at);
            self.at = 0;
            if self.text.len() > self.longest {
                let message = format!("no row terminator comes within {} bytes", self.longest);
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let mut raw = vec![0; BLOCK];
        let length = loop {
            match self.source.read(&mut raw) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        self.ended = length == 0;
        let mut rest = &raw[..length];
        loop {
            let needed = self.decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len() * 3 + 16);
            let start = self.text.len();
            self.text.resize(start + needed, 0);
            let (result, read, written, _) = self.decoder.decode_to_utf8(rest, &mut self.text[start..], self.ended);
            self.text.truncate(start + written);
            rest = &rest[read..];
            if result == encoding_rs::CoderResult::InputEmpty {
                return Ok(());
            }
        }
    }
}

fn text(bytes: &[u8]) -> io::Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terminators_are_what_the_designer_shows_or_what_they_are() {
        for (text, expected) in [
            ("Comma {,}", ","),
            ("{CR}{LF}", "\r\n"),
            ("{LF}", "\n"),
            ("Tab", "\t"),
            ("Vertical Bar {|}", "|"),
            ("Semicolon {;}", ";"),
            ("\\t", "\t"),
            ("||", "||"),
            ("{|}{|}", "||"),
            ("", ""),
        ] {
            assert_eq!(terminator(text), expected, "{text}");
        }
    }

    /// Gives a few bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let take = self.1.min(self.0.len()).min(out.len());
            out[..take].copy_from_slice(&self.0[..take]);
            self.0 = &self.0[take..];
            Ok(take)
        }
    }

    fn rows(bytes: &[u8], step: usize, encoding: &'static encoding_rs::Encoding, row: &str) -> Vec<String> {
        let mut reader = RowReader::new(Slow(bytes, step), encoding, row);
        let mut rows = Vec::new();
        while let Some(row) = reader.next().unwrap() {
            rows.push(row.to_owned());
        }
        rows
    }

    #[test]
    fn files_come_in_their_code_page() {
        assert_eq!(rows(b"\x80,1\r\n\r\nx", 3, encoding_rs::WINDOWS_1252, "\r\n"), ["€,1", "", "x"]);
        assert_eq!(rows("\u{feff}ž|".as_bytes(), 1, encoding_rs::WINDOWS_1252, "|"), ["ž"]);
        let wide: Vec<u8> = "a\nž\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(rows(&wide, 3, encoding_rs::UTF_16LE, "\n"), ["a", "ž"]);
        assert_eq!(rows(b"", 1, encoding_rs::UTF_8, "\n"), Vec::<String>::new());
    }

    #[test]
    fn a_row_without_an_end_is_not_kept_for_ever() {
        let text = [b"short|".repeat(100), b"x".repeat(5000)].concat();
        let mut reader = RowReader::new(Slow(&text, 64), encoding_rs::UTF_8, "|");
        reader.longest = 1000;
        let mut rows = 0;
        let error = loop {
            match reader.next() {
                Ok(row) => rows += usize::from(row.is_some()),
                Err(error) => break error,
            }
        };
        assert_eq!(rows, 100);
        assert!(error.to_string().contains("within 1000 bytes"), "{error}");
        assert!(reader.text.len() < 1200);
    }

    proptest! {
        #[test]
        fn rows_do_not_depend_on_how_the_file_is_read(text in "[ab|]{0,40}", step in 1usize..9, two in any::<bool>()) {
            let end = if two { "||" } else { "|" };
            let mut expected: Vec<String> = text.split(end).map(str::to_owned).collect();
            if expected.last().is_some_and(String::is_empty) {
                expected.pop();
            }
            prop_assert_eq!(rows(text.as_bytes(), step, encoding_rs::UTF_8, end), expected);
        }
    }
}
