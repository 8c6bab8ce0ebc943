//! Code pages: text to bytes and back, and how long a text is in one.
//!
//! Text lives as UTF-8 in the engine; a code page matters at borders (files, binary columns) and for the length of a DT_STR,
//! which counts bytes.

use crate::diag::{Error, Owner, Result};
use encoding_rs::{EncoderResult, Encoding};
use oem_cp::code_table_type::TableType;
use std::borrow::Cow;

/// What the original takes for code page 0: the ANSI code page of the machine; here always Western European.
pub const DEFAULT: u32 = 1252;

/// What stands for a character that a code page lacks. Windows looks for a similar one first (unconfirmed), we do not.
const SUBSTITUTE: u8 = b'?';

/// A code page that this build has, resolved once and cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct CodePage {
    number: u32,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Utf8,
    Utf16Le,
    Utf16Be,
    Ascii,
    Latin1,
    /// One byte a character.
    Single(&'static Encoding),
    /// One byte a character, of the OEM family.
    Oem(&'static TableType, &'static oem_cp::OEMCPHashMap<char, u8>),
    /// One byte or two.
    Double(&'static Encoding),
    /// Anything else.
    Multi(&'static Encoding),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Kind::Utf8 => "UTF-8",
            Kind::Utf16Le => "UTF-16LE",
            Kind::Utf16Be => "UTF-16BE",
            Kind::Ascii => "ASCII",
            Kind::Latin1 => "Latin 1",
            Kind::Oem(..) => "OEM",
            Kind::Single(e) | Kind::Double(e) | Kind::Multi(e) => e.name(),
        })
    }
}

impl PartialEq for CodePage {
    fn eq(&self, other: &CodePage) -> bool {
        self.number == other.number
    }
}
impl Eq for CodePage {}

impl CodePage {
    /// The code page of a number; 0 is [`DEFAULT`]. None if this build has it not (UTF-7 and EBCDIC among others).
    pub fn of(number: u32) -> Option<CodePage> {
        use encoding_rs::*;
        let number = if number == 0 { DEFAULT } else { number };
        let kind = match number {
            65001 => Kind::Utf8,
            1200 => Kind::Utf16Le,
            1201 => Kind::Utf16Be,
            20127 => Kind::Ascii,
            28591 => Kind::Latin1,
            874 => Kind::Single(WINDOWS_874),
            1250 => Kind::Single(WINDOWS_1250),
            1251 => Kind::Single(WINDOWS_1251),
            1252 => Kind::Single(WINDOWS_1252),
            1253 => Kind::Single(WINDOWS_1253),
            1254 => Kind::Single(WINDOWS_1254),
            1255 => Kind::Single(WINDOWS_1255),
            1256 => Kind::Single(WINDOWS_1256),
            1257 => Kind::Single(WINDOWS_1257),
            1258 => Kind::Single(WINDOWS_1258),
            10000 => Kind::Single(MACINTOSH),
            20866 => Kind::Single(KOI8_R),
            21866 => Kind::Single(KOI8_U),
            28592 => Kind::Single(ISO_8859_2),
            28593 => Kind::Single(ISO_8859_3),
            28594 => Kind::Single(ISO_8859_4),
            28595 => Kind::Single(ISO_8859_5),
            28596 => Kind::Single(ISO_8859_6),
            28597 => Kind::Single(ISO_8859_7),
            28598 => Kind::Single(ISO_8859_8),
            // ISO 8859-9 differs from it only in the control characters 0x80..0x9F.
            28599 => Kind::Single(WINDOWS_1254),
            28603 => Kind::Single(ISO_8859_13),
            28605 => Kind::Single(ISO_8859_15),
            932 => Kind::Double(SHIFT_JIS),
            936 => Kind::Double(GBK),
            949 => Kind::Double(EUC_KR),
            950 => Kind::Double(BIG5),
            51932 => Kind::Multi(EUC_JP),
            54936 => Kind::Multi(GB18030),
            _ => {
                let key = u16::try_from(number).ok()?;
                let decoding = oem_cp::code_table::DECODING_TABLE_CP_MAP.get(&key)?;
                let encoding = oem_cp::code_table::ENCODING_TABLE_CP_MAP.get(&key)?;
                Kind::Oem(decoding, encoding)
            }
        };
        Some(CodePage { number, kind })
    }

    /// The same, with an error of the owner "unsupported" for a code page that this build has not.
    ///
    /// # Errors
    /// Names the code page.
    pub fn require(number: u32) -> Result<CodePage> {
        CodePage::of(number).ok_or_else(|| {
            Error::new(Owner::Unsupported, None, format!("code page {number} is not supported in this build"))
        })
    }

    /// The number; never 0.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Whether every character takes one byte.
    pub fn is_single_byte(&self) -> bool {
        matches!(self.kind, Kind::Ascii | Kind::Latin1 | Kind::Single(_) | Kind::Oem(..))
    }

    /// Whether a text can take more bytes in this code page than in UTF-8 (UTF-16 and the multi-byte ones).
    pub(crate) fn can_grow(&self) -> bool {
        matches!(self.kind, Kind::Utf16Le | Kind::Utf16Be | Kind::Multi(_))
    }

    /// Whether ASCII text is the same bytes in this code page (all but UTF-16).
    pub fn keeps_ascii(&self) -> bool {
        !matches!(self.kind, Kind::Utf16Le | Kind::Utf16Be)
    }

    /// Appends a text in this code page; characters that it lacks become `?`. Says whether it has them all.
    pub fn encode(&self, text: &str, out: &mut Vec<u8>) -> bool {
        match self.kind {
            Kind::Utf8 => out.extend_from_slice(text.as_bytes()),
            Kind::Utf16Le => text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_le_bytes())),
            Kind::Utf16Be => text.encode_utf16().for_each(|unit| out.extend_from_slice(&unit.to_be_bytes())),
            _ if text.is_ascii() => out.extend_from_slice(text.as_bytes()),
            Kind::Ascii | Kind::Latin1 | Kind::Oem(..) => {
                let mut all = true;
                out.extend(text.chars().map(|c| {
                    self.single(c).unwrap_or_else(|| {
                        all = false;
                        SUBSTITUTE
                    })
                }));
                return all;
            }
            Kind::Single(encoding) | Kind::Double(encoding) | Kind::Multi(encoding) => {
                return encode_with(encoding, text, out);
            }
        }
        true
    }

    /// Whether the code page has every character of the text; `scratch` is room to work in.
    #[inline]
    pub fn has_all(&self, text: &str, scratch: &mut Vec<u8>) -> bool {
        if text.is_ascii() || matches!(self.kind, Kind::Utf8 | Kind::Utf16Le | Kind::Utf16Be) {
            return true;
        }
        scratch.clear();
        self.encode(text, scratch)
    }

    /// The byte of a character in the one-byte kinds that encoding_rs does not have.
    fn single(&self, c: char) -> Option<u8> {
        match self.kind {
            _ if c.is_ascii() => Some(c as u8),
            Kind::Latin1 => u8::try_from(c as u32).ok(),
            Kind::Oem(_, table) => table.get(&c).copied(),
            _ => None,
        }
    }

    /// Bytes to text; malformed input becomes U+FFFD. Borrowed if nothing changes (ASCII, valid UTF-8).
    pub fn decode<'a>(&self, bytes: &'a [u8]) -> Cow<'a, str> {
        match self.kind {
            Kind::Utf8 => String::from_utf8_lossy(bytes),
            Kind::Utf16Le => Cow::Owned(decode_utf16(bytes, u16::from_le_bytes)),
            Kind::Utf16Be => Cow::Owned(decode_utf16(bytes, u16::from_be_bytes)),
            Kind::Single(encoding) | Kind::Double(encoding) | Kind::Multi(encoding) => {
                encoding.decode_without_bom_handling(bytes).0
            }
            Kind::Ascii | Kind::Latin1 | Kind::Oem(..) => {
                if let Ok(text) = simdutf8::basic::from_utf8(bytes)
                    && text.is_ascii()
                {
                    return Cow::Borrowed(text);
                }
                Cow::Owned(bytes.iter().map(|b| self.character(*b)).collect())
            }
        }
    }

    /// The character of a byte in the one-byte kinds that encoding_rs does not have.
    fn character(&self, byte: u8) -> char {
        match self.kind {
            _ if byte < 0x80 => byte as char,
            Kind::Latin1 => byte as char,
            Kind::Oem(TableType::Complete(table), _) => table[byte as usize - 0x80],
            Kind::Oem(TableType::Incomplete(table), _) => table[byte as usize - 0x80].unwrap_or('\u{fffd}'),
            _ => '\u{fffd}',
        }
    }

    /// The bytes that a text takes in this code page.
    pub fn encoded_len(&self, text: &str) -> usize {
        match self.kind {
            Kind::Utf8 => text.len(),
            Kind::Utf16Le | Kind::Utf16Be => 2 * utf16_len(text),
            _ if text.is_ascii() => text.len(),
            Kind::Ascii | Kind::Latin1 | Kind::Single(_) | Kind::Oem(..) => text.chars().count(),
            Kind::Double(_) | Kind::Multi(_) => {
                let mut out = Vec::with_capacity(text.len());
                self.encode(text, &mut out);
                out.len()
            }
        }
    }

    /// The bytes of the longest start of a text, in whole characters, that takes at most `limit` bytes in this code page.
    pub fn prefix(&self, text: &str, limit: usize) -> usize {
        let mut used = 0;
        let mut buffer = Vec::new();
        for (at, c) in text.char_indices() {
            used += match self.kind {
                Kind::Utf8 => c.len_utf8(),
                Kind::Utf16Le | Kind::Utf16Be => 2 * c.len_utf16(),
                _ if c.is_ascii() || self.is_single_byte() => 1,
                _ => {
                    buffer.clear();
                    self.encode(c.encode_utf8(&mut [0; 4]), &mut buffer);
                    buffer.len()
                }
            };
            if used > limit {
                return at;
            }
        }
        text.len()
    }

    /// The text as it comes out of this code page again: itself, or with `?` for what the code page lacks.
    pub fn round_trip<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut bytes = Vec::new();
        if self.has_all(text, &mut bytes) { Cow::Borrowed(text) } else { Cow::Owned(self.decode(&bytes).into_owned()) }
    }
}

fn encode_with(encoding: &'static Encoding, text: &str, out: &mut Vec<u8>) -> bool {
    let mut encoder = encoding.new_encoder();
    let mut rest = text;
    let mut all = true;
    loop {
        let needed = encoder.max_buffer_length_from_utf8_without_replacement(rest.len()).unwrap_or(rest.len() * 4 + 16);
        out.reserve(needed);
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, out, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return all,
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(_) => {
                all = false;
                out.push(SUBSTITUTE);
            }
        }
    }
}

fn decode_utf16(bytes: &[u8], unit: impl Fn([u8; 2]) -> u16) -> String {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text: String =
        char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).map(|c| c.unwrap_or('\u{fffd}')).collect();
    if !rest.is_empty() {
        text.push('\u{fffd}');
    }
    text
}

/// UTF-16 code units of a text: the length of a DT_WSTR.
#[inline]
pub fn utf16_len(text: &str) -> usize {
    // Every character starts with a byte that is no continuation, and those of four bytes take two units.
    text.bytes().map(|b| (b as i8 >= -0x40) as usize + (b >= 0xF0) as usize).sum()
}

/// The bytes of the longest start of a text that takes at most `limit` UTF-16 code units. A character of two units is
/// never cut in half.
pub fn utf16_prefix(text: &str, limit: usize) -> usize {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += c.len_utf16();
        if used > limit {
            return at;
        }
    }
    text.len()
}

/// Whether this build has a code page.
pub fn supported(number: u32) -> bool {
    CodePage::of(number).is_some()
}

/// Whether every character of a code page takes one byte.
pub fn is_single_byte(number: u32) -> bool {
    CodePage::of(number).is_some_and(|page| page.is_single_byte())
}

/// Appends a text in a code page; see [`CodePage::encode`].
///
/// # Errors
/// As [`CodePage::require`].
pub fn encode(text: &str, number: u32, out: &mut Vec<u8>) -> Result<()> {
    CodePage::require(number)?.encode(text, out);
    Ok(())
}

/// Bytes in a code page to text; see [`CodePage::decode`].
///
/// # Errors
/// As [`CodePage::require`].
pub fn decode(bytes: &[u8], number: u32) -> Result<Cow<'_, str>> {
    Ok(CodePage::require(number)?.decode(bytes))
}

/// The bytes that a text takes in a code page.
///
/// # Errors
/// As [`CodePage::require`].
pub fn encoded_len(text: &str, number: u32) -> Result<usize> {
    Ok(CodePage::require(number)?.encoded_len(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32) -> CodePage {
        CodePage::of(number).unwrap()
    }

    #[test]
    fn texts_in_many_code_pages() {
        for (number, text, bytes) in [
            (1252, "äöü€", &[0xe4, 0xf6, 0xfc, 0x80][..]),
            (0, "ä", &[0xe4]),
            (1250, "ł", &[0xb3]),
            (1251, "Жы", &[0xc6, 0xfb]),
            (1254, "ğ", &[0xf0]),
            (28591, "ä\u{80}", &[0xe4, 0x80]),
            (28605, "€", &[0xa4]),
            (437, "é", &[0x82]),
            (850, "ø", &[0x9b]),
            (852, "ł", &[0x88]),
            (866, "Ж", &[0x86]),
            (874, "ก", &[0xa1]),
            (20866, "ж", &[0xd6]),
            (932, "あｱ", &[0x82, 0xa0, 0xb1]),
            (936, "中€", &[0xd6, 0xd0, 0x80]),
            (949, "한", &[0xc7, 0xd1]),
            (950, "中", &[0xa4, 0xa4]),
            (54936, "中\u{1F600}", &[0xd6, 0xd0, 0x94, 0x39, 0xfc, 0x36]),
            (65001, "ä中", &[0xc3, 0xa4, 0xe4, 0xb8, 0xad]),
            (1200, "a\u{1F600}", &[0x61, 0, 0x3d, 0xd8, 0, 0xde]),
            (1201, "aä", &[0, 0x61, 0, 0xe4]),
            (20127, "abc", b"abc"),
        ] {
            let mut out = Vec::new();
            assert!(page(number).encode(text, &mut out), "{number}");
            assert_eq!(out, bytes, "{number}");
            assert_eq!(page(number).decode(bytes), text, "{number}");
            assert_eq!(page(number).encoded_len(text), bytes.len(), "{number}");
            assert!(page(number).has_all(text, &mut Vec::new()));
        }
    }

    #[test]
    fn what_a_code_page_lacks_becomes_a_question_mark() {
        for (number, text, expected) in [
            (1252, "aЖ中b", "a??b"),
            (437, "Жa", "?a"),
            (20127, "ä", "?"),
            (28591, "€", "?"),
            (932, "\u{1F600}x", "?x"),
            (936, "\u{1F600}x", "?x"),
        ] {
            assert_eq!(page(number).round_trip(text), expected, "{number}");
            assert_eq!(page(number).encoded_len(text), expected.len(), "{number}");
        }
        assert!(matches!(page(1252).round_trip("äöü"), Cow::Borrowed(_)));
    }

    #[test]
    fn malformed_bytes_do_not_stop_a_decoder() {
        assert_eq!(page(65001).decode(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(page(20127).decode(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(page(1200).decode(&[0x61, 0, 0x3d]), "a\u{fffd}");
        assert_eq!(page(1200).decode(&[0x3d, 0xd8, 0x61, 0]), "\u{fffd}a");
        assert!(page(932).decode(&[0x82]).contains('\u{fffd}'));
        for number in [437, 850, 857, 866, 874, 1250, 1253, 1255, 10000, 20866, 28592, 28596] {
            let all: Vec<u8> = (0..=255).collect();
            assert_eq!(page(number).decode(&all).chars().count(), 256, "{number}");
        }
    }

    #[test]
    fn kinds() {
        assert!(is_single_byte(1252) && is_single_byte(850) && is_single_byte(28605) && is_single_byte(20127));
        assert!(!is_single_byte(932) && !is_single_byte(65001) && !is_single_byte(1200));
        for unsupported in [65000, 37, 500, 1, 99_999, u32::MAX] {
            assert!(!supported(unsupported), "{unsupported}");
        }
        let error = encode("a", 65000, &mut Vec::new()).unwrap_err();
        assert_eq!(
            (error.owner(), error.message()),
            (Owner::Unsupported, "code page 65000 is not supported in this build")
        );
        assert_eq!(page(0), page(1252));
    }

    #[test]
    fn lengths_and_prefixes() {
        assert_eq!(utf16_len("aä中\u{1F600}"), 5);
        assert_eq!(utf16_prefix("aä中\u{1F600}b", 4), 6);
        assert_eq!(utf16_prefix("aä中\u{1F600}b", 5), 10);
        assert_eq!(utf16_prefix("ab", 0), 0);
        for (number, text, limit, expected) in [
            (1252, "äöü", 2, "äö"),
            (65001, "äöü", 3, "ä"),
            (932, "あいう", 5, "あい"),
            (932, "aｱあ", 3, "aｱ"),
            (936, "a中", 2, "a"),
            (54936, "\u{1F600}", 3, ""),
            (1200, "ab", 3, "a"),
            (1252, "ab", 9, "ab"),
        ] {
            assert_eq!(&text[..page(number).prefix(text, limit)], expected, "{number} {text}");
        }
    }
}
