//! Production code on `lapin`, unmodified, in a world.

mod basics;
mod determinism;
mod faults;
mod leaks;
mod recovery;
mod support;
mod unit;
