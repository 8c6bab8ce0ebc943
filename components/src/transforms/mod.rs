//! Components with inputs and outputs.
