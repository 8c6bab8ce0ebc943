//! Bytes to text and back: UTF-8 and UTF-16 with and without marks, and other encodings by their declaration.

use encoding_rs::{UTF_16BE, UTF_16LE};

use crate::error::{Fault, LoadError, Result};
use crate::model::Encoding;

/// How far into a file the XML declaration is looked for.
const DECLARATION_REACH: usize = 256;

/// Decodes a file.
pub(super) fn decode(bytes: Vec<u8>) -> Result<(String, Encoding)> {
    match bytes.as_slice() {
        [0xEF, 0xBB, 0xBF, ..] => Ok((utf8(bytes, 3)?, Encoding::Utf8Mark)),
        [0xFF, 0xFE, ..] => Ok((utf16(&bytes[2..], UTF_16LE)?, Encoding::Utf16LittleMark)),
        [0xFE, 0xFF, ..] => Ok((utf16(&bytes[2..], UTF_16BE)?, Encoding::Utf16BigMark)),
        [b'<', 0, ..] => Ok((utf16(&bytes, UTF_16LE)?, Encoding::Utf16LittleMark)),
        [0, b'<', ..] => Ok((utf16(&bytes, UTF_16BE)?, Encoding::Utf16BigMark)),
        _ => match declared_encoding(&bytes) {
            // An 8-bit file that calls itself UTF-16 was transcoded on its way; its bytes say what it is.
            None => Ok((utf8(bytes, 0)?, Encoding::Utf8)),
            Some(encoding) => {
                let (text, malformed) = encoding.decode_without_bom_handling(&bytes);
                match malformed {
                    true => Err(undecodable(encoding.name(), 0)),
                    false => Ok((text.into_owned(), Encoding::Utf8)),
                }
            }
        },
    }
}

fn utf8(mut bytes: Vec<u8>, mark: usize) -> Result<String> {
    bytes.drain(..mark);
    String::from_utf8(bytes).map_err(|error| undecodable("UTF-8", error.utf8_error().valid_up_to()))
}

fn utf16(bytes: &[u8], encoding: &'static encoding_rs::Encoding) -> Result<String> {
    let (text, malformed) = encoding.decode_without_bom_handling(bytes);
    match malformed {
        true => Err(undecodable(encoding.name(), 0)),
        false => Ok(text.into_owned()),
    }
}

fn undecodable(encoding: &str, at: usize) -> Box<LoadError> {
    let place = if at == 0 { String::new() } else { format!(" at byte {at}") };
    LoadError::new(Fault::LoadPackageXml, format!("the bytes of the file are not valid {encoding}{place}"))
}

/// The 8-bit encoding that the XML declaration names, if it is neither UTF-8 nor UTF-16.
fn declared_encoding(bytes: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let head = &bytes[..bytes.len().min(DECLARATION_REACH)];
    let head = &head[..head.iter().position(|byte| *byte == b'>')?];
    let head = std::str::from_utf8(head).ok()?.strip_prefix("<?xml")?;
    let value = head.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    let label = value[1..].split(quote).next()?;
    let encoding = encoding_rs::Encoding::for_label(label.as_bytes())?;
    let is_unicode = [encoding_rs::UTF_8, UTF_16LE, UTF_16BE].contains(&encoding);
    (!is_unicode).then_some(encoding)
}

/// Encodes a text with the marks of its encoding.
pub(super) fn encode(text: &str, encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf8Mark => [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
        Encoding::Utf16LittleMark => {
            [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
        }
        Encoding::Utf16BigMark => [0xFEFF].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_comes_back() {
        let text = "<?xml version=\"1.0\"?><a b=\"ä€😀\"/>";
        for encoding in [Encoding::Utf8, Encoding::Utf8Mark, Encoding::Utf16LittleMark, Encoding::Utf16BigMark] {
            assert_eq!(decode(encode(text, encoding)).unwrap(), (text.to_owned(), encoding));
        }
        let unmarked: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(decode(unmarked).unwrap().0, text);
    }

    #[test]
    fn declared_encodings_are_obeyed() {
        let bytes = b"<?xml version='1.0' encoding='windows-1252'?><a b='\xE4'/>".to_vec();
        assert!(decode(bytes).unwrap().0.contains('ä'));
        let bytes = b"<?xml version=\"1.0\" encoding=\"utf-16\"?><a/>".to_vec();
        assert!(decode(bytes).is_ok(), "an 8-bit file that calls itself UTF-16");
        let error = decode(b"<a b='\xFF\xFF'/>".to_vec()).unwrap_err();
        assert_eq!(error.code, 0xC001_1003);
    }
}
