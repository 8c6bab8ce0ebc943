//! What MapFlags do to a text.

use dtsx_engine::diag::{Code, codes};

const LOWERCASE: u32 = 0x100;
const UPPERCASE: u32 = 0x200;
const BYTE_REVERSAL: u32 = 0x800;
const HIRAGANA: u32 = 0x10_0000;
const KATAKANA: u32 = 0x20_0000;
const HALF_WIDTH: u32 = 0x40_0000;
const FULL_WIDTH: u32 = 0x80_0000;
const LINGUISTIC: u32 = 0x100_0000;
const SIMPLIFIED_CHINESE: u32 = 0x200_0000;
const TRADITIONAL_CHINESE: u32 = 0x400_0000;

const CASE: u32 = LOWERCASE | UPPERCASE;
const JAPANESE: u32 = HIRAGANA | KATAKANA | HALF_WIDTH | FULL_WIDTH;
const CHINESE: u32 = SIMPLIFIED_CHINESE | TRADITIONAL_CHINESE;

/// Flags that exclude each other: both masks hit is the error.
const CONFLICTS: [(u32, u32, Code); 7] = [
    (LOWERCASE, UPPERCASE, codes::DTS_E_TXCHARMAP_CANTBOTHCASE),
    (HIRAGANA, KATAKANA, codes::DTS_E_TXCHARMAP_CANTKATAKANAHIRAGANA),
    (HALF_WIDTH, FULL_WIDTH, codes::DTS_E_TXCHARMAP_CANTFULLHALF),
    (SIMPLIFIED_CHINESE, TRADITIONAL_CHINESE, codes::DTS_E_TXCHARMAP_CANTSIMPLECOMPLEX),
    (JAPANESE, CHINESE, codes::DTS_E_TXCHARMAP_CANTCHINAJAPAN),
    (CASE, CHINESE, codes::DTS_E_TXCHARMAP_CANTCASECHINESE),
    (CASE, JAPANESE, codes::DTS_E_TXCHARMAP_CANTCASEJAPANESE),
];

/// Why flags make no mapping.
#[derive(Debug, PartialEq)]
pub(super) enum Unmappable {
    /// They exclude each other.
    Conflict(Code),
    /// This build does not have it.
    Unsupported(&'static str),
}

/// A mapping of texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mapping {
    flags: u32,
    /// Whether i has a dot in upper case (linguistic casing in Turkish and Azeri).
    dotted: bool,
}

impl Mapping {
    /// The mapping of LCMapString's `flags` in a locale.
    pub(super) fn of(flags: u32, lcid: u32) -> Result<Mapping, Unmappable> {
        if let Some((_, _, code)) = CONFLICTS.iter().find(|(a, b, _)| flags & a != 0 && flags & b != 0) {
            return Err(Unmappable::Conflict(*code));
        }
        if flags & LINGUISTIC != 0 && (flags & CASE == 0 || flags & !(CASE | LINGUISTIC) != 0) {
            return Err(Unmappable::Conflict(codes::DTS_E_TXCHARMAP_CANTLINGUISTIC));
        }
        if flags & CHINESE != 0 {
            return Err(Unmappable::Unsupported("the mapping between simplified and traditional Chinese"));
        }
        // A byte-reversed text is in general no text: half a surrogate pair cannot be held.
        if flags & BYTE_REVERSAL != 0 {
            return Err(Unmappable::Unsupported("byte reversal"));
        }
        if flags & !(CASE | JAPANESE | LINGUISTIC) != 0 {
            return Err(Unmappable::Unsupported("an unknown flag"));
        }
        // The primary languages of Turkish and Azeri.
        Ok(Mapping { flags, dotted: flags & LINGUISTIC != 0 && matches!(lcid & 0x3FF, 0x1F | 0x2C) })
    }

    /// Whether a mapped text has as many UTF-16 units as before.
    pub(super) fn keeps_length(&self) -> bool {
        self.flags & (HALF_WIDTH | FULL_WIDTH) == 0
    }

    /// The mapped text; `scratch` is used to make it.
    pub(super) fn map<'a>(&self, text: &'a str, scratch: &'a mut String) -> &'a str {
        if self.flags & (CASE | JAPANESE) == 0 {
            return text;
        }
        scratch.clear();
        if text.is_ascii() && !self.dotted && self.flags & FULL_WIDTH == 0 {
            scratch.push_str(text);
            match self.flags & CASE {
                UPPERCASE => scratch.make_ascii_uppercase(),
                LOWERCASE => scratch.make_ascii_lowercase(),
                _ => {}
            }
            return scratch;
        }
        for c in text.chars() {
            let c = self.kana(c);
            match self.flags & (CASE | HALF_WIDTH | FULL_WIDTH) {
                UPPERCASE => scratch.push(self.upper(c)),
                LOWERCASE => scratch.push(self.lower(c)),
                HALF_WIDTH => half_width(c, scratch),
                FULL_WIDTH => full_width(c, scratch),
                _ => scratch.push(c),
            }
        }
        scratch
    }

    fn kana(&self, c: char) -> char {
        let moved = match c {
            'ァ'..='ヶ' | 'ヽ' | 'ヾ' if self.flags & HIRAGANA != 0 => u32::from(c) - 0x60,
            'ぁ'..='ゖ' | 'ゝ' | 'ゞ' if self.flags & KATAKANA != 0 => u32::from(c) + 0x60,
            _ => return c,
        };
        char::from_u32(moved).unwrap_or(c)
    }

    fn upper(&self, c: char) -> char {
        if self.dotted && c == 'i' { 'İ' } else { only(c, c.to_uppercase()) }
    }

    fn lower(&self, c: char) -> char {
        if self.dotted && matches!(c, 'I' | 'İ') {
            return if c == 'I' { 'ı' } else { 'i' };
        }
        only(c, c.to_lowercase())
    }
}

/// The other case of a character, if that is one character of the same size; ß has none, as in Windows.
fn only(c: char, mut other: impl Iterator<Item = char>) -> char {
    match (other.next(), other.next()) {
        (Some(other), None) if other.len_utf16() == c.len_utf16() => other,
        _ => c,
    }
}

/// The full forms of the half-width U+FF61 … U+FF9F.
const KANA: &str = "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワン゛゜";
const HALF_KANA: u32 = 0xFF61;
const VOICED: char = 'ﾞ';
const HALF_VOICED: char = 'ﾟ';

/// Other characters with a half and a full form.
const SIGNS: [(char, char); 8] =
    [(' ', '\u{3000}'), ('¢', '￠'), ('£', '￡'), ('¬', '￢'), ('¯', '￣'), ('¦', '￤'), ('¥', '￥'), ('₩', '￦')];

fn half_width(c: char, out: &mut String) {
    if let '！'..='～' = c {
        out.extend(char::from_u32(u32::from(c) - 0xFEE0));
        return;
    }
    if let Some((half, _)) = SIGNS.iter().find(|(_, full)| *full == c) {
        return out.push(*half);
    }
    let (base, mark) = unvoiced(c);
    let Some(place) = KANA.chars().position(|full| full == base) else { return out.push(c) };
    out.extend(char::from_u32(HALF_KANA + place as u32));
    out.extend(mark);
}

/// A half-width voicing mark joins the character before it, if that has a voiced form (unconfirmed).
fn full_width(c: char, out: &mut String) {
    if let VOICED | HALF_VOICED = c
        && let Some(last) = out.pop()
    {
        match voiced(last, c) {
            Some(joined) => return out.push(joined),
            None => out.push(last),
        }
    }
    let full = match c {
        '!'..='~' => char::from_u32(u32::from(c) + 0xFEE0),
        '\u{FF61}'..='\u{FF9F}' => KANA.chars().nth((u32::from(c) - HALF_KANA) as usize),
        _ => SIGNS.iter().find(|(half, _)| *half == c).map(|(_, full)| *full),
    };
    out.push(full.unwrap_or(c));
}

/// A katakana with its voicing mark.
fn voiced(base: char, mark: char) -> Option<char> {
    let step = match (base, mark) {
        ('ウ', VOICED) => return Some('ヴ'),
        ('カ'..='ト' | 'ハ'..='ホ', VOICED) => 1,
        ('ハ'..='ホ', HALF_VOICED) => 2,
        _ => return None,
    };
    let joined = char::from_u32(u32::from(base) + step)?;
    (unvoiced(joined) == (base, Some(mark))).then_some(joined)
}

/// A katakana without its voicing mark, and the half-width mark.
fn unvoiced(c: char) -> (char, Option<char>) {
    let (step, mark) = match c {
        'ヴ' => return ('ウ', Some(VOICED)),
        'ガ' | 'ギ' | 'グ' | 'ゲ' | 'ゴ' | 'ザ' | 'ジ' | 'ズ' | 'ゼ' | 'ゾ' | 'ダ' | 'ヂ' | 'ヅ' | 'デ' | 'ド'
        | 'バ' | 'ビ' | 'ブ' | 'ベ' | 'ボ' => (1, VOICED),
        'パ' | 'ピ' | 'プ' | 'ペ' | 'ポ' => (2, HALF_VOICED),
        _ => return (c, None),
    };
    (char::from_u32(u32::from(c) - step).unwrap_or(c), Some(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_mapped() {
        const ENGLISH: u32 = 1033;
        const TURKISH: u32 = 1055;
        for (flags, lcid, from, to) in [
            (0, ENGLISH, "aBc", "aBc"),
            (UPPERCASE, ENGLISH, "title Case 1", "TITLE CASE 1"),
            (UPPERCASE, ENGLISH, "straße émile ÿ", "STRAßE ÉMILE Ÿ"),
            (LOWERCASE, ENGLISH, "ÀÉ İstanbul", "àé İstanbul"),
            (UPPERCASE, TURKISH, "iı", "II"),
            (UPPERCASE | LINGUISTIC, TURKISH, "iı", "İI"),
            (LOWERCASE | LINGUISTIC, TURKISH, "İI", "iı"),
            (UPPERCASE | LINGUISTIC, ENGLISH, "iı", "II"),
            (HIRAGANA, ENGLISH, "カタカナ ヴ ー a", "かたかな ゔ ー a"),
            (KATAKANA, ENGLISH, "ひらがな", "ヒラガナ"),
            (HALF_WIDTH, ENGLISH, "ＡＢＣ　１２！ガパヴー。", "ABC 12!ｶﾞﾊﾟｳﾞｰ｡"),
            (FULL_WIDTH, ENGLISH, "ABC 12!ｶﾞﾊﾟｳﾞｰ｡ｱﾞ", "ＡＢＣ　１２！ガパヴー。ア゛"),
            (FULL_WIDTH, ENGLISH, "ﾞ", "゛"),
            (HIRAGANA | HALF_WIDTH, ENGLISH, "Ａア", "Aあ"),
            (KATAKANA | HALF_WIDTH, ENGLISH, "あ", "ｱ"),
        ] {
            let mapping = Mapping::of(flags, lcid).unwrap();
            assert_eq!(mapping.map(from, &mut String::new()), to, "{flags:#X} {from}");
        }
    }

    #[test]
    fn every_voiced_katakana_goes_and_comes_back() {
        for c in 'ァ'..='ヶ' {
            if let (base, Some(mark)) = unvoiced(c) {
                assert_eq!(voiced(base, mark), Some(c));
            }
        }
        assert_eq!(voiced('ナ', VOICED), None);
        assert_eq!(voiced('ッ', VOICED), None);
    }

    #[test]
    fn flags_that_exclude_each_other() {
        for (flags, code) in [
            (LOWERCASE | UPPERCASE, codes::DTS_E_TXCHARMAP_CANTBOTHCASE),
            (HIRAGANA | KATAKANA, codes::DTS_E_TXCHARMAP_CANTKATAKANAHIRAGANA),
            (HALF_WIDTH | FULL_WIDTH, codes::DTS_E_TXCHARMAP_CANTFULLHALF),
            (UPPERCASE | KATAKANA, codes::DTS_E_TXCHARMAP_CANTCASEJAPANESE),
            (UPPERCASE | SIMPLIFIED_CHINESE, codes::DTS_E_TXCHARMAP_CANTCASECHINESE),
            (LINGUISTIC, codes::DTS_E_TXCHARMAP_CANTLINGUISTIC),
            (LINGUISTIC | KATAKANA, codes::DTS_E_TXCHARMAP_CANTLINGUISTIC),
        ] {
            assert_eq!(Mapping::of(flags, 1033), Err(Unmappable::Conflict(code)), "{flags:#X}");
        }
        for flags in [TRADITIONAL_CHINESE, BYTE_REVERSAL, 0x400] {
            assert!(matches!(Mapping::of(flags, 1033), Err(Unmappable::Unsupported(_))), "{flags:#X}");
        }
    }
}
