//! The types that casts and `NULL(…)` name, with their parameters.

use crate::diag::{Code, codes};
use crate::expr::ast::Literal;
use crate::expr::error::ExprError;
use crate::expr::lexer::Tok;
use crate::types::DataType;
use std::ops::Range;

/// A type being read: its name, then its parameters.
#[derive(Clone, Debug)]
pub(crate) struct TypeSpec {
    codes: &'static Codes,
    name: String,
    span: Range<usize>,
    params: Vec<(i64, Range<usize>)>,
}

/// The codes of the same mistakes in a cast and in `NULL(…)`.
#[derive(Debug)]
struct Codes {
    param: Code,
    not_integer: Code,
    not_static: Code,
    length: Code,
    precision: Code,
    scale: Code,
    code_page: Code,
}

const CAST_CODES: Codes = Codes {
    param: codes::DTS_E_EXPREVALINVALIDCASTPARAM,
    not_integer: codes::DTS_E_EXPREVALINVALIDCASTPARAMTYPE,
    not_static: codes::DTS_E_EXPREVALINVALIDCASTPARAMTYPE,
    length: codes::DTS_E_EXPREVALINVALIDCASTLENGTH,
    precision: codes::DTS_E_EXPREVALINVALIDCASTPRECISION,
    scale: codes::DTS_E_EXPREVALINVALIDCASTSCALE,
    code_page: codes::DTS_E_EXPREVALINVALIDCASTCODEPAGE,
};

const NULL_CODES: Codes = Codes {
    param: codes::DTS_E_EXPREVALINVALIDNULLPARAM,
    not_integer: codes::DTS_E_EXPREVALINVALIDNULLPARAMTYPE,
    not_static: codes::DTS_E_EXPREVALFUNCTIONPARAMNOTSTATIC,
    length: codes::DTS_E_EXPREVALINVALIDNULLLENGTH,
    precision: codes::DTS_E_EXPREVALINVALIDNULLPRECISION,
    scale: codes::DTS_E_EXPREVALINVALIDNULLSCALE,
    code_page: codes::DTS_E_EXPREVALINVALIDNULLCODEPAGE,
};

/// What a parameter means.
#[derive(Clone, Copy, PartialEq)]
enum Param {
    Length,
    CodePage,
    Precision,
    Scale(u8),
}

impl TypeSpec {
    /// The type of a cast.
    pub(crate) const CAST: TypeSpec =
        TypeSpec { codes: &CAST_CODES, name: String::new(), span: 0..0, params: Vec::new() };
    /// The type of `NULL(…)`.
    pub(crate) const NULL: TypeSpec =
        TypeSpec { codes: &NULL_CODES, name: String::new(), span: 0..0, params: Vec::new() };

    pub(crate) fn name(&mut self, name: String, span: Range<usize>) {
        self.name = name;
        self.span = span;
    }

    /// Takes the next parameter, which must be a literal: an integer, perhaps with a minus, or a text that is one (as in
    /// `(DT_WSTR,"3")`, which packages have).
    pub(crate) fn param(&mut self, minus: bool, tok: &Tok, span: Range<usize>) -> Result<(), ExprError> {
        let number = self.params.len() + 1;
        let text = match tok {
            Tok::Literal(Literal::Text(text)) => text.trim().parse().ok(),
            _ => None,
        };
        let value = match tok {
            Tok::Literal(Literal::I4(v)) => i64::from(*v),
            Tok::Literal(Literal::UI4(v)) => i64::from(*v),
            Tok::Literal(Literal::I8(v)) => *v,
            Tok::Literal(Literal::Text(_)) if text.is_some() => text.unwrap_or_default(),
            Tok::Literal(_) => {
                return Err(ExprError::new(self.codes.not_integer, span, &[&number, &self.name])
                    .expecting(&["an integer literal"]));
            }
            _ => {
                // Of NULL, the function is named; of a cast, the type.
                let of = if self.codes.not_static == NULL_CODES.not_static { "NULL" } else { self.name.as_str() };
                return Err(
                    ExprError::new(self.codes.not_static, span, &[&number, &of]).expecting(&["an integer literal"])
                );
            }
        };
        self.params.push((if minus { value.saturating_neg() } else { value }, span));
        Ok(())
    }

    /// The type, if there is one of that name and its parameters are as they must be.
    pub(crate) fn resolve(self) -> Result<DataType, ExprError> {
        let Some(bare) = DataType::from_name(&self.name, 0, 0, 0, 0).filter(|t| *t != DataType::Null) else {
            return Err(ExprError::new(codes::DTS_E_EXPREVALUNSUPPORTEDTYPE, self.span, &[&self.name]));
        };
        let wanted: &[Param] = match bare {
            DataType::Str { .. } => &[Param::Length, Param::CodePage],
            DataType::WStr { .. } | DataType::Bytes { .. } => &[Param::Length],
            DataType::Text { .. } => &[Param::CodePage],
            DataType::Numeric { .. } => &[Param::Precision, Param::Scale(38)],
            DataType::Decimal { .. } => &[Param::Scale(28)],
            DataType::DbTime2 { .. } | DataType::DbTimeStamp2 { .. } | DataType::DbTimeStampOffset { .. } => {
                &[Param::Scale(7)]
            }
            _ => &[],
        };
        if self.params.len() != wanted.len() {
            let number = self.params.len().min(wanted.len()) + 1;
            return Err(ExprError::new(self.codes.param, self.span.clone(), &[&number, &bare.name()])
                .expecting(&[&self.syntax(&bare, wanted)]));
        }
        let (mut length, mut code_page, mut precision, mut scale) = (0, 0, 0, 0);
        for (param, (value, span)) in wanted.iter().zip(&self.params) {
            let (ok, code) = match param {
                Param::Length => (u32::try_from(*value).map(|v| length = v).is_ok(), self.codes.length),
                Param::CodePage => {
                    let known = u32::try_from(*value).is_ok_and(is_code_page);
                    (known && u32::try_from(*value).map(|v| code_page = v).is_ok(), self.codes.code_page)
                }
                Param::Precision => {
                    precision = u8::try_from(*value).unwrap_or(0);
                    ((1..=38).contains(&precision), self.codes.precision)
                }
                Param::Scale(max) => {
                    scale = u8::try_from(*value).unwrap_or(u8::MAX);
                    (scale <= *max && (precision == 0 || scale <= precision), self.codes.scale)
                }
            };
            if !ok {
                return Err(ExprError::new(code, span.clone(), &[value, &bare.name()])
                    .expecting(&[&self.syntax(&bare, wanted)]));
            }
        }
        Ok(DataType::from_code(bare.code(), length, precision, scale, code_page).unwrap_or(bare))
    }

    fn syntax(&self, bare: &DataType, wanted: &[Param]) -> String {
        let mut text = bare.name().to_owned();
        for param in wanted {
            text.push_str(match param {
                Param::Length => ",length",
                Param::CodePage => ",code page",
                Param::Precision => ",precision 1 to 38",
                Param::Scale(7) => ",scale 0 to 7",
                Param::Scale(28) => ",scale 0 to 28",
                Param::Scale(_) => ",scale 0 to precision",
            });
        }
        text
    }
}

/// The code pages that Windows installs. 0, the default of the machine, is in packages, though the documents have it
/// that a code page must be installed (unconfirmed).
fn is_code_page(number: u32) -> bool {
    const PAGES: [u32; 88] = [
        0, 37, 437, 500, 708, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869, 870, 874,
        875, 932, 936, 949, 950, 1026, 1047, 1140, 1141, 1142, 1143, 1144, 1145, 1146, 1147, 1148, 1149, 1250, 1251,
        1252, 1253, 1254, 1255, 1256, 1257, 1258, 1361, 10000, 10006, 10007, 10029, 10079, 10081, 20127, 20261, 20866,
        20932, 20936, 20949, 21027, 21866, 28591, 28592, 28593, 28594, 28595, 28596, 28597, 28598, 28599, 28603, 28605,
        38598, 50220, 50221, 50222, 50225, 50227, 51932, 51936, 51949, 52936, 54936, 65000, 65001,
    ];
    PAGES.binary_search(&number).is_ok()
}
