//! The kernel: virtual time, processes and tasks, and the order in which things happen.
//!
//! Start with [`core`]: its `Core` holds every table of a world behind one lock, and `Core::turn`
//! decides what happens next. `executor` then does it, with everything that need not be `Send`.
//!
//! Invariants:
//!
//! - Nothing happens outside a turn, and turns come in the documented order: requests of handles,
//!   ready tasks, the next event.
//! - Time only moves forward, and only when no task is ready.
//! - A process that is not alive has no tasks, timers or open sockets, and changes nothing.
//!
//! | file | what is in it |
//! |---|---|
//! | `agenda`, `run` | future events, and the nearest of them |
//! | `clock` | a machine's clock: offset and drift |
//! | `core` | the tables, and `turn` |
//! | `draw` | the choices of the kernel |
//! | `event` | an event and its place in the order |
//! | `executor` | the run loop |
//! | `follow` | a world that follows the clock of code outside of it |
//! | `guest` | runtimes of their own that run a node's code |
//! | `id` | ids of nodes, links and tasks |
//! | `invariants` | the checks of these |
//! | `life` | how processes begin and end |
//! | `moment`, `striker` | when the faults of a plan strike |
//! | `patience` | detects runs without an end |
//! | `polling` | whether a task is being polled |
//! | `probe` | what the core knows of guests |
//! | `process`, `task`, `timer` | the tables |
//! | `quiet` | the panic hook during a sweep |
//! | `rest` | which tasks still wait when nothing can happen any more |
//! | `schedule` | which ready task runs next |
//! | `turn` | what a turn can be |
//! | `wake` | how tasks become ready |
//! | `world` | the shared half of a world |

pub(super) mod agenda;
pub(super) mod clock;
pub(super) mod core;
pub(super) mod draw;
pub(super) mod event;
pub(super) mod executor;
pub(super) mod follow;
pub(crate) mod guest;
pub(super) mod id;
pub(super) mod invariants;
pub(super) mod life;
pub(super) mod moment;
pub(super) mod patience;
pub(super) mod polling;
pub(crate) mod probe;
pub(super) mod process;
pub(super) mod quiet;
pub(super) mod rest;
pub(super) mod run;
pub(crate) mod schedule;
pub(super) mod striker;
pub(super) mod task;
pub(super) mod timer;
pub(super) mod turn;
pub(super) mod wake;
pub(crate) mod world;
