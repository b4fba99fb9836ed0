//! Three bugs of two tasks, as shuttle finds them and as we do: the runs and the time until each is
//! found, and how many decisions are left to understand it.
//!
//! - *order*: a reader looks between the two halves of a write;
//! - *atomicity*: two tasks read a number, and write it back one larger;
//! - *lost wake-up*: a task finds nothing to do and goes to sleep, and is woken in between.
//!
//! The tasks are the same code on both sides, with the same yields. Medians and ranges of 30 seeds.
//! For shuttle, which does not shrink, the decisions are those of the failing schedule at which
//! there was a choice and not the first task was taken. spawned-rt's explorer is not here: the
//! newest version that the registry has (0.5.0) has none.
//!
//! `cargo run --release --bin find 2>/dev/null`, in this folder: shuttle prints each failure.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Schedule, Scheduler, Task, TaskId};
use shuttle::scheduler::UrwRandomScheduler;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Instant;
use stunt_double::sim::{Effort, Schedules, Seeds, Sim, Strategy, Sweep};

const SEEDS: u64 = 30;
const RUNS: usize = 10_000;

/// What the two tasks of a bug share.
#[derive(Default)]
struct Shared {
    flag: AtomicBool,
    number: AtomicU32,
    sleeper: Mutex<Option<Waker>>,
}

type State = Arc<Shared>;

#[derive(Clone, Copy, Debug)]
enum Bug {
    Order,
    Atomicity,
    LostWakeUp,
}

/// The first task of a bug.
async fn first<F: Future>(bug: Bug, state: State, yields: impl Fn() -> F) {
    match bug {
        Bug::Order => {
            state.flag.store(true, SeqCst);
            yields().await;
            state.flag.store(false, SeqCst);
        }
        Bug::Atomicity => {
            let read = state.number.load(SeqCst);
            yields().await;
            state.number.store(read + 1, SeqCst);
        }
        Bug::LostWakeUp => {
            if state.flag.load(SeqCst) {
                return;
            }
            yields().await;
            let mut is_woken = false;
            poll_fn(move |cx| {
                if std::mem::replace(&mut is_woken, true) {
                    return Poll::Ready(());
                }
                *state.sleeper.lock().expect("one thread") = Some(cx.waker().clone());
                Poll::Pending
            })
            .await;
        }
    }
}

/// The second task of a bug.
async fn second<F: Future>(bug: Bug, state: State, yields: impl Fn() -> F) {
    for _ in 0..3 {
        yields().await;
    }
    match bug {
        Bug::Order => assert!(!state.flag.load(SeqCst), "half a write"),
        Bug::Atomicity => {
            let read = state.number.load(SeqCst);
            yields().await;
            state.number.store(read + 1, SeqCst);
        }
        Bug::LostWakeUp => {
            state.flag.store(true, SeqCst);
            let sleeper = state.sleeper.lock().expect("one thread").take();
            sleeper.into_iter().for_each(Waker::wake);
        }
    }
}

fn check(bug: Bug, state: &Shared) {
    if matches!(bug, Bug::Atomicity) {
        assert_eq!(state.number.load(SeqCst), 2, "a lost update");
    }
}

/// A hunt: the runs until the bug was found, the milliseconds, and the decisions left.
type Hunt = Option<(u64, f64, u64)>;

/// Counts the executions of a scheduler, and the decisions of the last.
struct Counting<S> {
    inner: S,
    executions: Arc<AtomicUsize>,
    decisions: Arc<AtomicUsize>,
}

impl<S: Scheduler> Scheduler for Counting<S> {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.executions.fetch_add(1, SeqCst);
        self.decisions.store(0, SeqCst);
        self.inner.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let next = self.inner.next_task(runnable, current, is_yielding);
        if runnable.len() > 1 && next != Some(runnable[0].id()) {
            self.decisions.fetch_add(1, SeqCst);
        }
        next
    }

    fn next_u64(&mut self) -> u64 {
        self.inner.next_u64()
    }
}

fn shuttle_hunt(bug: Bug, scheduler: impl Scheduler + 'static) -> Hunt {
    let (executions, decisions) = (Arc::default(), Arc::default());
    let scheduler = Counting {
        inner: scheduler,
        executions: Arc::clone(&executions),
        decisions: Arc::clone(&decisions),
    };
    let mut config = shuttle::Config::new();
    config.failure_persistence = shuttle::FailurePersistence::None;
    let began = Instant::now();
    let run = || {
        shuttle::Runner::new(scheduler, config).run(move || {
            use shuttle::future::{block_on, spawn, yield_now};
            let state = State::default();
            let a = spawn(first(bug, Arc::clone(&state), yield_now));
            let b = spawn(second(bug, Arc::clone(&state), yield_now));
            block_on(async {
                a.await.expect("it ends");
                b.await.expect("it ends");
            });
            check(bug, &state);
        });
    };
    let failed = catch_unwind(AssertUnwindSafe(run)).is_err();
    let took = began.elapsed().as_secs_f64() * 1e3;
    let (runs, left) = (executions.load(SeqCst) as u64, decisions.load(SeqCst) as u64);
    failed.then_some((runs, took, left))
}

fn scenario(bug: Bug) -> impl Fn(&mut Sim) + Sync {
    move |sim: &mut Sim| {
        let state = State::default();
        sim.node_with("first", Arc::clone(&state), move |node, state| async move {
            first(bug, state, || node.yield_now()).await;
        });
        sim.node_with("second", Arc::clone(&state), move |node, state| async move {
            second(bug, state, || node.yield_now()).await;
        });
        sim.run().expect_done();
        check(bug, &state);
    }
}

/// Returns the hunt that a sweep was.
fn of(sweep: &Sweep, left: u64) -> Hunt {
    let took = sweep.wall_time.as_secs_f64() * 1e3;
    (!sweep.failures.is_empty()).then_some((sweep.ran, took, left))
}

fn our_hunt(bug: Bug, strategy: Strategy, number: u64) -> Hunt {
    let start = number * 1_000_000;
    let seeds = Seeds::new(start..start + RUNS as u64).without_files().with_threads(1);
    let sweep = seeds.with_strategy(strategy).with_effort(Effort::default()).run(scenario(bug));
    let left = sweep.account.as_ref().map_or(0, |account| account.decisions.len() as u64);
    of(&sweep, left)
}

fn exhaustive_hunt(bug: Bug) -> Hunt {
    let sweep = Schedules::new(RUNS as u64).run(scenario(bug));
    let left = sweep.account.as_ref().map_or(0, |account| account.decisions.len() as u64);
    of(&sweep, left)
}

fn show(who: &str, hunts: Vec<Hunt>) {
    let all = hunts.len();
    let mut found: Vec<(u64, f64, u64)> = hunts.into_iter().flatten().collect();
    if found.is_empty() {
        return println!("  {who:26} not found in {RUNS} runs");
    }
    let middle = found.len() / 2;
    found.sort_by(|a, b| a.0.cmp(&b.0));
    let (least, runs, most) = (found[0].0, found[middle].0, found[found.len() - 1].0);
    found.sort_by(|a, b| a.1.total_cmp(&b.1));
    let took = found[middle].1;
    found.sort_by_key(|hunt| hunt.2);
    let (left, most_left) = (found[middle].2, found[found.len() - 1].2);
    println!(
        "  {who:26} {runs:4} runs ({least} to {most}), {took:.2} ms, {left} decisions left (at most \
         {most_left}); found {} of {all} times",
        found.len()
    );
}

fn main() {
    // Every failure is caught.
    std::panic::set_hook(Box::new(|_| {}));
    for bug in [Bug::Order, Bug::Atomicity, Bug::LostWakeUp] {
        println!("{bug:?}");
        let all = |hunt: &dyn Fn(u64) -> Hunt| (0..SEEDS).map(hunt).collect::<Vec<Hunt>>();
        let random = |seed| shuttle_hunt(bug, RandomScheduler::new_from_seed(seed, RUNS));
        show("shuttle, random", all(&random));
        let pct = |seed| shuttle_hunt(bug, PctScheduler::new_from_seed(seed, 3, RUNS));
        show("shuttle, PCT 3", all(&pct));
        let urw = |seed| shuttle_hunt(bug, UrwRandomScheduler::new_from_seed(seed, RUNS));
        show("shuttle, uniform walk", all(&urw));
        for (name, strategy) in [
            ("random", Strategy::Random),
            ("PCT 3", Strategy::Pct { depth: 3, moments: None }),
            ("POS", Strategy::Pos),
            ("SURW", Strategy::Surw),
        ] {
            show(&format!("here, {name}"), all(&|number| our_hunt(bug, strategy, number)));
        }
        show("here, every schedule", vec![exhaustive_hunt(bug)]);
    }
}
