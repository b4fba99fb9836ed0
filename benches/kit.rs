//! The kit of classic bugs: how many seeds, and how much time, each strategy needs to find each.
//!
//! A bug is hunted in 20 ranges of seeds, on one thread, with the default settings of a sweep but
//! for the strategy; medians are printed, or how often it was found if that is less than half of
//! the time. Then the first failure is made small and explained: the choices that are left, the
//! time that this takes, and whether the decisive choice is the planted one. The last line counts
//! what a person wants to know. `--markdown` prints the table of the README.
//!
//! `cargo bench -p stunt-double-benches --bench kit [-- --markdown] [NAME]`

use std::time::Instant;
use stunt_double::sim::{Effort, Seeds, Strategy, Sweep};
use stunt_double_kit::{Bug, Planted, kit};

/// The number of hunts, and the seeds of each.
const HUNTS: u64 = 20;
const SEEDS: u64 = 2_000;

const STRATEGIES: [(&str, Strategy); 5] = [
    ("default", Strategy::Fifo),
    ("random", Strategy::Random),
    ("PCT", Strategy::Pct { depth: 3, moments: None }),
    ("POS", Strategy::Pos),
    ("SURW", Strategy::Surw),
];

fn hunt(bug: &Bug, strategy: Strategy, number: u64, effort: Effort) -> Sweep {
    let start = number * 100_000;
    let seeds = Seeds::new(start..start + SEEDS).without_files().with_threads(1);
    seeds.with_strategy(strategy).with_effort(effort).run(bug.buggy)
}

/// The hunts for a bug with one strategy.
struct Hunts {
    found: u64,
    /// The median of the seeds that ran, and of the milliseconds.
    seeds: u64,
    millis: f64,
}

fn hunts(bug: &Bug, strategy: Strategy) -> Hunts {
    let mut ran = Vec::new();
    let mut times = Vec::new();
    let mut found = 0;
    for number in 0..HUNTS {
        let sweep = hunt(bug, strategy, number, Effort::none());
        found += u64::from(!sweep.failures.is_empty());
        ran.push(sweep.ran);
        times.push(sweep.wall_time.as_secs_f64() * 1e3);
    }
    ran.sort_unstable();
    times.sort_by(f64::total_cmp);
    let middle = ran.len() / 2;
    Hunts { found, seeds: ran[middle], millis: times[middle] }
}

/// The explanation of a bug: the choices left, the seconds it took, and whether it is right.
struct Explained {
    left: usize,
    seconds: f64,
    decisive: String,
    is_planted: bool,
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn explained(bug: &Bug) -> Option<Explained> {
    let began = Instant::now();
    let sweep = hunt(bug, Strategy::Fifo, 0, Effort::default());
    let seconds = (began.elapsed() - sweep.wall_time).as_secs_f64();
    let account = sweep.account?;
    let decisive = account.decisive().map(|decisive| &decisive.choice);
    let is_planted = match bug.planted {
        Planted::Calm => decisive.is_none(),
        Planted::Choice { site, words } => {
            decisive.is_some_and(|choice| choice.site == site && choice.told().contains(words))
        }
    };
    let decisive = decisive.map_or_else(|| "fails in calm".to_owned(), |choice| choice.told());
    Some(Explained { left: account.decisions.len(), seconds, decisive, is_planted })
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let markdown = arguments.iter().any(|argument| argument == "--markdown");
    let name = arguments.iter().find(|argument| !argument.starts_with("--"));
    let bar = if markdown { " | " } else { "  " };
    let heads = STRATEGIES.iter().map(|(name, _)| format!("{name:>14}"));
    let heads = heads.collect::<Vec<String>>().join(bar);
    let edge = if markdown { "| " } else { "" };
    println!("{edge}{:34}{bar}{heads}{bar}left, planted", "bug: seeds (ms)");
    if markdown {
        println!("|---{}|---|", "|---".repeat(STRATEGIES.len()));
    }
    let (mut all, mut quick, mut small, mut right) = (0, 0, 0, 0);
    for bug in kit().iter().filter(|bug| name.is_none_or(|name| bug.name.contains(&**name))) {
        let mut cells = Vec::new();
        for (number, (_, strategy)) in STRATEGIES.into_iter().enumerate() {
            let Hunts { found, seeds, millis } = hunts(bug, strategy);
            if number == 0 {
                quick += u32::from(found == HUNTS && millis < 1_000.0);
            }
            cells.push(match found {
                0..10 => format!("{:>14}", format!("{found} of {HUNTS}")),
                _ => format!("{:>14}", format!("{seeds} ({millis:.1})")),
            });
        }
        all += 1;
        let told = match explained(bug) {
            Some(Explained { left, seconds, decisive, is_planted }) => {
                small += u32::from(left <= 3 && seconds < 2.0);
                right += u32::from(is_planted);
                let yes = if is_planted { "yes" } else { "no" };
                let more = if markdown { String::new() } else { format!(": {decisive}") };
                format!("{left}, {yes} in {seconds:.2} s{more}")
            }
            None => "not found".to_owned(),
        };
        let close = if markdown { " |" } else { "" };
        println!("{edge}{:34}{bar}{}{bar}{told}{close}", bug.name, cells.join(bar));
    }
    println!(
        "\n{all} bugs: {quick} found by every sweep, in a median of less than a second, {small} \
         left with at most 3 choices within 2 s, {right} with the planted choice as the decisive one"
    );
}
