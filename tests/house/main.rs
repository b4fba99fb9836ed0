//! The order of the house: rules about the source itself, which no compiler checks.

mod behaviours;
mod circles;
mod prose;
mod source;
