//! A stream of bytes in some encoding, read as UTF-8.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};
use std::io::{self, Read};

/// Bytes that are looked at for a byte order mark or a declaration.
const HEAD: usize = 1024;
/// Bytes read at a time.
const BLOCK: usize = 64 * 1024;

/// Reads a stream as UTF-8, without a byte order mark; malformed input becomes U+FFFD.
pub(crate) struct Decoding {
    source: Box<dyn Read + Send>,
    decoder: Decoder,
    raw: Vec<u8>,
    /// Text that was not asked for yet, from `at`.
    text: Vec<u8>,
    at: usize,
    ended: bool,
}

impl Decoding {
    /// The stream of an XML document: the encoding is that of its byte order mark, else of its declaration, else UTF-8.
    ///
    /// # Errors
    /// The first bytes cannot be read.
    pub(crate) fn xml(mut source: Box<dyn Read + Send>) -> io::Result<Decoding> {
        let mut head = Vec::with_capacity(HEAD);
        (&mut source).take(HEAD as u64).read_to_end(&mut head)?;
        let encoding = match Encoding::for_bom(&head) {
            Some((encoding, _)) => encoding,
            None => declared(&head).unwrap_or(UTF_8),
        };
        let mut decoding = Decoding {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: Vec::new(),
            text: Vec::new(),
            at: 0,
            ended: false,
        };
        decoding.decode(&head, false);
        Ok(decoding)
    }

    fn decode(&mut self, mut raw: &[u8], last: bool) {
        loop {
            let room = self.decoder.max_utf8_buffer_length(raw.len()).unwrap_or(raw.len() * 3 + 16);
            let start = self.text.len();
            self.text.resize(start + room, 0);
            let (result, read, written, _) = self.decoder.decode_to_utf8(raw, &mut self.text[start..], last);
            self.text.truncate(start + written);
            raw = &raw[read..];
            if result == CoderResult::InputEmpty {
                return;
            }
        }
    }
}

/// The encoding that an XML declaration names. UTF-16 without a byte order mark is told by its zero bytes.
fn declared(head: &[u8]) -> Option<&'static Encoding> {
    match head {
        [b'<', 0, ..] => return Some(encoding_rs::UTF_16LE),
        [0, b'<', ..] => return Some(encoding_rs::UTF_16BE),
        _ => {}
    }
    let text = String::from_utf8_lossy(head);
    let declaration = text.trim_start().strip_prefix("<?xml")?.split("?>").next()?;
    let (_, rest) = declaration.split_once("encoding")?;
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let found = Encoding::for_label(rest[1..].split(quote).next()?.as_bytes())?;
    // A document that could be read so far has no wide characters, whatever it says.
    Some(if found == encoding_rs::UTF_16LE || found == encoding_rs::UTF_16BE { UTF_8 } else { found })
}

impl Read for Decoding {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.text.len() && !self.ended {
            self.text.clear();
            self.at = 0;
            let mut raw = std::mem::take(&mut self.raw);
            raw.resize(BLOCK, 0);
            let count = self.source.read(&mut raw)?;
            self.ended = count == 0;
            self.decode(&raw[..count], self.ended);
            self.raw = raw;
        }
        let count = (self.text.len() - self.at).min(into.len());
        into[..count].copy_from_slice(&self.text[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> String {
        let mut text = String::new();
        Decoding::xml(Box::new(io::Cursor::new(bytes.to_vec()))).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn marks_and_declarations() {
        let wide = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
        assert_eq!(read("<a>é</a>".as_bytes()), "<a>é</a>");
        assert_eq!(read("\u{feff}<a>é</a>".as_bytes()), "<a>é</a>");
        assert!(read(b"<?xml version='1.0' encoding='windows-1252'?><a>\xe9\x80</a>").ends_with("<a>é€</a>"));
        assert_eq!(read(&[&[0xFF, 0xFE][..], &wide("<a>é</a>")].concat()), "<a>é</a>");
        assert_eq!(read(&wide("<a>é</a>")), "<a>é</a>");
        assert!(read(b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>").ends_with("?><a/>"));
        assert_eq!(read(b""), "");
        let long = format!("<a>{}</a>", "é".repeat(100_000));
        assert_eq!(read(&[&[0xFF, 0xFE][..], &wide(&long)].concat()), long);
    }
}
