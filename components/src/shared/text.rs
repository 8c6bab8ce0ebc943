//! The text of files: what the bytes of a block mean, and streams that are transcoded as they are read.

use crate::connections::flat_file::{Encoding, FlatFileFormat};
use dtsx_engine::diag::{Error, Owner, Result};
use dtsx_engine::types::code_page::CodePage;

/// What the bytes that the splitter sees are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TextForm {
    /// UTF-8 as it stands in the file.
    Utf8,
    /// The bytes of a code page in which ASCII is ASCII.
    Page(CodePage),
    /// UTF-8, transcoded from this while it is read.
    Stream(&'static encoding_rs::Encoding),
}

impl TextForm {
    /// The form for a format. Code pages of several bytes a character are transcoded as they are read, as their second
    /// bytes may look like delimiters; unless columns have widths, which count bytes of the code page.
    ///
    /// # Errors
    /// A code page that this build has not.
    pub(crate) fn of(format: &FlatFileFormat) -> Result<TextForm> {
        let number = match format.encoding {
            Encoding::Utf16 => return Ok(TextForm::Stream(encoding_rs::UTF_16LE)),
            Encoding::CodePage(65001) => return Ok(TextForm::Utf8),
            Encoding::CodePage(number) => number,
        };
        let page = CodePage::require(number)?;
        if page.is_single_byte() || !format.is_delimited() {
            return Ok(TextForm::Page(page));
        }
        let encoding = match number {
            932 => encoding_rs::SHIFT_JIS,
            936 => encoding_rs::GBK,
            949 => encoding_rs::EUC_KR,
            950 => encoding_rs::BIG5,
            51932 => encoding_rs::EUC_JP,
            54936 => encoding_rs::GB18030,
            1200 => encoding_rs::UTF_16LE,
            1201 => encoding_rs::UTF_16BE,
            _ => {
                let text = format!("delimited files in code page {number} are not supported in this build");
                return Err(Error::new(Owner::Unsupported, None, text));
            }
        };
        Ok(TextForm::Stream(encoding))
    }

    /// Text in this form.
    pub(crate) fn encode(&self, text: &str) -> Vec<u8> {
        match self {
            TextForm::Utf8 | TextForm::Stream(_) => text.as_bytes().to_vec(),
            TextForm::Page(page) => {
                let mut out = Vec::new();
                page.encode(text, &mut out);
                out
            }
        }
    }

    /// Whether the bytes are UTF-8 (or should be).
    pub(crate) fn is_utf8(&self) -> bool {
        !matches!(self, TextForm::Page(_))
    }

    /// Whether the file itself is UTF-8, perhaps with a byte order mark.
    pub(crate) fn is_utf8_file(&self) -> bool {
        matches!(self, TextForm::Utf8)
    }

    /// Text from this form; malformed input becomes U+FFFD.
    pub(crate) fn decode<'a>(&self, bytes: &'a [u8]) -> std::borrow::Cow<'a, str> {
        match self {
            TextForm::Utf8 | TextForm::Stream(_) => String::from_utf8_lossy(bytes),
            TextForm::Page(page) => page.decode(bytes),
        }
    }

    /// What transcodes the file as it is read, if something must.
    pub(crate) fn stream_decoder(&self) -> Option<StreamDecoder> {
        match self {
            TextForm::Stream(encoding) => Some(StreamDecoder { decoder: encoding.new_decoder_with_bom_removal() }),
            _ => None,
        }
    }
}

/// Transcodes a file to UTF-8, piece by piece; characters may be cut between pieces.
pub(crate) struct StreamDecoder {
    decoder: encoding_rs::Decoder,
}

impl StreamDecoder {
    /// Appends the text of `raw` to `out`; malformed input becomes U+FFFD.
    pub(crate) fn decode(&mut self, raw: &[u8], last: bool, out: &mut Vec<u8>) {
        let mut rest = raw;
        loop {
            let needed = self.decoder.max_utf8_buffer_length(rest.len()).unwrap_or(rest.len() * 3 + 16);
            let start = out.len();
            out.resize(start + needed, 0);
            let (result, read, written, _) = self.decoder.decode_to_utf8(rest, &mut out[start..], last);
            out.truncate(start + written);
            rest = &rest[read..];
            if result == encoding_rs::CoderResult::InputEmpty {
                return;
            }
        }
    }
}
