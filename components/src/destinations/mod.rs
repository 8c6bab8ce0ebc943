//! Components where rows leave the flow.
