//! The world, tested from outside: the guarantees on which its users may rely.

mod chaos;
mod checks;
mod clocks;
mod deceptions;
mod determinism;
mod environment;
mod explore;
mod faults;
mod half_open;
mod journey;
mod ledger;
mod lifetime;
mod links;
mod nodes;
mod outcome;
mod picture;
mod plans;
mod saved;
mod schedule;
mod search;
mod shrinking;
mod silence;
mod stopping;
mod support;
mod time;
mod trace;
