//! The shared parts of the examples: the seed, and the headings.

use stunt_double::sim::seed_or;

const USAGE: &str =
    "[--seed N]: the first seed, a number; otherwise that of STUNT_DOUBLE_SEED, or 1";

/// The seed of `--seed N`, of the environment variable `STUNT_DOUBLE_SEED`, or
/// 1.
pub(crate) fn seed() -> u64 {
    let mut arguments = std::env::args().skip(1);
    let mut seed = None;
    while let Some(argument) = arguments.next() {
        let number = match argument.split_once('=') {
            Some(("--seed", number)) => Some(number.to_owned()),
            _ if argument == "--seed" => arguments.next(),
            _ if argument == "--help" || argument == "-h" => {
                println!("{USAGE}");
                std::process::exit(0)
            }
            _ => refuse(&format!("unknown argument '{argument}'")),
        };
        let number = number.unwrap_or_default();
        let parsed = number.parse();
        seed = Some(parsed.unwrap_or_else(|_| refuse(&format!("'{number}' is not a number"))));
    }
    seed.unwrap_or_else(|| seed_or(1))
}

fn refuse(why: &str) -> ! {
    eprintln!("{why}\n{USAGE}");
    std::process::exit(2)
}

/// Prints a heading.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}
