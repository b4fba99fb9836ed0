//! Memory, measured by a counting allocator. There is one test in this process, so that nothing
//! else allocates while it measures.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod clients;
mod keys;
mod queues;
mod streams;
mod sweep;
mod trace;
mod wire;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[test]
fn memory_is_bounded() {
    queues::a_queued_message_is_small_and_fanout_shares_it();
    wire::announced_lengths_take_no_memory_and_useless_bytes_are_dropped();
    clients::an_amqp_client_is_small();
    clients::a_redis_client_is_small();
    keys::a_small_string_key_is_small();
    streams::a_streams_entry_is_as_small_as_in_redis();
    trace::a_trace_of_everything_is_small();
    sweep::a_sweep_of_many_seeds_takes_no_more_memory_than_one_of_few();
}
