//! The order service in a simulated world: the unmodified production code of `order-service`, on
//! real lapin, real redis-rs and real tokio, under kills, partitions and losses of power.
//!
//! `cargo run --release -p app-in-a-world -- --seeds 200`
//!
//! It first runs the service without faults. Then it hunts for the bug that the service has if its
//! workers set their marker before the charge, and shows the seed. Then it shows that the service
//! without the bug survives the same seeds. `--report` prints only what the service reports
//! without faults, as the service itself does against real servers.

mod faults;
mod world;

use order_service::Marker;
use std::process::ExitCode;
use stunt_double::sim::{Config, Retention, Seeds, Sim, Strategy, Sweep};

const USAGE: &str = "usage: app-in-a-world [--report] [--seeds N] [--seed N [--mended]]";

/// Runs the service over many seeds.
fn hunt(seeds: u64, marker: Marker) -> Sweep {
    Seeds::new(0..seeds).with_strategy(Strategy::Random).run(move |sim: &mut Sim| {
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

fn run() -> Result<(), String> {
    let (mut only_report, mut seeds, mut only_seed) = (false, 200, None);
    let mut marker = Marker::BeforeTheCharge;
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|n| n.parse().ok()).ok_or(USAGE);
        match argument.as_str() {
            "--report" => only_report = true,
            "--mended" => marker = Marker::WithTheResult,
            "--seeds" => seeds = number()?,
            "--seed" => only_seed = Some(number()?),
            _ => return Err(USAGE.to_owned()),
        }
    }
    if let Some(seed) = only_seed {
        show(seed, marker);
        return Ok(());
    }
    let report = without_faults()?;
    if only_report {
        println!("{report}");
        return Ok(());
    }
    println!("== without faults\n{report}");
    println!("\n== {seeds} seeds with faults, the marker set before the charge");
    let sweep = hunt(seeds, Marker::BeforeTheCharge);
    let failure = sweep.failures.first().ok_or("no seed has found the planted bug")?;
    println!("seed {}: {}", failure.seed, failure.message);
    println!("its story: cargo run --release -p app-in-a-world -- --seed {}", failure.seed);
    println!("\n== {seeds} seeds with faults, the marker set with the result");
    let sweep = hunt(seeds, Marker::WithTheResult);
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
    let sweep = seeds.run(|sim: &mut Sim| {
        let world = world::start(sim, marker);
        faults::plan(sim, &world);
        let outcome = sim.run();
        print!("{}", sim.trace().transcript());
        outcome
    });
    println!("{sweep}");
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
