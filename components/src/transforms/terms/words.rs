//! Words, sentences, and what little English the term components know.

/// What a word can be in a noun phrase.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Speech {
    Noun,
    /// May stand before a noun.
    Modifier,
    /// Ends a phrase.
    Other,
}

/// The sentences of a text, each as its words. A word is letters and digits, with `-`, `_`, `'` and `.` between them
/// (`I.B.M`, `e-mail`); `/` and everything else separates. `'s` at the end of a word falls away.
pub(super) fn sentences(text: &str) -> Vec<Vec<&str>> {
    let mut sentences = vec![Vec::new()];
    let mut start = None;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let joins = matches!(c, '-' | '_' | '\'' | '’' | '.' | ',' | '@')
            && start.is_some()
            && chars.peek().is_some_and(|(_, next)| match c {
                ',' => next.is_ascii_digit() && text[..at].ends_with(|p: char| p.is_ascii_digit()),
                _ => next.is_alphanumeric(),
            });
        if c.is_alphanumeric() || joins {
            start.get_or_insert(at);
            continue;
        }
        if let Some(start) = start.take() {
            push(&mut sentences, &text[start..at]);
        }
        if matches!(c, '.' | '!' | '?' | ';' | ':' | '\n' | '\r') && sentences.last().is_some_and(|s| !s.is_empty()) {
            sentences.push(Vec::new());
        }
    }
    if let Some(start) = start {
        push(&mut sentences, &text[start..]);
    }
    sentences.retain(|sentence| !sentence.is_empty());
    sentences
}

fn push<'a>(sentences: &mut [Vec<&'a str>], word: &'a str) {
    let word = ["'s", "’s"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
    if let (Some(sentence), false) = (sentences.last_mut(), word.is_empty()) {
        sentence.push(word);
    }
}

/// What a word is likely to be: the original asks a part-of-speech tagger for English; this knows the words that are
/// never nouns, and some endings.
pub(super) fn speech_of(word: &str) -> Speech {
    let lower = word.to_lowercase();
    if lower.starts_with(|c: char| c.is_ascii_digit()) || NEVER_NOUNS.contains(&lower.as_str()) || lower.len() < 2 {
        return Speech::Other;
    }
    let ends = |endings: &[&str]| endings.iter().any(|end| lower.len() > end.len() + 2 && lower.ends_with(end));
    if lower.len() > 4 && lower.ends_with("ly") {
        return Speech::Other;
    }
    if ends(&["ous", "ful", "ive", "able", "ible", "less", "ish", "ical", "ic", "al"])
        || ADJECTIVES.contains(&lower.as_str())
    {
        return Speech::Modifier;
    }
    Speech::Noun
}

/// The singular of a noun by the rules of spelling, and of a few nouns that have their own.
pub(super) fn singular(word: &str) -> String {
    let lower = word.to_lowercase();
    if let Some((_, singular)) = IRREGULAR.iter().find(|(plural, _)| *plural == lower) {
        return (*singular).to_owned();
    }
    let cut = |end: usize, add: &str| format!("{}{add}", &word[..word.len() - end]);
    let ends = |end: &str| lower.ends_with(end) && word.is_ascii();
    if word.len() < 4 || !ends("s") || ends("ss") || ends("us") || ends("is") {
        word.to_owned()
    } else if ends("ies") && word.len() > 4 {
        cut(3, "y")
    } else if ends("sses") || ends("shes") || ends("ches") || ends("xes") || ends("zzes") {
        cut(2, "")
    } else {
        cut(1, "")
    }
}

const IRREGULAR: &[(&str, &str)] = &[
    ("men", "man"),
    ("women", "woman"),
    ("children", "child"),
    ("people", "person"),
    ("mice", "mouse"),
    ("geese", "goose"),
    ("feet", "foot"),
    ("teeth", "tooth"),
    ("lives", "life"),
    ("wives", "wife"),
    ("knives", "knife"),
    ("leaves", "leaf"),
    ("halves", "half"),
    ("shelves", "shelf"),
    ("analyses", "analysis"),
    ("bases", "basis"),
    ("crises", "crisis"),
    ("indices", "index"),
    ("matrices", "matrix"),
    ("criteria", "criterion"),
    ("phenomena", "phenomenon"),
    ("series", "series"),
    ("species", "species"),
    ("news", "news"),
];

const ADJECTIVES: &[&str] = &[
    "bad", "best", "better", "big", "black", "blue", "cheap", "clean", "cold", "dark", "early", "easy", "fast", "few",
    "fine", "first", "free", "full", "good", "great", "green", "happy", "hard", "heavy", "high", "hot", "huge",
    "large", "last", "late", "light", "little", "long", "low", "main", "new", "next", "nice", "old", "open", "other",
    "poor", "quick", "ready", "real", "red", "rich", "right", "same", "second", "several", "short", "simple", "slow",
    "small", "soft", "strong", "sure", "third", "true", "warm", "weak", "white", "whole", "wide", "wrong", "young",
];

const NEVER_NOUNS: &[&str] = &[
    "about",
    "above",
    "across",
    "after",
    "again",
    "against",
    "all",
    "almost",
    "along",
    "already",
    "also",
    "although",
    "always",
    "am",
    "among",
    "an",
    "and",
    "another",
    "any",
    "anyone",
    "anything",
    "are",
    "around",
    "as",
    "ask",
    "asked",
    "at",
    "away",
    "back",
    "be",
    "became",
    "because",
    "become",
    "been",
    "before",
    "began",
    "being",
    "below",
    "between",
    "both",
    "bring",
    "brought",
    "but",
    "by",
    "came",
    "can",
    "cannot",
    "come",
    "comes",
    "could",
    "did",
    "do",
    "does",
    "doing",
    "done",
    "down",
    "during",
    "each",
    "either",
    "else",
    "enough",
    "even",
    "ever",
    "every",
    "everyone",
    "everything",
    "far",
    "felt",
    "find",
    "for",
    "found",
    "from",
    "gave",
    "get",
    "gets",
    "getting",
    "give",
    "given",
    "go",
    "goes",
    "going",
    "gone",
    "got",
    "had",
    "has",
    "have",
    "having",
    "he",
    "her",
    "here",
    "hers",
    "herself",
    "him",
    "himself",
    "his",
    "how",
    "however",
    "i",
    "if",
    "in",
    "instead",
    "into",
    "is",
    "it",
    "its",
    "itself",
    "just",
    "keep",
    "kept",
    "knew",
    "know",
    "known",
    "least",
    "less",
    "let",
    "like",
    "made",
    "make",
    "makes",
    "making",
    "many",
    "may",
    "maybe",
    "me",
    "might",
    "mine",
    "more",
    "most",
    "much",
    "must",
    "my",
    "myself",
    "near",
    "need",
    "needs",
    "neither",
    "never",
    "no",
    "nobody",
    "none",
    "nor",
    "not",
    "nothing",
    "now",
    "of",
    "off",
    "often",
    "on",
    "once",
    "one",
    "only",
    "onto",
    "or",
    "our",
    "ours",
    "ourselves",
    "out",
    "over",
    "own",
    "perhaps",
    "put",
    "quite",
    "rather",
    "said",
    "saw",
    "say",
    "says",
    "see",
    "seem",
    "seems",
    "seen",
    "she",
    "should",
    "show",
    "shown",
    "since",
    "so",
    "some",
    "somebody",
    "someone",
    "something",
    "soon",
    "still",
    "such",
    "take",
    "taken",
    "takes",
    "tell",
    "than",
    "that",
    "the",
    "their",
    "theirs",
    "them",
    "themselves",
    "then",
    "there",
    "these",
    "they",
    "think",
    "this",
    "those",
    "though",
    "thought",
    "through",
    "thus",
    "till",
    "to",
    "together",
    "told",
    "too",
    "took",
    "toward",
    "towards",
    "two",
    "under",
    "until",
    "up",
    "upon",
    "us",
    "use",
    "used",
    "uses",
    "using",
    "very",
    "want",
    "wants",
    "was",
    "we",
    "well",
    "went",
    "were",
    "what",
    "whatever",
    "when",
    "where",
    "whether",
    "which",
    "while",
    "who",
    "whom",
    "whose",
    "why",
    "will",
    "with",
    "within",
    "without",
    "would",
    "yes",
    "yet",
    "you",
    "your",
    "yours",
    "yourself",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_into_sentences_and_words() {
        let cases: &[(&str, &[&[&str]])] = &[
            ("", &[]),
            (" ... ", &[]),
            ("One two. Three!", &[&["One", "two"], &["Three"]]),
            ("date/time e-mail I.B.M. rocks", &[&["date", "time", "e-mail", "I.B.M"], &["rocks"]]),
            ("Ana's 1,000 bikes, all red", &[&["Ana", "1,000", "bikes", "all", "red"]]),
            ("a\r\nb", &[&["a"], &["b"]]),
            ("größe – ok", &[&["größe", "ok"]]),
        ];
        for (text, expected) in cases {
            assert_eq!(sentences(text), *expected, "{text}");
        }
    }

    #[test]
    fn nouns_have_singulars() {
        let cases = [
            ("bicycles", "bicycle"),
            ("boxes", "box"),
            ("cities", "city"),
            ("classes", "class"),
            ("class", "class"),
            ("status", "status"),
            ("Mice", "mouse"),
            ("gas", "gas"),
            ("Sales", "Sale"),
            ("wheel", "wheel"),
        ];
        for (plural, expected) in cases {
            assert_eq!(singular(plural), expected);
        }
    }

    #[test]
    fn some_words_are_no_nouns() {
        for (word, speech) in [
            ("The", Speech::Other),
            ("quickly", Speech::Other),
            ("42", Speech::Other),
            ("red", Speech::Modifier),
            ("dangerous", Speech::Modifier),
            ("bicycle", Speech::Noun),
            ("Seattle", Speech::Noun),
        ] {
            assert_eq!(speech_of(word), speech, "{word}");
        }
    }
}
