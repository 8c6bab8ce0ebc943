//! From texts to tokens.

/// What is not told apart when texts are compared: bits of the comparison flags of Windows, as packages store them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Folding(u32);

impl Folding {
    const CASE: u32 = 1;
    const NON_SPACE: u32 = 2;
    const KANA: u32 = 0x1_0000;
    const WIDTH: u32 = 0x2_0000;

    /// From FuzzyComparisonFlags; the bits that this build does not know are given back as an error.
    pub(crate) fn of(flags: u32) -> Result<Folding, u32> {
        let unknown = flags & !(Self::CASE | Self::NON_SPACE | Self::KANA | Self::WIDTH);
        if unknown == 0 { Ok(Folding(flags)) } else { Err(unknown) }
    }

    fn has(self, flag: u32) -> bool {
        self.0 & flag != 0
    }

    /// `text` with what is not told apart made the same.
    pub(crate) fn fold(self, text: &str) -> String {
        let mut text = text.to_owned();
        if self.has(Self::WIDTH) {
            text = text.chars().map(narrow).collect();
        }
        if self.has(Self::NON_SPACE) {
            let nfd = icu_normalizer::DecomposingNormalizerBorrowed::new_nfd();
            text = nfd.normalize(&text).chars().filter(|c| !is_mark(*c)).collect();
        }
        if self.has(Self::KANA) {
            text = text.chars().map(hiragana).collect();
        }
        if self.has(Self::CASE) { text.to_lowercase() } else { text }
    }
}

/// A full-width Latin character as the ordinary one.
fn narrow(c: char) -> char {
    match c {
        '\u{3000}' => ' ',
        '\u{FF01}'..='\u{FF5E}' => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
        c => c,
    }
}

/// A katakana character as hiragana.
fn hiragana(c: char) -> char {
    match c {
        '\u{30A1}'..='\u{30F6}' => char::from_u32(c as u32 - 0x60).unwrap_or(c),
        c => c,
    }
}

/// A combining mark of an alphabet.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36F}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}' | '\u{20D0}'..='\u{20FF}')
}

/// Cuts texts into tokens at delimiters.
#[derive(Clone, Debug)]
pub(crate) struct Tokenizer {
    delimiters: Vec<char>,
}

impl Tokenizer {
    /// The characters of `delimiters`; white space always delimits.
    pub(crate) fn new(delimiters: &str) -> Tokenizer {
        Tokenizer { delimiters: delimiters.chars().collect() }
    }

    /// The tokens of a text, folded.
    pub(crate) fn tokens(&self, text: &str, folding: Folding) -> Vec<String> {
        let folded = folding.fold(text);
        let ends = |c: char| c.is_whitespace() || self.delimiters.contains(&c);
        folded.split(ends).filter(|t| !t.is_empty()).map(str::to_owned).collect()
    }
}

/// A property's text without the escapes `_xHHHH_` in which these components store it.
pub(crate) fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("_x") {
        let escape = rest.get(at + 2..at + 6).filter(|_| rest[at + 6..].starts_with('_'));
        let code = escape.and_then(|hex| u32::from_str_radix(hex, 16).ok()).and_then(char::from_u32);
        match code {
            Some(c) => {
                out.push_str(&rest[..at]);
                out.push(c);
                rest = &rest[at + 7..];
            }
            None => {
                out.push_str(&rest[..at + 2]);
                rest = &rest[at + 2..];
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn escapes() {
        assert_eq!(unescaped("_x005B_dbo_x005D_._x005B_T_x_x005D_"), "[dbo].[T_x]");
        assert_eq!(unescaped("a_xyz_x00e9_"), "a_xyzé");
        assert_eq!(unescaped("_x00"), "_x00");
    }

    #[test]
    fn tokens_are_cut_and_folded() {
        let tokenizer = Tokenizer::new(",.");
        let tokens = |text: &str, flags: u32| tokenizer.tokens(text, Folding::of(flags).unwrap()).join("|");
        assert_eq!(tokens(" Boeing, Co. of\tAmerica", 1), "boeing|co|of|america");
        assert_eq!(tokens("Café", 0), "Café");
        assert_eq!(tokens("CAFÉ", 3), "cafe");
        assert_eq!(tokens("ＡＢ　ア", 0x3_0001), "ab|あ");
        assert_eq!(tokens(",,", 1), "");
        assert_eq!(Folding::of(4), Err(4));
    }
}
