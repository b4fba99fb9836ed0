//! The world, tested from outside: the guarantees on which its users may rely.

mod chaos;
mod clocks;
mod deceptions;
mod determinism;
mod explore;
mod faults;
mod half_open;
mod journey;
mod lifetime;
mod links;
mod nodes;
mod outcome;
mod picture;
mod schedule;
mod silence;
mod stopping;
mod support;
mod time;
mod trace;
