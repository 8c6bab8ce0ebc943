//! Functions of dates and times.
//!
//! Every date is taken as a DT_DBTIMESTAMP, which is what the functions are defined on: an offset is converted to UTC,
//! digits beyond the millisecond are dropped, a bare time is one of today.

use super::signature::{Gives, Takes};
use super::{Args, BASE, Call, FunctionDef, OVERFLOW, Typing, always, example, types};
use crate::batch::Faults;
use crate::diag::{Result, codes};
use crate::expr::error::ExprError;
use crate::expr::kernels::datum::{Ints, Operand, mismatch, operand};
use crate::expr::kernels::{Computed, fault, null_out};
use crate::expr::typed::Origin;
use crate::types::DataType;
use crate::types::calendar::{MAX_DAY, MIN_DAY, civil_from_days, days_from_civil, days_in_month};
use arrow::array::types::TimestampMicrosecondType;
use arrow::array::{Int32Array, PrimitiveArray};
use std::sync::Arc;

const SECOND: i64 = 1_000_000;
const DAY_MICROS: i64 = 86_400 * SECOND;

/// A unit of time that the functions count in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    DayOfYear,
    Day,
    Week,
    Weekday,
    Hour,
    Minute,
    Second,
    Millisecond,
}

impl Part {
    /// From its name or short name, in any letter case. `w` is the weekday of DATEADD and DATEDIFF only.
    fn from_name(name: &str, of_datepart: bool) -> Option<Part> {
        Some(match name.to_ascii_lowercase().as_str() {
            "year" | "yy" | "yyyy" => Part::Year,
            "quarter" | "qq" | "q" => Part::Quarter,
            "month" | "mm" | "m" => Part::Month,
            "dayofyear" | "dy" | "y" => Part::DayOfYear,
            "day" | "dd" | "d" => Part::Day,
            "week" | "wk" | "ww" => Part::Week,
            "weekday" | "dw" => Part::Weekday,
            "w" if !of_datepart => Part::Weekday,
            "hour" | "hh" => Part::Hour,
            "minute" | "mi" | "n" => Part::Minute,
            "second" | "ss" | "s" => Part::Second,
            "millisecond" | "ms" => Part::Millisecond,
            _ => return None,
        })
    }

    /// The part that a call names in its first argument, a literal that its typing has checked.
    fn of(call: &Call<'_>) -> Result<Part> {
        call.nodes[0]
            .constant_text()
            .and_then(|name| Part::from_name(name, call.def.name == "DATEPART"))
            .ok_or_else(|| mismatch("date part"))
    }
}

/// Checks the date part of a call: a text literal that names one.
fn check_part(args: &Args<'_>) -> Typing<()> {
    let node = &args.nodes[0];
    let Some(name) = node.constant_text().filter(|_| node.origin == Origin::Literal) else {
        let code = codes::DTS_E_EXPREVALINVALIDDATEPARTNODE;
        return Err(
            ExprError::new(code, node.span.clone(), &[&args.def.name]).expecting(&["a date part in quotation marks"])
        );
    };
    if Part::from_name(name, args.def.name == "DATEPART").is_none() {
        let code = codes::DTS_E_EXPREVALINVALIDDATEPART;
        return Err(ExprError::new(code, node.span.clone(), &[&name, &args.def.name])
            .expecting(&["year, quarter, month, dayofyear, day, week, weekday, hour, minute, second, millisecond"]));
    }
    Ok(())
}

/// Checks an argument with a date and makes it a DT_DBTIMESTAMP.
fn check_date(args: &mut Args<'_>, i: usize) -> Typing<()> {
    let node = &args.nodes[i];
    // The reference has it that literals cast to these types do not validate.
    let refused = node.origin == Origin::CastLiteral
        && matches!(node.ty, DataType::DbTimeStamp2 { .. } | DataType::DbTimeStampOffset { .. });
    if !node.ty.is_date_time() || refused {
        return Err(args.wrong(i));
    }
    args.convert(i, DataType::DbTimeStamp)
}

fn micros<'a>(call: &'a Call<'_>, i: usize) -> Result<Operand<'a, i64>> {
    operand::<TimestampMicrosecondType>(&call.args[i])
}

pub(super) const YEAR: FunctionDef = FunctionDef {
    name: "YEAR",
    syntax: "YEAR(date)",
    types: types(&[Takes::Date], Gives::Always(DataType::I4)),
    doc: "The year of a date.",
    examples: &[example("YEAR((DT_DBTIMESTAMP)\"2002-11-23\")", "2002")],
    ..PART_OF_DATE
}
.computing(|call| each(call, Part::Year));

pub(super) const MONTH: FunctionDef = FunctionDef {
    name: "MONTH",
    syntax: "MONTH(date)",
    types: types(&[Takes::Date], Gives::Always(DataType::I4)),
    doc: "The month of a date, from 1.",
    examples: &[example("MONTH((DT_DBTIMESTAMP)\"2002-11-23\")", "11")],
    ..PART_OF_DATE
}
.computing(|call| each(call, Part::Month));

pub(super) const DAY: FunctionDef = FunctionDef {
    name: "DAY",
    syntax: "DAY(date)",
    types: types(&[Takes::Date], Gives::Always(DataType::I4)),
    doc: "The day of the month of a date.",
    examples: &[
        example("DAY((DT_DBTIMESTAMP)\"2002-11-23\")", "23"),
        example("DAY((DT_DBTIMESTAMP2,3)\"2002-11-23 00:00:00\")", "error 0xC0047089"),
    ],
    ..PART_OF_DATE
}
.computing(|call| each(call, Part::Day));

const PART_OF_DATE: FunctionDef = FunctionDef {
    typing: |args| {
        check_date(args, 0)?;
        Ok(DataType::I4)
    },
    ..BASE
};

impl FunctionDef {
    const fn computing(mut self, kernel: fn(&Call<'_>) -> Result<Computed>) -> FunctionDef {
        self.kernel = kernel;
        self
    }
}

fn each(call: &Call<'_>, part: Part) -> Result<Computed> {
    let dates = micros(call, call.args.len() - 1)?;
    let values = match dates {
        Operand::Many(dates) => match part {
            Part::Year => dates.iter().map(|d| number(*d, Part::Year)).collect(),
            Part::Month => dates.iter().map(|d| number(*d, Part::Month)).collect(),
            Part::Day => dates.iter().map(|d| number(*d, Part::Day)).collect(),
            part => dates.iter().map(|d| number(*d, part)).collect::<Vec<i32>>(),
        },
        Operand::One(date) => vec![number(date, part); call.rows],
    };
    Ok((Arc::new(Int32Array::try_new(values.into(), call.nulls.clone())?), Faults::new()))
}

pub(super) const DATEPART: FunctionDef = FunctionDef {
    name: "DATEPART",
    syntax: "DATEPART(\"part\", date)",
    types: types(&[Takes::DatePart, Takes::Date], Gives::Always(DataType::I4)),
    arity: 2,
    doc: "A part of a date: year (yy, yyyy), quarter (qq, q), month (mm, m), dayofyear (dy, y), day (dd, d), week (wk, ww), \
          weekday (dw; Sunday is 1), hour (hh), minute (mi, n), second (ss, s), millisecond (ms).",
    examples: &[
        example("DATEPART(\"mm\",(DT_DBTIMESTAMP)\"2002-11-04\")", "11"),
        example("DATEPART(\"dw\",(DT_DBTIMESTAMP)\"2024-01-07\")", "1"),
        example("DATEPART(\"week\",(DT_DBTIMESTAMP)\"2024-01-07\")", "2"),
        example("DATEPART(\"dy\",(DT_DBTIMESTAMP)\"2024-12-31\")", "366"),
        example("DATEPART(\"ms\",(DT_DBTIMESTAMP)\"2024-12-31 10:11:12.345\")", "345"),
        example("DATEPART(\"xx\",GETDATE())", "error 0xC004708F"),
    ],
    typing: |args| {
        check_part(args)?;
        check_date(args, 1)?;
        Ok(DataType::I4)
    },
    kernel: |call| each(call, Part::of(call)?),
    ..BASE
};

/// Weekday, Sunday is 1; week 1 begins on 1 January, and weeks begin on Sunday, as in the USA (unconfirmed for other
/// locales).
#[inline]
fn number(micros: i64, part: Part) -> i32 {
    let day = micros.div_euclid(DAY_MICROS) as i32;
    let of_day = micros.rem_euclid(DAY_MICROS);
    match part {
        Part::Year => civil_from_days(day).0,
        Part::Quarter => (civil_from_days(day).1 as i32 + 2) / 3,
        Part::Month => civil_from_days(day).1 as i32,
        Part::DayOfYear => day - days_from_civil(civil_from_days(day).0, 1, 1) + 1,
        Part::Day => civil_from_days(day).2 as i32,
        Part::Week => {
            let first = days_from_civil(civil_from_days(day).0, 1, 1);
            (weeks(day) - weeks(first)) as i32 + 1
        }
        Part::Weekday => weekday(day),
        Part::Hour => (of_day / (3600 * SECOND)) as i32,
        Part::Minute => (of_day / (60 * SECOND) % 60) as i32,
        Part::Second => (of_day / SECOND % 60) as i32,
        Part::Millisecond => (of_day / 1000 % 1000) as i32,
    }
}

/// 1 for Sunday. 1970-01-01 was a Thursday.
fn weekday(day: i32) -> i32 {
    (day + 4).rem_euclid(7) + 1
}

/// Sundays since a fixed one.
fn weeks(day: i32) -> i64 {
    (i64::from(day) + 4).div_euclid(7)
}

pub(super) const DATEDIFF: FunctionDef = FunctionDef {
    name: "DATEDIFF",
    syntax: "DATEDIFF(\"part\", start, end)",
    types: types(&[Takes::DatePart, Takes::Date, Takes::Date], Gives::Always(DataType::I4)),
    arity: 3,
    doc: "How many boundaries of a part of time lie between two dates; negative if the end is before the start.",
    examples: &[
        example("DATEDIFF(\"yy\",(DT_DBDATE)\"2023-12-31\",(DT_DBDATE)\"2024-01-01\")", "1"),
        example("DATEDIFF(\"mm\",(DT_DBDATE)\"2024-01-31\",(DT_DBDATE)\"2024-02-01\")", "1"),
        example("DATEDIFF(\"dd\",(DT_DBDATE)\"2024-01-02\",(DT_DBDATE)\"2024-01-01\")", "-1"),
        example("DATEDIFF(\"ms\",(DT_DBDATE)\"2024-01-01\",(DT_DBDATE)\"2024-03-01\")", "error 0xC004707F"),
    ],
    typing: |args| {
        check_part(args)?;
        check_date(args, 1)?;
        check_date(args, 2)?;
        Ok(DataType::I4)
    },
    fallible: always,
    kernel: |call| {
        let part = Part::of(call)?;
        let (start, end) = (micros(call, 1)?, micros(call, 2)?);
        let mut faults = Faults::new();
        let mut values = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            let difference = boundary(end.get(row), part) - boundary(start.get(row), part);
            values.push(i32::try_from(difference).unwrap_or_else(|_| {
                if call.is_valid(row) {
                    faults.push(fault(row, OVERFLOW));
                }
                0
            }));
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((Arc::new(Int32Array::try_new(values.into(), nulls)?), faults))
    },
    ..BASE
};

/// The number of a part's boundaries before a time, counted from a fixed one.
fn boundary(micros: i64, part: Part) -> i64 {
    let day = micros.div_euclid(DAY_MICROS);
    let months = || {
        let (year, month, _) = civil_from_days(day as i32);
        i64::from(year) * 12 + i64::from(month) - 1
    };
    match part {
        Part::Year => months().div_euclid(12),
        Part::Quarter => months().div_euclid(3),
        Part::Month => months(),
        Part::DayOfYear | Part::Day | Part::Weekday => day,
        Part::Week => weeks(day as i32),
        Part::Hour => micros.div_euclid(3600 * SECOND),
        Part::Minute => micros.div_euclid(60 * SECOND),
        Part::Second => micros.div_euclid(SECOND),
        Part::Millisecond => micros.div_euclid(1000),
    }
}

pub(super) const DATEADD: FunctionDef = FunctionDef {
    name: "DATEADD",
    syntax: "DATEADD(\"part\", number, date)",
    types: types(&[Takes::DatePart, Takes::Integer, Takes::Date], Gives::Always(DataType::DbTimeStamp)),
    arity: 3,
    doc: "A date so many parts later, or earlier for a negative number, as DT_DBTIMESTAMP. A day that the month does not \
          have becomes its last.",
    examples: &[
        example("DATEADD(\"day\",21,(DT_DBTIMESTAMP)\"2003-08-01\")", "2003-08-22 00:00:00"),
        example("DATEADD(\"mm\",1,(DT_DBTIMESTAMP)\"2024-01-31\")", "2024-02-29 00:00:00"),
        example("DATEADD(\"ss\",-1,(DT_DBTIMESTAMP)\"2024-01-01\")", "2023-12-31 23:59:59"),
        example("DATEADD(\"yyyy\",9000,(DT_DBTIMESTAMP)\"2024-01-01\")", "error 0xC004707F"),
    ],
    typing: |args| {
        check_part(args)?;
        args.integer(1)?;
        check_date(args, 2)?;
        Ok(DataType::DbTimeStamp)
    },
    fallible: always,
    kernel: |call| {
        let part = Part::of(call)?;
        let (number, dates) = (Ints::new(&call.args[1])?, micros(call, 2)?);
        let mut faults = Faults::new();
        let mut values = Vec::with_capacity(call.rows);
        for row in 0..call.rows {
            values.push(add(dates.get(row), number.get(row), part).unwrap_or_else(|| {
                if call.is_valid(row) {
                    faults.push(fault(row, OVERFLOW));
                }
                0
            }));
        }
        let nulls = null_out(call.nulls.clone(), call.rows, &faults);
        Ok((Arc::new(PrimitiveArray::<TimestampMicrosecondType>::try_new(values.into(), nulls)?), faults))
    },
    ..BASE
};

/// None outside of the years 1 to 9999. Whole months keep the day or take the month's last (unconfirmed).
fn add(micros: i64, number: i64, part: Part) -> Option<i64> {
    let months = |n: i64| {
        let day = micros.div_euclid(DAY_MICROS) as i32;
        let (year, month, of_month) = civil_from_days(day);
        let months = (i64::from(year) * 12 + i64::from(month) - 1).checked_add(n)?;
        let year = i32::try_from(months.div_euclid(12)).ok().filter(|y| (1..=9999).contains(y))?;
        let month = months.rem_euclid(12) as u32 + 1;
        let day = days_from_civil(year, month, of_month.min(days_in_month(year, month)));
        Some(i64::from(day) * DAY_MICROS + micros.rem_euclid(DAY_MICROS))
    };
    let later = |unit: i64| micros.checked_add(number.checked_mul(unit)?);
    let result = match part {
        Part::Year => months(number.checked_mul(12)?),
        Part::Quarter => months(number.checked_mul(3)?),
        Part::Month => months(number),
        Part::DayOfYear | Part::Day | Part::Weekday => later(DAY_MICROS),
        Part::Week => later(7 * DAY_MICROS),
        Part::Hour => later(3600 * SECOND),
        Part::Minute => later(60 * SECOND),
        Part::Second => later(SECOND),
        Part::Millisecond => later(1000),
    }?;
    let (first, end) = (i64::from(MIN_DAY) * DAY_MICROS, (i64::from(MAX_DAY) + 1) * DAY_MICROS);
    (first..end).contains(&result).then_some(result)
}

pub(super) const GETDATE: FunctionDef = FunctionDef {
    name: "GETDATE",
    syntax: "GETDATE()",
    types: types(&[], Gives::Always(DataType::DbTimeStamp)),
    doc: "The date and time of the machine, as DT_DBTIMESTAMP.",
    examples: &[example("ISNULL(GETDATE())", "False")],
    kernel: |call| now(call, false),
    ..NOW
};

pub(super) const GETUTCDATE: FunctionDef = FunctionDef {
    name: "GETUTCDATE",
    syntax: "GETUTCDATE()",
    types: types(&[], Gives::Always(DataType::DbTimeStamp)),
    doc: "The date and time in UTC, as DT_DBTIMESTAMP.",
    examples: &[example("ISNULL(GETUTCDATE())", "False")],
    kernel: |call| now(call, true),
    ..NOW
};

const NOW: FunctionDef = FunctionDef { arity: 0, volatile: true, typing: |_| Ok(DataType::DbTimeStamp), ..BASE };

fn now(call: &Call<'_>, utc: bool) -> Result<Computed> {
    let values = vec![call.cx.now(utc); call.rows];
    Ok((Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(values.into(), None)), Faults::new()))
}
