//! The shared parts of the examples: the seed, and the headings.

use stunt_double::sim::seed_or;

/// The seed of `--seed N`, of the environment variable `STUNT_DOUBLE_SEED`, or
/// 1.
pub(crate) fn seed() -> u64 {
    let mut arguments = std::env::args().skip_while(|argument| argument != "--seed").skip(1);
    match arguments.next() {
        Some(number) => number.parse().unwrap_or_else(|_| {
            eprintln!("--seed takes a number, not '{number}'");
            std::process::exit(2)
        }),
        None => seed_or(1),
    }
}

/// Prints a heading.
pub(crate) fn heading(text: &str) {
    println!("\n== {text}");
}
