//! The striker: at which moments a plan of faults strikes.
//!
//! A moment is a message on a watched link, or a tick of the plan. At each one choice is made: 0 is
//! nothing, and every other value is one fault of the plan with its duration and its delay. The
//! choice is made at its own moment, so a tape that is cut there leaves all later faults open.
//!
//! How a seed draws (how rare faults are, which ones it uses at all) is not on the tape, only what
//! came of it. A failing run therefore shrinks to one choice for each fault.
//!
//! This file knows faults as numbers. What they do is `sim/chaos/fault.rs`; the moments are
//! `moment.rs`.

use crate::choice::{Choices, Place, Site};
use crate::sim::kernel::id::NodeId;
use std::sync::Arc;
use std::time::Duration;

/// The choice of a fault.
pub(crate) const STRIKE: Site = Site::new("chaos.strike");
/// How a seed draws its faults. These draws are no choices.
const RARITY: Site = Site::new("chaos.rarity");
const SWARM: Site = Site::new("chaos.swarm");
const NOW: Site = Site::new("chaos.now");
const WHICH: Site = Site::new("chaos.which");

/// The time from the moment to the fault.
pub(crate) const DELAYS: [Duration; 3] =
    [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(100)];
/// The delays as they are drawn: every other fault comes at once.
const DRAWN_DELAYS: [u64; 4] = [0, 0, 1, 2];

/// The entity of moments that are ticks.
pub(crate) const TICK: u64 = u64::MAX;

/// How many rarities a seed draws from, if nothing is known of its run: 1 in 4 to 1 in 512.
const RARITIES: u64 = 8;

/// What the kernel knows of a fault.
#[derive(Debug)]
pub(crate) struct Kind {
    /// How many durations there are to choose from; at least 1.
    pub(crate) durations: u64,
    /// The process that it ends before that does anything else, if it comes at once.
    pub(crate) fatal: Option<Fatal>,
    /// The node or service that it strikes, and what happens for each duration, in words. Empty
    /// unless the run is recorded.
    pub(crate) told: Option<(Arc<str>, Vec<String>)>,
}

/// The process that a fault ends at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fatal {
    Always(NodeId),
    /// Unless it handles termination.
    UnlessHandled(NodeId),
}

/// A fault of a plan, chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Strike {
    /// The plan's number.
    pub(crate) storm: u32,
    pub(crate) fault: usize,
    pub(crate) duration: usize,
    pub(crate) delay: Duration,
    /// Whether a process has died of it already, in the middle of a poll.
    pub(crate) was_fatal: bool,
}

/// When the faults of a plan strike.
#[derive(Debug)]
pub(crate) struct Striker {
    storm: u32,
    kinds: Vec<Kind>,
    /// The faults that this seed draws.
    enabled: Vec<usize>,
    /// One moment in so many has a fault.
    one_in: u64,
    /// The number of faults that may still strike.
    left: u32,
    pub(crate) tick_place: Place,
    /// Whether the plan's clock stands, because nothing runs.
    pub(crate) clock_stands: bool,
}

impl Striker {
    /// Returns the striker of the plan of this number. `one_in` is the rarity of faults, if it is
    /// known; otherwise each seed draws its own. `swarms` says whether each seed uses only some of
    /// the faults.
    pub(crate) fn new(
        choices: &mut Choices,
        (storm, kinds): (u32, Vec<Kind>),
        one_in: Option<u64>,
        faults: u32,
        swarms: bool,
    ) -> Striker {
        let mut enabled: Vec<usize> = (0..kinds.len()).collect();
        if swarms {
            enabled.retain(|fault| choices.draw(SWARM, *fault as u64, 2) == 0);
        }
        if enabled.is_empty() {
            enabled = (0..kinds.len()).collect();
        }
        let one_in = one_in.unwrap_or_else(|| 4 << choices.draw(RARITY, TICK, RARITIES));
        let (left, tick_place, clock_stands) = (faults, Place::default(), false);
        Striker { storm, kinds, enabled, one_in, left, tick_place, clock_stands }
    }

    /// Returns the plan's number.
    pub(crate) fn storm(&self) -> u32 {
        self.storm
    }

    /// Returns whether a fault may still strike.
    pub(crate) fn is_armed(&self) -> bool {
        self.left > 0 && !self.kinds.is_empty()
    }

    /// Counts a fault that strikes.
    pub(crate) fn count(&mut self) {
        self.left -= 1;
    }

    /// Lets no fault strike any more.
    pub(crate) fn disarm(&mut self) {
        self.left = 0;
    }

    /// Returns the number of answers to the choice of a fault: nothing, or one of them.
    pub(crate) fn answers(&self) -> u64 {
        1 + self.kinds.iter().map(|kind| kind.durations * DELAYS.len() as u64).sum::<u64>()
    }

    /// Draws what happens at a moment.
    pub(crate) fn propose(&self, choices: &mut Choices, entity: u64) -> u64 {
        if self.one_in > 1 && choices.draw(RARITY, entity, self.one_in) != self.one_in - 1 {
            return 0;
        }
        let fault = self.enabled[choices.draw(WHICH, entity, self.enabled.len() as u64) as usize];
        let before = |kind: &Kind| kind.durations * DELAYS.len() as u64;
        let first = 1 + self.kinds[..fault].iter().map(before).sum::<u64>();
        let drawn = DRAWN_DELAYS.len() as u64;
        let how = choices.draw(NOW, entity, self.kinds[fault].durations * drawn);
        first + how / drawn * DELAYS.len() as u64 + DRAWN_DELAYS[(how % drawn) as usize]
    }

    /// Returns the fault of an answer that is not 0.
    pub(crate) fn decode(&self, answer: u64) -> Strike {
        let mut rest = answer.saturating_sub(1);
        let delays = DELAYS.len() as u64;
        for (fault, kind) in self.kinds.iter().enumerate() {
            let here = kind.durations * delays;
            if rest < here {
                let (duration, delay) = ((rest / delays) as usize, (rest % delays) as usize);
                let (storm, delay) = (self.storm, DELAYS[delay]);
                return Strike { storm, fault, duration, delay, was_fatal: false };
            }
            rest -= here;
        }
        unreachable!("an answer is below the number of answers")
    }

    /// Returns the process that a strike ends before that does anything else.
    pub(crate) fn fatal(&self, strike: Strike) -> Option<Fatal> {
        self.kinds[strike.fault].fatal.filter(|_| strike.delay.is_zero())
    }

    /// Returns what a fault does, in words, with whom it strikes.
    pub(crate) fn told(&self, strike: Strike, moment: &str) -> Option<(&Arc<str>, String)> {
        let (who, told) = self.kinds[strike.fault].told.as_ref()?;
        let what = &told[strike.duration];
        let when = match strike.delay {
            Duration::ZERO => "as".to_owned(),
            delay => format!("{delay:?} after"),
        };
        Some((who, format!("{what}, {when} {moment} (calm: nothing happens)")))
    }
}
