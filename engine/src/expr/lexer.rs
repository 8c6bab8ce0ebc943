//! Text to tokens.

use super::ast::{Literal, continues_identifier, starts_identifier};
use super::error::ExprError;
use crate::diag::codes;
use std::ops::Range;

/// The longest string literal, in UTF-16 code units.
pub(crate) const MAX_LITERAL_UNITS: usize = 4000;

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tok {
    Literal(Literal),
    Ident(String),
    /// `[any text]`.
    Bracketed(String),
    /// `#123`, `#{…}`, without the marks.
    Lineage(String),
    /// `@x`, `@[x]`, without the marks.
    Variable(String),
    /// An operator or a mark of punctuation.
    Mark(&'static str),
    End,
}

#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub tok: Tok,
    pub span: Range<usize>,
}

/// Two-character marks first, so that the longest wins.
const MARKS: [&str; 23] = [
    "==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "%", "<", ">", "!", "&", "|", "^", "~", "?", ":", "(", ")",
    ",",
];

/// Cuts `text` into tokens, the last of them [`Tok::End`]. With `assignment`, a single `=` is a mark.
pub(crate) fn lex(text: &str, assignment: bool) -> Result<Vec<Token>, ExprError> {
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new() };
    loop {
        lexer.skip_blanks();
        let start = lexer.at;
        let tok = match lexer.next(assignment) {
            Ok(tok) => tok,
            Err(e) => return Err(e.within(text)),
        };
        let done = tok == Tok::End;
        lexer.tokens.push(Token { tok, span: start..lexer.at });
        if done {
            return Ok(lexer.tokens);
        }
    }
}

/// A number with an exponent and no suffix is a DT_R8, as if it had this one (unconfirmed: the reference's grammar demands a
/// suffix).
const SUFFIX_OF_EXPONENT: &str = "l";

/// An integer without suffix. 2147483648 overflows behind a minus as well, so that -2147483648 cannot be written
/// (unconfirmed).
fn plain_integer(digits: &str) -> Result<Literal, &'static str> {
    digits.parse().map(Literal::I4).map_err(|_| "DT_I4")
}

/// The precision of a number with a point: the digits that are written. That of .9 is 1 (unconfirmed).
fn precision(whole: usize, scale: usize) -> usize {
    whole + scale
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take_while(&mut self, f: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !f(c)).unwrap_or(rest.len());
        &self.text[start..self.at]
    }

    fn invalid(&self, start: usize) -> ExprError {
        let end = self.at.max(start + self.text[start..].chars().next().map_or(0, char::len_utf8));
        let token = &self.text[start..end];
        ExprError::new(codes::DTS_E_EXPREVALINVALIDTOKEN, start..end, &[])
            .saying(format!("The token {token} was not recognized"))
    }

    fn next(&mut self, assignment: bool) -> Result<Tok, ExprError> {
        let start = self.at;
        let Some(c) = self.rest().chars().next() else { return Ok(Tok::End) };
        let second = self.rest()[c.len_utf8()..].chars().next();
        match c {
            '"' => self.string(),
            '0'..='9' => self.number(),
            '.' if second.is_some_and(|d| d.is_ascii_digit()) && !self.follows_name() => self.number(),
            '.' => {
                self.at += 1;
                Ok(Tok::Mark("."))
            }
            '[' => {
                self.at += 1;
                Ok(Tok::Bracketed(self.until(start, ']', |c| c == '[')?))
            }
            '@' => {
                self.at += 1;
                if second == Some('[') {
                    self.at += 1;
                    return Ok(Tok::Variable(self.until(start, ']', |c| c == '[')?));
                }
                if !second.is_some_and(starts_identifier) {
                    return Err(self.invalid(start).expecting(&["the name of a variable right after @"]));
                }
                Ok(Tok::Variable(self.take_while(continues_identifier).to_owned()))
            }
            '#' => {
                self.at += 1;
                if second == Some('{') {
                    self.at += 1;
                    return Ok(Tok::Lineage(self.path(start)?));
                }
                let id = self.take_while(|c| c.is_ascii_digit()).to_owned();
                if id.is_empty() {
                    return Err(self.invalid(start).expecting(&["a lineage number or {path} right after #"]));
                }
                Ok(Tok::Lineage(id))
            }
            '\'' => Err(ExprError::new(codes::DTS_E_EXPREVALINVALIDTOKENSINGLEQUOTE, start..start + 1, &[])
                .saying("A single quotation mark is not allowed here")
                .expecting(&["double quotation marks around text"])),
            '=' if second != Some('=') => {
                self.at += 1;
                if assignment {
                    return Ok(Tok::Mark("="));
                }
                Err(ExprError::new(codes::DTS_E_EXPREVALINVALIDTOKENSINGLEEQUAL, start..start + 1, &[])
                    .saying("A single equal sign is not allowed here")
                    .expecting(&["== to compare"]))
            }
            // What published Expression tasks write as well.
            ':' if assignment && self.rest().starts_with(":=") && !self.rest().starts_with(":==") => {
                self.at += 2;
                Ok(Tok::Mark("="))
            }
            '«' => {
                let end = self.rest().find('»').map_or(self.text.len(), |n| self.at + n + '»'.len_utf8());
                let placeholder = &self.text[start..end];
                Err(ExprError::new(codes::DTS_E_EXPREVALPLACEHOLDERINEXPRESSION, start..end, &[&placeholder]))
            }
            c if starts_identifier(c) => {
                let word = self.take_while(continues_identifier);
                Ok(match word {
                    w if w.eq_ignore_ascii_case("true") => Tok::Literal(Literal::Bool(true)),
                    w if w.eq_ignore_ascii_case("false") => Tok::Literal(Literal::Bool(false)),
                    w => Tok::Ident(w.to_owned()),
                })
            }
            _ => match MARKS.iter().find(|m| self.rest().starts_with(**m)) {
                Some(mark) => {
                    self.at += mark.len();
                    Ok(Tok::Mark(mark))
                }
                None => Err(self.invalid(start)),
            },
        }
    }

    /// Whether a name ends right before this place: then a point qualifies it, and begins no number.
    fn follows_name(&self) -> bool {
        self.tokens.last().is_some_and(|t| t.span.end == self.at && matches!(t.tok, Tok::Ident(_) | Tok::Bracketed(_)))
    }

    fn until(&mut self, start: usize, end: char, forbidden: impl Fn(char) -> bool) -> Result<String, ExprError> {
        let inside = self.at;
        let Some(n) = self.rest().find(end) else {
            self.at = self.text.len();
            return Err(self.invalid(start).expecting(&[&format!("a closing {end}")]));
        };
        self.at += n + end.len_utf8();
        let name = &self.text[inside..inside + n];
        if name.is_empty() || name.contains(forbidden) {
            return Err(self.invalid(start).expecting(&["a name without brackets"]));
        }
        Ok(name.to_owned())
    }

    /// The inside of `#{…}`: it ends with the first `]}`, as every path does, or else with the first `}`.
    fn path(&mut self, start: usize) -> Result<String, ExprError> {
        let n = match self.rest().find("]}") {
            Some(n) => n + 1,
            None => match self.rest().find('}') {
                Some(n) => n,
                None => {
                    self.at = self.text.len();
                    return Err(self.invalid(start).expecting(&["a closing }"]));
                }
            },
        };
        let path = self.rest()[..n].to_owned();
        self.at += n + 1;
        Ok(path)
    }

    fn string(&mut self) -> Result<Tok, ExprError> {
        let start = self.at;
        self.at += 1;
        // As code units, so that a pair may be written as \xD83D\xDE00; half a pair becomes U+FFFD.
        let mut units: Vec<u16> = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next() else {
                return Err(self.invalid(start).expecting(&["a closing double quotation mark"]));
            };
            let escape_start = self.at;
            self.at += c.len_utf8();
            let c = match c {
                '"' => break,
                '\\' => {
                    let Some(e) = self.rest().chars().next() else {
                        return Err(self.invalid(start).expecting(&["a closing double quotation mark"]));
                    };
                    self.at += e.len_utf8();
                    match e {
                        'a' => '\u{07}',
                        'b' => '\u{08}',
                        'f' => '\u{0C}',
                        'n' => '\n',
                        'r' => '\r',
                        't' => '\t',
                        'v' => '\u{0B}',
                        '"' | '\\' => e,
                        'x' => {
                            units.push(self.hex_escape(start, escape_start)?);
                            continue;
                        }
                        other => {
                            let code = codes::DTS_E_EXPREVALILLEGALESCAPEINSTRINGLITERAL;
                            let literal = self.literal(start);
                            return Err(ExprError::new(code, escape_start..self.at, &[&literal, &other])
                                .expecting(&["\\a \\b \\f \\n \\r \\t \\v \\\" \\\\ \\xhhhh"]));
                        }
                    }
                }
                c => c,
            };
            units.extend_from_slice(c.encode_utf16(&mut [0; 2]));
        }
        if units.len() > MAX_LITERAL_UNITS {
            let code = codes::DTS_E_EXPREVALSTRINGLITERALTOOLONG;
            return Err(ExprError::new(code, start..self.at, &[&MAX_LITERAL_UNITS]));
        }
        Ok(Tok::Literal(Literal::Text(String::from_utf16_lossy(&units))))
    }

    /// What is inside the quotation marks of the literal that begins here, as far as it goes.
    fn literal(&self, start: usize) -> &str {
        let inside = &self.text[start + 1..];
        let mut escaped = false;
        let end = inside.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        });
        &inside[..end.unwrap_or(inside.len())]
    }

    /// Exactly four hexadecimal digits, not 0000.
    fn hex_escape(&mut self, literal: usize, start: usize) -> Result<u16, ExprError> {
        let digits = self.rest().bytes().take(4).take_while(u8::is_ascii_hexdigit).count();
        let hex = &self.text[self.at..self.at + digits];
        match u16::from_str_radix(hex, 16) {
            Ok(unit) if digits == 4 && unit != 0 => {
                self.at += 4;
                Ok(unit)
            }
            _ => {
                let end = self.at + digits;
                Err(ExprError::new(
                    codes::DTS_E_EXPREVALILLEGALHEXESCAPEINSTRINGLITERAL,
                    start..end,
                    &[&self.literal(literal), &hex],
                )
                .expecting(&["four hexadecimal digits that are not all 0"]))
            }
        }
    }

    fn number(&mut self) -> Result<Tok, ExprError> {
        let start = self.at;
        if self.rest().get(..2).is_some_and(|p| p.eq_ignore_ascii_case("0x")) {
            self.at += 2;
            let digits = self.take_while(|c| c.is_ascii_hexdigit()).to_owned();
            let suffix = self.take_while(continues_identifier).to_ascii_lowercase();
            if digits.is_empty() || !matches!(suffix.as_str(), "" | "u") {
                return Err(self.invalid(start));
            }
            return self.hexadecimal(start, &digits, suffix == "u");
        }
        let whole = self.take_while(|c| c.is_ascii_digit()).len();
        let mut fraction = None;
        if self.rest().starts_with('.') {
            self.at += 1;
            fraction = Some(self.take_while(|c| c.is_ascii_digit()).len());
        }
        let rest = self.rest().as_bytes();
        let mut exponent = false;
        if let Some(b'e' | b'E') = rest.first() {
            let sign = usize::from(matches!(rest.get(1), Some(b'+' | b'-')));
            let digits = rest[1 + sign..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits > 0 {
                exponent = true;
                self.at += 1 + sign + digits;
            }
        }
        let end = self.at;
        let suffix = self.take_while(continues_identifier).to_ascii_lowercase();
        let digits = &self.text[start..end];
        let suffix = if exponent && suffix.is_empty() { SUFFIX_OF_EXPONENT } else { suffix.as_str() };
        let literal = match (fraction, exponent, suffix) {
            (_, _, "f") => digits.parse().ok().filter(|v: &f32| v.is_finite()).map(Literal::R4).ok_or("DT_R4"),
            (Some(_), _, "l") | (_, true, "l") => {
                digits.parse().ok().filter(|v: &f64| v.is_finite()).map(Literal::R8).ok_or("DT_R8")
            }
            (None, false, "") => plain_integer(digits),
            (None, false, "u") => digits.parse().map(Literal::UI4).map_err(|_| "DT_UI4"),
            (None, false, "l") => digits.parse().map(Literal::I8).map_err(|_| "DT_I8"),
            (None, false, "ul" | "lu") => digits.parse().map(Literal::UI8).map_err(|_| "DT_UI8"),
            (Some(scale), false, "") => {
                let precision = precision(whole, scale);
                let unscaled = digits.replacen('.', "", 1).parse::<i128>().ok().filter(|_| precision <= 38);
                unscaled.map(|v| Literal::Numeric(v, precision as u8, scale as u8)).ok_or("DT_NUMERIC")
            }
            _ => return Err(self.invalid(start)),
        };
        literal.map(Tok::Literal).map_err(|of| self.overflow(start, of))
    }

    /// A hexadecimal literal is DT_I4, with `u` DT_UI4; one that does not fit overflows, although its bits would
    /// (unconfirmed).
    fn hexadecimal(&self, start: usize, digits: &str, unsigned: bool) -> Result<Tok, ExprError> {
        let literal = if unsigned {
            u32::from_str_radix(digits, 16).map(Literal::UI4)
        } else {
            i32::from_str_radix(digits, 16).map(Literal::I4)
        };
        literal.map(Tok::Literal).map_err(|_| self.overflow(start, if unsigned { "DT_UI4" } else { "DT_I4" }))
    }

    fn overflow(&self, start: usize, of: &str) -> ExprError {
        let literal = &self.text[start..self.at];
        ExprError::new(codes::DTS_E_EXPREVALLITERALOVERFLOW, start..self.at, &[&literal, &of])
    }
}
