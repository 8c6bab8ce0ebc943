//! Windows locale identifiers as language tags with a collation type.

use icu_locale_core::Locale;

/// The locale whose collation is that of an LCID; None: the root collation.
///
/// Windows has one table for all scripts and adds to it by language; Unicode also moves the script of some languages
/// (Russian, Greek, Hebrew …) before Latin, which Windows does not: those take the root collation, which has their
/// letters in the right order (unconfirmed for each of them).
pub(super) fn locale(lcid: u32) -> Option<Locale> {
    Locale::try_from_str(tag(lcid)?).ok()
}

fn tag(lcid: u32) -> Option<&'static str> {
    // A sort of its own, in the bits above 16.
    let special = match lcid {
        0x0001_0407 => Some("de-u-co-phonebk"),
        0x0002_0804 | 0x0002_1004 | 0x0002_1404 => Some("zh-u-co-stroke"),
        0x0003_0404 => Some("zh-Hant-u-co-zhuyin"),
        0x0004_0411 => Some("ja-u-co-unihan"),
        0x0404 | 0x0C04 | 0x1404 => Some("zh-Hant-u-co-stroke"),
        0x040A => Some("es-u-co-trad"),
        0x0C0C => Some("fr-CA"),
        0x141A | 0x201A => Some("bs"),
        _ => None,
    };
    special.or_else(|| language(lcid & 0x3FF))
}

fn language(primary: u32) -> Option<&'static str> {
    Some(match primary {
        0x02 => "bg",
        0x03 => "ca",
        0x04 => "zh",
        0x05 => "cs",
        0x06 => "da",
        0x07 => "de",
        0x09 => "en",
        0x0A => "es",
        0x0B => "fi",
        0x0C => "fr",
        0x0E => "hu",
        0x0F => "is",
        0x10 => "it",
        0x11 => "ja",
        0x12 => "ko",
        0x13 => "nl",
        0x14 => "nb",
        0x15 => "pl",
        0x16 => "pt",
        0x18 => "ro",
        0x1A => "hr",
        0x1B => "sk",
        0x1C => "sq",
        0x1D => "sv",
        0x1E => "th",
        0x1F => "tr",
        0x20 => "ur",
        0x24 => "sl",
        0x25 => "et",
        0x26 => "lv",
        0x27 => "lt",
        0x29 => "fa",
        0x2A => "vi",
        0x2C => "az",
        0x2E => "hsb",
        0x36 => "af",
        0x38 => "fo",
        0x39 => "hi",
        0x3A => "mt",
        0x45 => "bn",
        0x46 => "pa",
        0x47 => "gu",
        0x49 => "ta",
        0x4A => "te",
        0x4B => "kn",
        0x4C => "ml",
        0x4E => "mr",
        0x52 => "cy",
        0x56 => "gl",
        0x5B => "si",
        _ => return None,
    })
}
