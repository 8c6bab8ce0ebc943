//! What several kinds have in common.

pub(crate) mod blocking;
pub(crate) mod files;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod text;
