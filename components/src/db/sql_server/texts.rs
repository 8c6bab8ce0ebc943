//! Texts and bytes on their way into columns of views: what is turned into UTF-8 is written where it stays.

use super::types::Coding;
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

/// What stands before text in UTF-16, if anything does.
const MARK: [u8; 2] = [0xff, 0xfe];

/// Appends text in UTF-16 as UTF-8. Halves of pairs that stand alone become U+FFFD.
#[inline]
fn push_wide(bytes: &[u8], out: &mut Vec<u8>) {
    const STEP: usize = 8;
    let mut rest = bytes;
    out.reserve(bytes.len() / 2);
    // ASCII, eight characters at a time.
    while let Some((chunk, after)) = rest.split_first_chunk::<{ 2 * STEP }>() {
        let (mut narrow, mut all) = ([0_u8; STEP], 0_u16);
        for (to, pair) in narrow.iter_mut().zip(chunk.chunks_exact(2)) {
            let unit = u16::from_le_bytes([pair[0], pair[1]]);
            all |= unit;
            *to = unit as u8;
        }
        if all >= 0x80 {
            break;
        }
        out.extend_from_slice(&narrow);
        rest = after;
    }
    let units = rest.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    for c in char::decode_utf16(units) {
        let c = c.unwrap_or('\u{fffd}');
        match u8::try_from(c) {
            Ok(byte @ 0..=0x7f) => out.push(byte),
            _ => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

/// Appends text as UTF-8.
#[inline]
pub(super) fn push_text(bytes: &[u8], coding: Coding, out: &mut Vec<u8>) {
    match coding {
        Coding::Wide => push_wide(bytes, out),
        Coding::Marked => push_wide(bytes.strip_prefix(&MARK).unwrap_or(bytes), out),
        Coding::Narrow(_) if bytes.is_ascii() => out.extend_from_slice(bytes),
        Coding::Narrow(page) => out.extend_from_slice(page.decode(bytes).as_bytes()),
    }
}

/// Values of different lengths: views into the bytes of all of them.
#[derive(Default)]
pub(super) struct Views {
    views: Vec<u128>,
    nulls: Vec<bool>,
    pub(super) bytes: Vec<u8>,
    any_null: bool,
}

impl Views {
    pub(super) fn with_capacity(rows: usize) -> Views {
        Views { views: Vec::with_capacity(rows), nulls: Vec::with_capacity(rows), ..Views::default() }
    }

    /// Ends a value that begins at `from`.
    #[inline]
    pub(super) fn end(&mut self, from: usize) {
        self.views.push(arrow::array::make_view(&self.bytes[from..], 0, from as u32));
        self.nulls.push(true);
    }

    pub(super) fn null(&mut self) {
        self.views.push(0);
        self.nulls.push(false);
        self.any_null = true;
    }

    pub(super) fn parts(self) -> (ScalarBuffer<u128>, Vec<Buffer>, Option<NullBuffer>) {
        let nulls = self.any_null.then(|| NullBuffer::from(self.nulls));
        (ScalarBuffer::from(self.views), vec![Buffer::from_vec(self.bytes)], nulls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_pairs_and_marks() {
        for (bytes, coding, expected) in [
            (&[0x41, 0, 0x3d, 0xd8][..], Coding::Wide, "A\u{fffd}"),
            (&[0xff, 0xfe, 0x41, 0], Coding::Marked, "A"),
            (&[0x41, 0], Coding::Marked, "A"),
            (&[0xff, 0xfe, 0x41, 0], Coding::Wide, "\u{feff}A"),
            (&[0x41, 0, 0x42], Coding::Wide, "A"),
        ] {
            let mut out = Vec::new();
            push_text(bytes, coding, &mut out);
            assert_eq!(out, expected.as_bytes(), "{bytes:?}");
        }
    }
}
