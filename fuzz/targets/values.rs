//! The parsers of values: any bytes, in any locale; what is found lies in the range of its type.
#![no_main]

use dtsx_engine::types::calendar;
use dtsx_engine::types::locale::Locale;
use dtsx_engine::types::parse::{self, fast};
use libfuzzer_sys::fuzz_target;

const LOCALES: [u32; 8] = [0, 1033, 1031, 1036, 1041, 2057, 1049, 1055];

fuzz_target!(|data: &[u8]| {
    let [first, second, third, bytes @ ..] = data else { return };
    let locale = Locale::of(LOCALES[*first as usize % LOCALES.len()]);
    let (precision, scale) = (second % 41, third % 41);
    let _ = (parse::parse_int::<i8>(bytes, locale), parse::parse_int::<u64>(bytes, locale));
    let _ = (parse::parse_int::<i64>(bytes, locale), parse::parse_int::<u16>(bytes, locale));
    let _ = (parse::parse_bool(bytes, locale), parse::parse_guid(bytes), parse::parse_currency(bytes, locale));
    let _ = (fast::int::<i64>(bytes), fast::int::<u8>(bytes), fast::int::<i32>(bytes));
    if let Ok(value) = parse::parse_decimal(bytes, precision, scale, locale) {
        assert!(precision == 0 || precision > 38 || value.unsigned_abs() < 10u128.pow(precision.into()));
    }
    if let Ok(value) = parse::parse_f64(bytes, locale) {
        assert!(value.is_finite());
    }
    if let Ok(value) = parse::parse_f32(bytes, locale) {
        assert!(value.is_finite());
    }
    let instants = [
        parse::parse_timestamp(bytes, locale),
        parse::parse_timestamp_strict(bytes),
        parse::parse_ole_date(bytes, locale),
        parse::parse_filetime(bytes, locale),
        fast::timestamp(bytes),
        parse::parse_offset(bytes).map(|(ticks, _)| ticks),
        fast::timestamp_offset(bytes).map(|(ticks, _)| ticks),
    ];
    for ticks in instants.into_iter().flatten() {
        assert!((calendar::MIN_TICKS..=calendar::MAX_TICKS).contains(&ticks), "{ticks}");
    }
    let times = [parse::parse_time(bytes, locale), parse::parse_time_strict(bytes), fast::time(bytes)];
    for ticks in times.into_iter().flatten() {
        assert!((0..calendar::TICKS_PER_DAY).contains(&ticks), "{ticks}");
    }
    for day in [parse::parse_date(bytes, locale), fast::date(bytes)].into_iter().flatten() {
        assert!((calendar::MIN_DAY..=calendar::MAX_DAY).contains(&day), "{day}");
    }
});
