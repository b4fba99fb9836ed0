//! The order service in a simulated world: the unmodified production code of `order-service`, on
//! real lapin, real redis-rs and real tokio, under kills, partitions and losses of power.
//!
//! `cargo run --release -p app-in-a-world -- --seeds 200`
//!
//! It first runs the service without faults. Then it hunts for the bug that the service has if its
//! workers set their marker before the charge, and shows the seed. Then it shows that the service
//! without the bug survives the same seeds. `--mended` does only that. `--seed N` shows what
//! happens in one seed, with what the service logs. `--report` prints only what the service reports
//! without faults, as the service itself does against real servers.

mod faults;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod tests;
mod world;

use order_service::Marker;
use std::process::ExitCode;
use stunt_double::sim::{Config, Effort, Retention, Seeds, Sim, Strategy, Sweep};
use tracing::Level;

const USAGE: &str =
    "usage: app-in-a-world [--report | --seed N [--mended] | [--seeds N] [--mended]]";

/// The wish of the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Task {
    /// Print what the service reports without faults.
    Report,
    /// Show one seed.
    Show(u64, Marker),
    /// Show that the service without the bug survives seeds, and, unless only that is asked for,
    /// find the bug first.
    Hunt { seeds: u64, only_mended: bool },
}

impl Task {
    fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Task, String> {
        let (mut report, mut mended, mut seeds, mut seed) = (false, false, None, None);
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().and_then(|n| n.parse().ok()).ok_or(USAGE);
            match argument.as_str() {
                "--report" => report = true,
                "--mended" => mended = true,
                "--seeds" => seeds = Some(number()?),
                "--seed" => seed = Some(number()?),
                _ => return Err(USAGE.to_owned()),
            }
        }
        match (report, seed, seeds) {
            (true, None, None) if !mended => Ok(Task::Report),
            (false, Some(seed), None) if mended => Ok(Task::Show(seed, Marker::WithTheResult)),
            (false, Some(seed), None) => Ok(Task::Show(seed, Marker::BeforeTheCharge)),
            (false, None, seeds) => {
                Ok(Task::Hunt { seeds: seeds.unwrap_or(200), only_mended: mended })
            }
            _ => Err(format!("these options exclude each other\n{USAGE}")),
        }
    }
}

/// Runs the service over many seeds.
fn sweep(seeds: u64, marker: Marker) -> Sweep {
    // The story of a seed is told by `--seed`.
    let seeds = Seeds::new(0..seeds).with_strategy(Strategy::Random).with_effort(Effort::none());
    seeds.run(move |sim: &mut Sim| {
        let world = world::start(sim, marker);
        faults::plan(sim, &world);
        sim.run()
    })
}

fn without_faults() -> Result<String, String> {
    let mut sim = Sim::new(1);
    let world = world::start(&mut sim, Marker::WithTheResult);
    sim.run().expect_done();
    world.told().ok_or_else(|| "the shop has reported nothing".to_owned())
}

fn hunt(seeds: u64, only_mended: bool) -> Result<(), String> {
    if !only_mended {
        println!("== without faults\n{}", without_faults()?);
        println!("\n== {seeds} seeds with faults, the marker set before the charge");
        let sweep = sweep(seeds, Marker::BeforeTheCharge);
        let failure = sweep.failures.first().ok_or("no seed has found the planted bug")?;
        println!("seed {}: {}", failure.seed, failure.message);
        println!("its story: cargo run --release -p app-in-a-world -- --seed {}\n", failure.seed);
    }
    println!("== {seeds} seeds with faults, the marker set with the result");
    let sweep = sweep(seeds, Marker::WithTheResult);
    if let Some(failure) = sweep.failures.first() {
        return Err(format!("seed {}: {failure}", failure.seed));
    }
    println!("{} seeds, none failed", sweep.ran);
    Ok(())
}

/// Shows what happens in one seed of the hunt.
fn show(seed: u64, marker: Marker) {
    let config = Config::new(seed).with_retention(Retention::All);
    let seeds = Seeds::new(seed..seed + 1).with_config(config).with_strategy(Strategy::Random);
    // The seed runs once, since it prints what happens.
    let seeds = seeds.with_effort(Effort::none());
    let sweep = seeds.run(|sim: &mut Sim| {
        let _logs = sim.note_events(Level::WARN);
        let world = world::start(sim, marker);
        faults::plan(sim, &world);
        let outcome = sim.run();
        print!("{}", sim.trace().transcript());
        outcome
    });
    println!("{sweep}");
}

fn main() -> ExitCode {
    let done = Task::parse(std::env::args().skip(1)).and_then(|task| match task {
        Task::Report => without_faults().map(|report| println!("{report}")),
        Task::Show(seed, marker) => {
            show(seed, marker);
            Ok(())
        }
        Task::Hunt { seeds, only_mended } => hunt(seeds, only_mended),
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
