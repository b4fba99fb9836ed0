//! Production code on `lapin`, unmodified, in a world.

mod basics;
mod determinism;
mod support;
