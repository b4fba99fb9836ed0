//! The parts of every contender's program: cases by name, one of which is measured in a process.
//!
//! A program is called with the name of a case and prints one number: the processor time of one
//! operation in nanoseconds. Each runs in a process of its own, because some of them replace global
//! state (madsim the clocks of libc, turmoil and shuttle thread-locals). Within the process a case
//! runs many worlds, so that what is set up once in a process is not counted.

use rustix::time::{ClockId, clock_gettime};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A case made ready: each call does a batch of operations and returns how many.
pub type Batch = Box<dyn FnMut() -> u64>;

/// The name of a case, and what makes it ready. Only the batches are measured.
pub type Case = (&'static str, fn() -> Batch);

/// How much processor time a measurement takes at least, after a batch to warm up.
const AT_LEAST: Duration = Duration::from_millis(300);

/// Returns the processor time of this process, all threads together.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Measures the case that the command line names, and prints the nanoseconds of one operation.
pub fn run(cases: &[Case]) {
    let wanted = std::env::args().nth(1).unwrap_or_default();
    let Some((_, make)) = cases.iter().find(|(name, _)| *name == wanted) else {
        let names: Vec<_> = cases.iter().map(|(name, _)| *name).collect();
        eprintln!("there is no case `{wanted}`; there are {}", names.join(", "));
        std::process::exit(2);
    };
    let mut batch = make();
    batch();
    let began = processor_time();
    let (mut operations, mut took) = (0, Duration::ZERO);
    while took < AT_LEAST {
        operations += batch();
        took = processor_time() - began;
    }
    println!("{}", took.as_nanos() as f64 / operations as f64);
}

/// How many tasks sleep in the timers' case.
pub const SLEEPERS: u64 = 10_000;

/// The period of the `i`-th sleeper, from 1 to 2 ms: all different, so that their order is work.
#[must_use]
pub fn period(i: u64) -> Duration {
    Duration::from_nanos(1_000_000 + (i * 7_919) % 999_983)
}

/// Returns the virtual time of one batch of timers.
#[must_use]
pub fn timers_run() -> Duration {
    Duration::from_millis(15)
}

/// Lets other tasks run once, for runtimes that have no such function.
#[must_use]
pub fn yield_now() -> YieldNow {
    YieldNow(false)
}

/// The future of [`yield_now`].
#[derive(Debug)]
pub struct YieldNow(bool);

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// A script of five calls: a window that counts its visits.
pub const FIVE_CALLS: &str = "local visits = redis.call('INCR', KEYS[1])
if visits == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], 'visits', visits, 'limit', ARGV[2])
local left = redis.call('PTTL', KEYS[1])
local seen = redis.call('HGET', KEYS[2], 'visits')
redis.call('EXISTS', KEYS[1], KEYS[2])
return {visits, left, seen}";

/// Keys of 16 bytes.
#[must_use]
pub fn keys(count: u64) -> Vec<String> {
    (0..count).map(|i| format!("key:{i:012}")).collect()
}

/// How many keys the cases with many keys have, and how many operations a batch of them does.
pub const KEYS: u64 = 1_000_000;
/// See [`KEYS`].
pub const OPERATIONS: u64 = 200_000;

/// Returns the batch that does an operation [`OPERATIONS`] times.
#[must_use]
pub fn repeated(mut operation: impl FnMut() + 'static) -> Batch {
    Box::new(move || {
        for _ in 0..OPERATIONS {
            operation();
        }
        OPERATIONS
    })
}

/// The value that is set: 8 bytes.
pub const VALUE: &str = "value:01";

/// An endless walk over the keys in an order that no cache foresees.
#[derive(Debug)]
pub struct Scattered {
    at: u64,
    count: u64,
}

impl Scattered {
    /// Returns a walk over `count` keys.
    #[must_use]
    pub fn over(count: u64) -> Scattered {
        Scattered { at: 0, count }
    }

    /// Returns the next key's index.
    pub fn step(&mut self) -> usize {
        self.at = (self.at + 618_033_989) % self.count;
        self.at as usize
    }
}
