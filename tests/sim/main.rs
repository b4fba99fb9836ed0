//! The world, tested from outside: what anyone who builds on it may rely on.

mod chaos;
mod determinism;
mod explore;
mod faults;
mod lifetime;
mod links;
mod nodes;
mod outcome;
mod schedule;
mod support;
mod time;
mod trace;
