//! Characters that stand in several forms: wide and narrow, hiragana and katakana.

use super::{IGNORE_KANA_TYPE, IGNORE_WIDTH};

/// The wide forms of the narrow katakana U+FF61..U+FF9F.
const WIDE: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン\u{3099}\u{309A}";

/// Whether the character has other forms that flags can make equal to it.
pub(super) fn has_forms(c: char) -> bool {
    is_wide(c) || is_narrow(c) || is_kana(c)
}

fn is_wide(c: char) -> bool {
    matches!(c, '\u{3000}' | '\u{FF01}'..='\u{FF5E}')
}

fn is_narrow(c: char) -> bool {
    matches!(c, '\u{FF61}'..='\u{FF9F}')
}

fn is_katakana(c: char) -> bool {
    matches!(c, '\u{30A1}'..='\u{30F6}' | '\u{30FD}' | '\u{30FE}') || matches!(c, '\u{FF66}'..='\u{FF9D}')
}

fn is_kana(c: char) -> bool {
    is_katakana(c) || matches!(c, '\u{3041}'..='\u{3096}' | '\u{309D}' | '\u{309E}')
}

/// The character that stands for all forms that the flags make equal.
pub(super) fn fold(c: char, flags: u32) -> char {
    let c = if flags & IGNORE_WIDTH != 0 { folded_width(c) } else { c };
    match c {
        '\u{30A1}'..='\u{30F6}' | '\u{30FD}' | '\u{30FE}' if flags & IGNORE_KANA_TYPE != 0 => {
            char::from_u32(c as u32 - 0x60).unwrap_or(c)
        }
        c => c,
    }
}

fn folded_width(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        '\u{FF61}'..='\u{FF9F}' => WIDE.chars().nth(c as usize - 0xFF61).unwrap_or(c),
        c => c,
    }
}

/// The form of most characters.
pub(super) const PLAIN: u8 = 2;

/// Which form it is, as far as the flags let that count.
pub(super) fn form(c: char, flags: u32) -> u8 {
    let katakana = flags & IGNORE_KANA_TYPE == 0 && is_katakana(c);
    let other_width = flags & IGNORE_WIDTH == 0 && (is_wide(c) || is_narrow(c));
    PLAIN + u8::from(katakana) + 2 * u8::from(other_width)
}
