//! The rest: `/CommandFile`, `/Rem`, `/Help`, and options that have no effect on a command line.

use super::{Argument, Effect, OptionDef};

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "CommandFile",
        minimum: 3,
        argument: Argument::Required("filespec"),
        doc: "Reads more options from a text file.",
        effect: Effect::CommandFile,
    },
    OptionDef {
        name: "Rem",
        minimum: 3,
        argument: Argument::Required("text"),
        doc: "A comment.",
        effect: Effect::Ignored,
    },
    OptionDef {
        name: "CallerInfo",
        minimum: 2,
        argument: Argument::Required("text"),
        doc: "Belongs to SQL Server Agent; has no effect.",
        effect: Effect::Ignored,
    },
    OptionDef {
        name: "X86",
        minimum: 3,
        argument: Argument::None,
        doc: "Belongs to SQL Server Agent; has no effect.",
        effect: Effect::Ignored,
    },
    OptionDef {
        name: "Help",
        minimum: 1,
        argument: Argument::Optional("option"),
        doc: "Shows this, or one option. Also /?.",
        effect: Effect::Apply(|plain, value| {
            plain.help = Some(value.to_owned());
            Ok(())
        }),
    },
];
