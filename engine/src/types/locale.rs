//! What an LCID says about the text form of numbers and dates.

/// The order of day, month and year in a date of digits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DateOrder {
    /// Month, day, year.
    Mdy,
    /// Day, month, year.
    Dmy,
    /// Year, month, day.
    Ymd,
}

/// Text conventions of a locale.
#[derive(Debug)]
pub struct Locale {
    /// The Windows locale identifier.
    pub lcid: u32,
    /// Between integer and fraction.
    pub decimal: u8,
    /// Between groups of three digits; a no-break space also stands for the plain one.
    pub thousands: &'static str,
    /// The currency symbol.
    pub currency: &'static str,
    /// The short date: `d`, `dd`, `M`, `MM`, `yyyy`, anything else as it is.
    pub short_date: &'static str,
    /// The time: `h`, `hh` (12 hours), `H`, `HH`, `mm`, `ss`, `tt` (AM/PM), anything else as it is.
    pub time: &'static str,
    /// Before noon.
    pub am: &'static str,
    /// After noon.
    pub pm: &'static str,
    /// Month names; the first three letters (or more) stand for a name as well, as do the English names.
    pub months: &'static [&'static str; 12],
}

impl Locale {
    /// The locale of an LCID. Sort variants (the bits above 16) do not matter; a locale that the table lacks takes the
    /// conventions of another one of its language, else of English (United States).
    pub fn of(lcid: u32) -> &'static Locale {
        let lcid = lcid & 0xFFFF;
        LOCALES.iter().find(|locale| locale.lcid == lcid).unwrap_or_else(|| fallback(lcid))
    }

    /// Whether the locale, or another one of its language, is in the table.
    pub fn is_known(lcid: u32) -> bool {
        LOCALES.iter().any(|locale| locale.lcid & 0x3FF == lcid & 0x3FF)
    }

    /// The order of the parts of a date.
    pub fn order(&self) -> DateOrder {
        match self.short_date.as_bytes().first() {
            Some(b'd') => DateOrder::Dmy,
            Some(b'y') => DateOrder::Ymd,
            _ => DateOrder::Mdy,
        }
    }

    /// What stands between the parts of a date.
    pub fn date_separator(&self) -> u8 {
        self.short_date.bytes().find(|b| !b.is_ascii_alphabetic()).unwrap_or(b'/')
    }
}

/// A locale that is not in the table: the first of the same language, else English (United States).
fn fallback(lcid: u32) -> &'static Locale {
    LOCALES.iter().find(|locale| locale.lcid & 0x3FF == lcid & 0x3FF && lcid != 0x7F).unwrap_or(&LOCALES[0])
}

const EN: &[&str; 12] = &[
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DE: &[&str; 12] = &[
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];
const FR: &[&str; 12] = &[
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];
const ES: &[&str; 12] = &[
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
];
const IT: &[&str; 12] = &[
    "gennaio",
    "febbraio",
    "marzo",
    "aprile",
    "maggio",
    "giugno",
    "luglio",
    "agosto",
    "settembre",
    "ottobre",
    "novembre",
    "dicembre",
];
const NL: &[&str; 12] = &[
    "januari",
    "februari",
    "maart",
    "april",
    "mei",
    "juni",
    "juli",
    "augustus",
    "september",
    "oktober",
    "november",
    "december",
];
const PT: &[&str; 12] = &[
    "janeiro",
    "fevereiro",
    "março",
    "abril",
    "maio",
    "junho",
    "julho",
    "agosto",
    "setembro",
    "outubro",
    "novembro",
    "dezembro",
];
const PL: &[&str; 12] = &[
    "styczeń",
    "luty",
    "marzec",
    "kwiecień",
    "maj",
    "czerwiec",
    "lipiec",
    "sierpień",
    "wrzesień",
    "październik",
    "listopad",
    "grudzień",
];
const RU: &[&str; 12] = &[
    "Январь",
    "Февраль",
    "Март",
    "Апрель",
    "Май",
    "Июнь",
    "Июль",
    "Август",
    "Сентябрь",
    "Октябрь",
    "Ноябрь",
    "Декабрь",
];
const UK: &[&str; 12] = &[
    "січень",
    "лютий",
    "березень",
    "квітень",
    "травень",
    "червень",
    "липень",
    "серпень",
    "вересень",
    "жовтень",
    "листопад",
    "грудень",
];
const TR: &[&str; 12] =
    &["Ocak", "Şubat", "Mart", "Nisan", "Mayıs", "Haziran", "Temmuz", "Ağustos", "Eylül", "Ekim", "Kasım", "Aralık"];
const CS: &[&str; 12] = &[
    "leden",
    "únor",
    "březen",
    "duben",
    "květen",
    "červen",
    "červenec",
    "srpen",
    "září",
    "říjen",
    "listopad",
    "prosinec",
];
const SV: &[&str; 12] = &[
    "januari",
    "februari",
    "mars",
    "april",
    "maj",
    "juni",
    "juli",
    "augusti",
    "september",
    "oktober",
    "november",
    "december",
];
const DA: &[&str; 12] = &[
    "januar",
    "februar",
    "marts",
    "april",
    "maj",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "december",
];
const NB: &[&str; 12] = &[
    "januar",
    "februar",
    "mars",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "desember",
];
const FI: &[&str; 12] = &[
    "tammikuu",
    "helmikuu",
    "maaliskuu",
    "huhtikuu",
    "toukokuu",
    "kesäkuu",
    "heinäkuu",
    "elokuu",
    "syyskuu",
    "lokakuu",
    "marraskuu",
    "joulukuu",
];
const HU: &[&str; 12] = &[
    "január",
    "február",
    "március",
    "április",
    "május",
    "június",
    "július",
    "augusztus",
    "szeptember",
    "október",
    "november",
    "december",
];
const RO: &[&str; 12] = &[
    "ianuarie",
    "februarie",
    "martie",
    "aprilie",
    "mai",
    "iunie",
    "iulie",
    "august",
    "septembrie",
    "octombrie",
    "noiembrie",
    "decembrie",
];
const EL: &[&str; 12] = &[
    "Ιανουάριος",
    "Φεβρουάριος",
    "Μάρτιος",
    "Απρίλιος",
    "Μάιος",
    "Ιούνιος",
    "Ιούλιος",
    "Αύγουστος",
    "Σεπτέμβριος",
    "Οκτώβριος",
    "Νοέμβριος",
    "Δεκέμβριος",
];
const CJK: &[&str; 12] = &["1月", "2月", "3月", "4月", "5月", "6月", "7月", "8月", "9月", "10月", "11月", "12月"];
const KO: &[&str; 12] = &["1월", "2월", "3월", "4월", "5월", "6월", "7월", "8월", "9월", "10월", "11월", "12월"];

/// Shorthand for a row of [`LOCALES`].
#[expect(clippy::too_many_arguments, reason = "one argument a column of the table")]
const fn row(
    lcid: u32,
    decimal: u8,
    thousands: &'static str,
    currency: &'static str,
    short_date: &'static str,
    time: &'static str,
    am_pm: (&'static str, &'static str),
    months: &'static [&'static str; 12],
) -> Locale {
    Locale { lcid, decimal, thousands, currency, short_date, time, am: am_pm.0, pm: am_pm.1, months }
}

const LATIN: (&str, &str) = ("AM", "PM");
const NONE: (&str, &str) = ("", "");
const NBSP: &str = "\u{a0}";

/// The defaults that Windows has for these locales; the first row of a language also serves its unlisted variants, and
/// the first row serves every unlisted language.
#[rustfmt::skip]
static LOCALES: &[Locale] = &[
    row(1033, b'.', ",", "$", "M/d/yyyy", "h:mm:ss tt", LATIN, EN),            // en-US
    row(127, b'.', ",", "¤", "MM/dd/yyyy", "HH:mm:ss", LATIN, EN),             // invariant
    row(2057, b'.', ",", "£", "dd/MM/yyyy", "HH:mm:ss", LATIN, EN),            // en-GB
    row(3081, b'.', ",", "$", "d/MM/yyyy", "h:mm:ss tt", LATIN, EN),           // en-AU
    row(4105, b'.', ",", "$", "yyyy-MM-dd", "h:mm:ss tt", LATIN, EN),          // en-CA
    row(5129, b'.', ",", "$", "d/MM/yyyy", "h:mm:ss tt", LATIN, EN),           // en-NZ
    row(6153, b'.', ",", "€", "dd/MM/yyyy", "HH:mm:ss", LATIN, EN),            // en-IE
    row(7177, b',', NBSP, "R", "yyyy/MM/dd", "HH:mm:ss", LATIN, EN),           // en-ZA
    row(16393, b'.', ",", "₹", "dd-MM-yyyy", "HH:mm:ss", LATIN, EN),           // en-IN
    row(18441, b'.', ",", "$", "d/M/yyyy", "h:mm:ss tt", LATIN, EN),           // en-SG
    row(1031, b',', ".", "€", "dd.MM.yyyy", "HH:mm:ss", NONE, DE),             // de-DE
    row(2055, b'.', "’", "CHF", "dd.MM.yyyy", "HH:mm:ss", NONE, DE),           // de-CH
    row(3079, b',', NBSP, "€", "dd.MM.yyyy", "HH:mm:ss", NONE, DE),            // de-AT
    row(1036, b',', NBSP, "€", "dd/MM/yyyy", "HH:mm:ss", NONE, FR),            // fr-FR
    row(2060, b',', NBSP, "€", "dd-MM-yy", "HH:mm:ss", NONE, FR),              // fr-BE
    row(3084, b',', NBSP, "$", "yyyy-MM-dd", "HH:mm:ss", NONE, FR),            // fr-CA
    row(4108, b',', NBSP, "CHF", "dd.MM.yyyy", "HH:mm:ss", NONE, FR),          // fr-CH
    row(3082, b',', ".", "€", "dd/MM/yyyy", "H:mm:ss", NONE, ES),              // es-ES
    row(1034, b',', ".", "€", "dd/MM/yyyy", "H:mm:ss", NONE, ES),              // es-ES, traditional sort
    row(2058, b'.', ",", "$", "dd/MM/yyyy", "hh:mm:ss tt", ("a. m.", "p. m."), ES), // es-MX
    row(9226, b',', ".", "$", "d/MM/yyyy", "h:mm:ss tt", ("a. m.", "p. m."), ES),   // es-CO
    row(11274, b',', ".", "$", "d/M/yyyy", "HH:mm:ss", NONE, ES),              // es-AR
    row(13322, b',', ".", "$", "dd-MM-yyyy", "H:mm:ss", NONE, ES),             // es-CL
    row(1040, b',', ".", "€", "dd/MM/yyyy", "HH:mm:ss", NONE, IT),             // it-IT
    row(1043, b',', ".", "€", "d-M-yyyy", "HH:mm:ss", NONE, NL),               // nl-NL
    row(2067, b',', ".", "€", "d/MM/yyyy", "H:mm:ss", NONE, NL),               // nl-BE
    row(1046, b',', ".", "R$", "dd/MM/yyyy", "HH:mm:ss", NONE, PT),            // pt-BR
    row(2070, b',', NBSP, "€", "dd/MM/yyyy", "HH:mm:ss", NONE, PT),            // pt-PT
    row(1045, b',', NBSP, "zł", "dd.MM.yyyy", "HH:mm:ss", NONE, PL),           // pl-PL
    row(1049, b',', NBSP, "₽", "dd.MM.yyyy", "H:mm:ss", NONE, RU),             // ru-RU
    row(1058, b',', NBSP, "₴", "dd.MM.yyyy", "H:mm:ss", NONE, UK),             // uk-UA
    row(1055, b',', ".", "₺", "d.MM.yyyy", "HH:mm:ss", ("ÖÖ", "ÖS"), TR),      // tr-TR
    row(1029, b',', NBSP, "Kč", "dd.MM.yyyy", "H:mm:ss", NONE, CS),            // cs-CZ
    row(1053, b',', NBSP, "kr", "yyyy-MM-dd", "HH:mm:ss", NONE, SV),           // sv-SE
    row(1030, b',', ".", "kr.", "dd-MM-yyyy", "HH:mm:ss", NONE, DA),           // da-DK
    row(1044, b',', NBSP, "kr", "dd.MM.yyyy", "HH:mm:ss", NONE, NB),           // nb-NO
    row(1035, b',', NBSP, "€", "d.M.yyyy", "H.mm.ss", NONE, FI),               // fi-FI
    row(1038, b',', NBSP, "Ft", "yyyy. MM. dd.", "H:mm:ss", ("de.", "du."), HU), // hu-HU
    row(1048, b',', ".", "RON", "dd.MM.yyyy", "HH:mm:ss", NONE, RO),           // ro-RO
    row(1032, b',', ".", "€", "d/M/yyyy", "h:mm:ss tt", ("πμ", "μμ"), EL),     // el-GR
    row(1041, b'.', ",", "¥", "yyyy/MM/dd", "H:mm:ss", ("午前", "午後"), CJK),  // ja-JP
    row(2052, b'.', ",", "¥", "yyyy/M/d", "H:mm:ss", ("上午", "下午"), CJK),    // zh-CN
    row(1028, b'.', ",", "NT$", "yyyy/M/d", "tt hh:mm:ss", ("上午", "下午"), CJK), // zh-TW
    row(3076, b'.', ",", "HK$", "d/M/yyyy", "H:mm:ss", ("上午", "下午"), CJK),  // zh-HK
    row(1042, b'.', ",", "₩", "yyyy-MM-dd", "tt h:mm:ss", ("오전", "오후"), KO), // ko-KR
    row(1037, b'.', ",", "₪", "dd/MM/yyyy", "HH:mm:ss", LATIN, EN),            // he-IL
    row(1025, b'.', ",", "ر.س.\u{200f}", "dd/MM/yyyy", "hh:mm:ss tt", ("ص", "م"), EN), // ar-SA, as Gregorian
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_locale_stands_twice_and_each_is_sound() {
        for (i, locale) in LOCALES.iter().enumerate() {
            assert!(LOCALES[..i].iter().all(|other| other.lcid != locale.lcid), "{}", locale.lcid);
            assert!(matches!(locale.decimal, b'.' | b','));
            assert_ne!(locale.thousands.as_bytes(), [locale.decimal]);
            assert!(!locale.time.contains("tt") || !locale.am.is_empty(), "{}", locale.lcid);
            let pattern = locale.short_date;
            assert!(pattern.contains('d') && pattern.contains('M') && pattern.contains("yy"), "{pattern}");
        }
    }

    #[test]
    fn unlisted_locales_take_their_language_or_english() {
        assert_eq!(Locale::of(1033).order(), DateOrder::Mdy);
        assert_eq!(Locale::of(0x10407).lcid, 1031, "the phone book sort of German");
        assert_eq!(Locale::of(0x1007).lcid, 1031, "German of Luxembourg");
        assert_eq!(Locale::of(0).lcid, 1033);
        assert_eq!(Locale::of(u32::MAX).lcid, 1033);
        assert_eq!(Locale::of(1053).order(), DateOrder::Ymd);
        assert_eq!(Locale::of(1031).date_separator(), b'.');
    }
}
