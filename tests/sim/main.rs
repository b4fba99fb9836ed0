//! The world, tested from outside: what anyone who builds on it may rely on.

mod chaos;
mod clocks;
mod deceptions;
mod determinism;
mod explore;
mod faults;
mod half_open;
mod lifetime;
mod links;
mod nodes;
mod outcome;
mod schedule;
mod silence;
mod stopping;
mod support;
mod time;
mod trace;
