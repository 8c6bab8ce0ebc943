//! What the criterion suites share. The suites are in `benches/benches/`, whole packages beside other engines in
//! `benches/run`; nothing outside `benches/` depends on this crate.
