//! The type of a result from the types of its operands: numbers, texts, dates.
//!
//! Decoded from the promotion matrix of the reference; what the reference does not state is one named function each.

use super::ast::BinaryOp;
use crate::types::DataType;
use crate::types::collation::Collation;

/// The most digits of a DT_NUMERIC.
pub(crate) const MAX_PRECISION: u8 = 38;

/// Why two types have no common one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mismatch {
    /// They do not go together.
    Incompatible,
    /// They would, but the result needs more than 38 digits, and SSIS gives up no digits by itself.
    TooLarge,
}

/// Precision and scale with which a type takes part in decimal arithmetic.
pub(crate) fn decimal_form(t: &DataType) -> Option<(u8, u8)> {
    Some(match t {
        DataType::I1 | DataType::UI1 => (3, 0),
        DataType::I2 | DataType::UI2 => (5, 0),
        DataType::I4 | DataType::UI4 => (10, 0),
        DataType::I8 => (19, 0),
        DataType::UI8 => (20, 0),
        DataType::Cy => (19, 4),
        DataType::Decimal { scale } => (29, *scale),
        DataType::Numeric { precision, scale } => (*precision, *scale),
        _ => return None,
    })
}

fn is_decimal(t: &DataType) -> bool {
    matches!(t, DataType::Cy | DataType::Decimal { .. } | DataType::Numeric { .. })
}

/// Bits and whether signed.
fn integer_form(t: &DataType) -> Option<(u8, bool)> {
    Some(match t {
        DataType::I1 => (8, true),
        DataType::I2 => (16, true),
        DataType::I4 => (32, true),
        DataType::I8 => (64, true),
        DataType::UI1 => (8, false),
        DataType::UI2 => (16, false),
        DataType::UI4 => (32, false),
        DataType::UI8 => (64, false),
        _ => return None,
    })
}

/// Whether an integer type has a sign; None for other types.
pub(crate) fn is_signed(t: &DataType) -> Option<bool> {
    integer_form(t).map(|(_, signed)| signed)
}

/// The common type of two integer types: the wider; a signed one that holds both if one is unsigned; none for DT_UI8
/// with a signed type.
pub(crate) fn integers(a: &DataType, b: &DataType) -> Option<DataType> {
    let ((bits_a, signed_a), (bits_b, signed_b)) = (integer_form(a)?, integer_form(b)?);
    if signed_a == signed_b {
        return Some(if bits_a >= bits_b { *a } else { *b });
    }
    let (signed, unsigned) = if signed_a { (bits_a, bits_b) } else { (bits_b, bits_a) };
    Some(match (unsigned, signed.max(unsigned)) {
        (64, _) => return None,
        // The matrix widens an unsigned type once, but DT_I4 takes DT_UI4 as it is not: it becomes DT_I8.
        (32, _) => DataType::I8,
        (16, 64) | (8, 64) => DataType::I8,
        (16, _) => DataType::I4,
        (_, 32) => DataType::I4,
        _ => DataType::I2,
    })
}

/// What the family of two numeric types is before precision and scale: a float, DT_CY, an integer, or DT_NUMERIC (None).
fn numeric_family(a: &DataType, b: &DataType) -> Result<Option<DataType>, Mismatch> {
    if !a.is_numeric() || !b.is_numeric() {
        return Err(Mismatch::Incompatible);
    }
    if *a == DataType::R8 || *b == DataType::R8 {
        return Ok(Some(DataType::R8));
    }
    if *a == DataType::R4 || *b == DataType::R4 {
        return Ok(Some(DataType::R4));
    }
    if *a == DataType::Cy && *b == DataType::Cy {
        return Ok(Some(DataType::Cy));
    }
    if is_decimal(a) || is_decimal(b) {
        return Ok(None);
    }
    integers(a, b).map(Some).ok_or(Mismatch::Incompatible)
}

/// The result type of `+ - * /` on numbers.
pub(crate) fn arithmetic(op: BinaryOp, a: &DataType, b: &DataType) -> Result<DataType, Mismatch> {
    if let Some(t) = numeric_family(a, b)? {
        return Ok(t);
    }
    let (Some((p1, s1)), Some((p2, s2))) = (decimal_form(a), decimal_form(b)) else {
        return Err(Mismatch::Incompatible);
    };
    let (p1, s1, p2, s2) = (p1 as u32, s1 as u32, p2 as u32, s2 as u32);
    let (precision, scale) = match op {
        BinaryOp::Multiply => (p1 + p2 + 1, s1 + s2),
        BinaryOp::Divide => quotient(p1, s1, p2, s2),
        _ => sum(p1, s1, p2, s2),
    };
    numeric(precision, scale)
}

fn numeric(precision: u32, scale: u32) -> Result<DataType, Mismatch> {
    if precision > MAX_PRECISION as u32 {
        return Err(Mismatch::TooLarge);
    }
    Ok(DataType::Numeric { precision: precision as u8, scale: scale as u8 })
}

/// Precision and scale of a sum or difference, as in Transact-SQL (unconfirmed).
fn sum(p1: u32, s1: u32, p2: u32, s2: u32) -> (u32, u32) {
    let scale = s1.max(s2);
    (scale + (p1 - s1).max(p2 - s2) + 1, scale)
}

/// Precision and scale of a quotient, as in Transact-SQL (unconfirmed).
fn quotient(p1: u32, s1: u32, p2: u32, s2: u32) -> (u32, u32) {
    let scale = (s1 + p2 + 1).max(6);
    (p1 - s1 + s2 + scale, scale)
}

/// The common type of two numbers that are compared: decimals keep their own scales and are compared exactly
/// (`Ok(None)`), so no pair of them is too large (unconfirmed: SSIS may refuse more than 38 digits here as well).
pub(crate) fn compared_numbers(a: &DataType, b: &DataType) -> Result<Option<DataType>, Mismatch> {
    numeric_family(a, b)
}

/// The common type of two numeric branches of `? :`.
pub(crate) fn unified_numbers(a: &DataType, b: &DataType) -> Result<DataType, Mismatch> {
    if a == b && a.is_numeric() {
        return Ok(*a);
    }
    if let Some(t) = numeric_family(a, b)? {
        return Ok(t);
    }
    let (Some((p1, s1)), Some((p2, s2))) = (decimal_form(a), decimal_form(b)) else {
        return Err(Mismatch::Incompatible);
    };
    let scale = s1.max(s2);
    numeric((p1 - s1).max(p2 - s2) as u32 + scale as u32, scale as u32)
}

/// The common type of two types with a date, a time or both; None for a bare time with a date.
pub(crate) fn dates(a: &DataType, b: &DataType) -> Option<DataType> {
    if a == b {
        return a.is_date_time().then_some(*a);
    }
    if !a.is_date_time() || !b.is_date_time() || is_time_only(a) != is_time_only(b) {
        return None;
    }
    let scale = fraction_digits(a).max(fraction_digits(b));
    let either = |f: fn(&DataType) -> bool| f(a) || f(b);
    Some(if either(|t| matches!(t, DataType::DbTimeStampOffset { .. })) {
        DataType::DbTimeStampOffset { scale }
    } else if either(|t| matches!(t, DataType::DbTimeStamp2 { .. })) {
        DataType::DbTimeStamp2 { scale }
    } else if either(|t| matches!(t, DataType::DbTime2 { .. })) {
        DataType::DbTime2 { scale }
    } else {
        DataType::DbTimeStamp
    })
}

/// DT_DBTIME, DT_DBTIME2.
pub(crate) fn is_time_only(t: &DataType) -> bool {
    matches!(t, DataType::DbTime | DataType::DbTime2 { .. })
}

fn fraction_digits(t: &DataType) -> u8 {
    match t {
        DataType::Date | DataType::DbTimeStamp => 3,
        DataType::FileTime => 7,
        _ => t.scale(),
    }
}

/// The length of a text type in characters: that of a DT_STR counts bytes, which are at least as many.
pub(crate) fn text_length(t: &DataType) -> Option<u32> {
    match t {
        DataType::Str { len, .. } | DataType::WStr { len } => Some(*len),
        _ => None,
    }
}

/// The common type of the branches of `? :`; two texts are DT_WSTR of the greater length, two byte strings the longer.
pub(crate) fn unified(a: &DataType, b: &DataType) -> Result<DataType, Mismatch> {
    if let (Some(x), Some(y)) = (text_length(a), text_length(b)) {
        return Ok(DataType::WStr { len: x.max(y) });
    }
    if let (DataType::Bytes { len: x }, DataType::Bytes { len: y }) = (a, b) {
        return Ok(DataType::Bytes { len: *x.max(y) });
    }
    if a == b {
        return Ok(*a);
    }
    if a.is_numeric() {
        return unified_numbers(a, b);
    }
    dates(a, b).ok_or(Mismatch::Incompatible)
}

/// The order that `< > <= >=` give two texts: the linguistic one of the locale, every difference counted (unconfirmed; it
/// takes hyphens and apostrophes as Windows sorts words). None for what has another order or none: `==` and `!=` compare
/// code units exactly.
pub(crate) fn text_order(op: BinaryOp, of: &DataType, lcid: u32) -> Option<Collation> {
    let text = of.is_string() || matches!(of, DataType::Text { .. } | DataType::NText);
    let exact = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual);
    // Without flags there is nothing to refuse.
    if text && !exact { Collation::new(lcid, 0).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use DataType::*;

    fn n(precision: u8, scale: u8) -> DataType {
        Numeric { precision, scale }
    }

    #[test]
    fn the_matrix_of_signed_and_unsigned_integers() {
        let signed = [I1, I2, I4, I8];
        let expected = [
            (UI1, [Some(I2), Some(I2), Some(I4), Some(I8)]),
            (UI2, [Some(I4), Some(I4), Some(I4), Some(I8)]),
            (UI4, [Some(I8); 4]),
            (UI8, [None; 4]),
        ];
        for (unsigned, row) in expected {
            for (s, e) in signed.iter().zip(row) {
                assert_eq!(integers(s, &unsigned), e, "{s} {unsigned}");
                assert_eq!(integers(&unsigned, s), e, "{unsigned} {s}");
            }
        }
        assert_eq!(integers(&I2, &I8), Some(I8));
        assert_eq!(integers(&UI4, &UI2), Some(UI4));
    }

    #[test]
    fn decimal_results_have_the_precision_that_packages_store() {
        use BinaryOp::*;
        for (op, a, b, expected) in [
            (Multiply, Cy, n(3, 2), Ok(n(23, 6))),
            (Multiply, I2, Cy, Ok(n(25, 4))),
            (Multiply, I4, Cy, Ok(n(30, 4))),
            (Divide, Cy, Cy, Ok(Cy)),
            (Multiply, UI2, I4, Ok(I4)),
            (Divide, I4, I2, Ok(I4)),
            (Add, R4, Cy, Ok(R4)),
            (Add, R4, R8, Ok(R8)),
            (Add, n(5, 2), n(8, 4), Ok(n(9, 4))),
            (Multiply, Decimal { scale: 2 }, Decimal { scale: 2 }, Err(Mismatch::TooLarge)),
            (Add, Decimal { scale: 2 }, Decimal { scale: 2 }, Ok(n(30, 2))),
            (Add, UI8, I4, Err(Mismatch::Incompatible)),
            (Add, UI8, n(5, 2), Ok(n(23, 2))),
            (Add, Bool, I4, Err(Mismatch::Incompatible)),
        ] {
            assert_eq!(arithmetic(op, &a, &b), expected, "{a} {op:?} {b}");
        }
        assert_eq!(unified(&I4, &n(8, 7)), Ok(n(17, 7)));
    }

    #[test]
    fn texts_have_an_order_where_they_are_not_compared_exactly() {
        let order = text_order(BinaryOp::Less, &WStr { len: 5 }, 1033).unwrap();
        for (a, b) in [("a", "B"), ("a", "A"), ("cote", "coté"), ("Zebra", "Äpfel"), ("co-op", "coops"), ("2", "a")] {
            let (a, b) = if a == "Zebra" { (b, a) } else { (a, b) };
            assert!(order.compare(a, b).is_lt(), "{a} {b}");
        }
        assert!(text_order(BinaryOp::Equal, &WStr { len: 5 }, 1033).is_none());
        assert!(text_order(BinaryOp::Less, &I4, 1033).is_none());
    }

    #[test]
    fn dates_meet_in_the_richer_type() {
        for (a, b, expected) in [
            (Date, DbDate, Some(DbTimeStamp)),
            (DbDate, DbDate, Some(DbDate)),
            (DbDate, DbTimeStamp2 { scale: 5 }, Some(DbTimeStamp2 { scale: 5 })),
            (DbTimeStampOffset { scale: 3 }, DbDate, Some(DbTimeStampOffset { scale: 3 })),
            (DbTime, DbTime2 { scale: 2 }, Some(DbTime2 { scale: 2 })),
            (DbTime, DbDate, None),
            (DbDate, I4, None),
        ] {
            assert_eq!(dates(&a, &b), expected, "{a} {b}");
            assert_eq!(dates(&b, &a), expected, "{b} {a}");
        }
    }
}
