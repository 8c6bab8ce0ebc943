//! What is shown: `/Reporting`, `/Sum`, and the logs that this build does not have.

use super::{Argument, Effect, OptionDef};
use dtsx::{Event, EventKind};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "Reporting",
        minimum: 3,
        argument: Argument::Required("level[;event...]"),
        doc: "What to show: N nothing, V everything, or of E errors, W warnings, I information, C custom events, \
              D data flow events, P progress; then events not to show.",
        effect: Effect::Apply(|plain, value| {
            plain.reporting = Reporting::parse(value)?;
            Ok(())
        }),
    },
    OptionDef {
        name: "Sum",
        minimum: 2,
        argument: Argument::None,
        doc: "Shows how many rows passed to each component.",
        effect: Effect::Apply(|plain, _| {
            plain.sum = true;
            Ok(())
        }),
    },
    OptionDef {
        name: "ConsoleLog",
        minimum: 4,
        argument: Argument::Optional("[display][;list;src]..."),
        doc: "Shows log entries.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "Logger",
        minimum: 1,
        argument: Argument::Required("classid_or_progid;configstring"),
        doc: "Adds a log provider.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "VLog",
        minimum: 4,
        argument: Argument::Optional("filespec"),
        doc: "Writes all events to the log providers.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "Dump",
        minimum: 4,
        argument: Argument::Required("code[;code...]"),
        doc: "Makes a dump on events.",
        effect: Effect::Refused,
    },
    OptionDef {
        name: "DumpOnError",
        minimum: 11,
        argument: Argument::None,
        doc: "Makes a dump on errors.",
        effect: Effect::Refused,
    },
];

/// What is shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reporting {
    /// The letters of the level, in capitals.
    letters: String,
    /// Events that are not shown, by name.
    except: Vec<String>,
}

impl Default for Reporting {
    /// Errors, warnings, progress.
    fn default() -> Reporting {
        Reporting { letters: "EWP".to_owned(), except: Vec::new() }
    }
}

impl Reporting {
    fn parse(text: &str) -> Result<Reporting, String> {
        let mut parts = text.split(';').map(str::trim);
        let letters = parts.next().unwrap_or_default().to_ascii_uppercase();
        if letters.is_empty() || letters.chars().any(|c| !"NEWICDPV".contains(c)) {
            return Err(format!("\"{letters}\" is no level: use letters of NEWICDPV"));
        }
        if letters.len() > 1 && letters.contains(['N', 'V']) {
            return Err("N and V stand alone".to_owned());
        }
        Ok(Reporting { letters, except: parts.filter(|p| !p.is_empty()).map(str::to_owned).collect() })
    }

    /// Whether an event is shown.
    pub fn shows(&self, event: &Event) -> bool {
        let letter = match &event.kind {
            EventKind::Error(_) => 'E',
            EventKind::Warning(_) => 'W',
            EventKind::Information(_) => 'I',
            EventKind::Progress { .. } => 'P',
            EventKind::Custom { name, .. } if name.starts_with("Pipeline") => 'D',
            EventKind::Custom { .. } => 'C',
            // Nothing is written of the others, at any level.
            _ => return false,
        };
        self.shows_letter(letter) && !self.except.iter().any(|name| name.eq_ignore_ascii_case(event.kind.name()))
    }

    /// Whether the level has a letter.
    pub fn shows_letter(&self, letter: char) -> bool {
        self.letters == "V" || self.letters.contains(letter)
    }
}
