use super::*;
use proptest::prelude::*;

fn key(collation: &Collation, text: &str) -> Vec<u8> {
    let mut key = Vec::new();
    collation.sort_key(text, &mut key);
    assert!(!key.contains(&0), "{text:?}");
    key
}

/// The same order without the tables for ASCII.
fn without_tables(collation: &Collation, text: &str) -> Vec<u8> {
    let order = &*collation.0;
    let mut key = Vec::new();
    sort_key_of(&order.collator, &order.letters(text), &mut key);
    key.extend(order.tail(text));
    key
}

#[test]
fn words_of_each_language_stand_in_their_order() {
    for (lcid, flags, words) in [
        (1033, 0, vec!["", " ", "_", "#", "1", "a", "A", "á", "ab", "b", "Z", "ж"]),
        (1033, 0, vec!["billet", "bills", "bill's", "can", "cannot", "cant", "can't", "con", "coop", "co-op", "coops"]),
        (1033, STRING_SORT, vec!["can't", "cannot", "cant", "co-op", "con", "coop"]),
        (1053, 0, vec!["a", "z", "å", "ä", "ö"]),
        (1031, 0, vec!["a", "ä", "z"]),
        (1034, 0, vec!["cz", "ch", "d", "nz", "ñ", "o"]),
        (3082, 0, vec!["ch", "cz", "d", "nz", "ñ", "o"]),
        (1029, 0, vec!["cz", "h", "ch", "i"]),
        (1049, 0, vec!["z", "а", "е", "ё", "ж"]),
        (1030, 0, vec!["z", "æ", "ø", "å"]),
    ] {
        let collation = Collation::new(lcid, flags).unwrap();
        for pair in words.windows(2) {
            assert_eq!(collation.compare(pair[0], pair[1]), Ordering::Less, "{lcid} {flags:#x}: {pair:?}");
            assert!(key(&collation, pair[0]) < key(&collation, pair[1]), "{lcid} {flags:#x}: {pair:?}");
        }
    }
}

#[test]
fn flags_make_equal_what_they_say() {
    let pairs = [
        (IGNORE_CASE, "Straße", "sTRAßE"),
        (IGNORE_NON_SPACING, "resume", "résumé"),
        (IGNORE_SYMBOLS, "a b-c!", "abc"),
        (IGNORE_KANA_TYPE, "ひらがな", "ヒラガナ"),
        (IGNORE_WIDTH, "ABC 1", "ＡＢＣ　１"),
        (IGNORE_WIDTH, "カナ", "ｶﾅ"),
    ];
    for flags in 0..64u32 {
        let flags = (flags & 7) | (flags >> 3 & 1) << 12 | (flags >> 4 & 3) << 16;
        let collation = Collation::new(1033, flags).unwrap();
        for (flag, a, b) in pairs {
            assert_eq!(collation.equal(a, b), flags & flag != 0, "{flags:#x}: {a} {b}");
            assert_eq!(key(&collation, a) == key(&collation, b), flags & flag != 0, "{flags:#x}: {a} {b}");
        }
    }
    assert!(Collation::new(1033, 0x8).is_err());
}

#[test]
fn case_counts_after_accents_and_lower_comes_first() {
    let collation = Collation::new(1033, 0).unwrap();
    let words = ["cote", "Cote", "coté", "côte", "Côté", "cotes"];
    assert!(words.windows(2).all(|w| collation.compare(w[0], w[1]) == Ordering::Less));
    let blind = Collation::new(1033, IGNORE_CASE).unwrap();
    assert!(blind.equal("Cote", "cOTE") && !blind.equal("cote", "coté"));
}

#[test]
fn every_pair_of_ascii_characters_has_the_key_of_the_library() {
    for (lcid, flags) in
        [(0, 0), (1033, 0), (1033, STRING_SORT), (1031, IGNORE_CASE), (1033, 3), (1036, IGNORE_SYMBOLS)]
    {
        let collation = Collation::new(lcid, flags).unwrap();
        assert!(collation.0.ascii.is_some(), "{lcid} {flags:#x}");
        let alone: Vec<String> = (0..128u8).map(|c| char::from(c).to_string()).collect();
        for a in &alone {
            for b in &alone {
                let pair = format!("{a}{b}");
                assert_eq!(key(&collation, &pair), without_tables(&collation, &pair), "{lcid} {flags:#x}: {pair:?}");
                let by_key = key(&collation, a).cmp(&key(&collation, b));
                assert_eq!(collation.compare(a, b), by_key, "{lcid} {flags:#x}: {a:?} {b:?}");
            }
        }
    }
    assert!(Collation::new(1029, 0).unwrap().0.ascii.is_none(), "Czech has a letter ch");
}

fn flags() -> impl Strategy<Value = u32> {
    (0..64u32).prop_map(|f| (f & 7) | (f >> 3 & 1) << 12 | (f >> 4 & 3) << 16)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn keys_of_ascii_are_those_of_the_library(texts in prop::collection::vec("[ -~]{0,120}|[a-cA-C'-]{0,8}", 4), flags in flags()) {
        let collation = Collation::new(1033, flags).unwrap();
        for a in &texts {
            prop_assert_eq!(key(&collation, a), without_tables(&collation, a));
            for b in &texts {
                prop_assert_eq!(collation.compare(a, b), key(&collation, a).cmp(&key(&collation, b)));
            }
        }
    }

    #[test]
    fn keys_order_as_comparisons_do(a in "[a-cA-Cäáé ｱア'-]{0,6}", b in "[a-cA-Cäáé ｱア'-]{0,6}", flags in flags()) {
        let collation = Collation::new(1033, flags).unwrap();
        prop_assert_eq!(collation.compare(&a, &b), key(&collation, &a).cmp(&key(&collation, &b)), "{:?} {:?}", a, b);
    }
}
