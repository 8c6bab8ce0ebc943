//! What several kinds have in common.

pub(crate) mod files;
pub(crate) mod text;
