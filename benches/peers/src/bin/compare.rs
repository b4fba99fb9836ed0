//! Runs ours and the peers in turns, a process each, and prints a Markdown table of their processor
//! times: the median over the rounds with its range, and the ratio to ours, which is taken in each
//! round, as a median with its range too.
//!
//! `compare [ROUNDS] [PART OF A ROW]...`

use std::path::PathBuf;
use std::process::Command;

/// The contender of a row: a program, its case, and what the table calls it. The first is ours,
/// and the others are divided by it.
struct Contender {
    program: &'static str,
    case: &'static str,
    named: &'static str,
}

const fn is(program: &'static str, case: &'static str, named: &'static str) -> Contender {
    Contender { program, case, named }
}

struct Row {
    what: &'static str,
    contenders: &'static [Contender],
}

const fn row(what: &'static str, contenders: &'static [Contender]) -> Row {
    Row { what, contenders }
}

const OURS: &str = "stunt_double";

/// The table. What a peer does not do is told in the head of its program.
const ROWS: &[Row] = &[
    row(
        "one world with one task and one sleep",
        &[
            is(OURS, "worlds", "**stunt-double**"),
            is(OURS, "worlds-digest", "stunt-double, digest only"),
            is("sittard", "worlds", "sittard"),
            is("sittard", "bare-worlds", "sittard, in `block_on`, no task"),
            is("moonpool", "worlds", "moonpool-sim"),
            is("madsim", "worlds", "madsim"),
            is("madsim", "bare-worlds", "madsim, in `block_on`, no task"),
            is("turmoil", "worlds", "turmoil, one tick"),
        ],
    ),
    row(
        "poll under a random schedule",
        &[
            is(OURS, "polls", "**stunt-double**"),
            is(OURS, "polls-digest", "stunt-double, digest only"),
            is("moonpool", "polls", "moonpool-sim, executor alone"),
            is("madsim", "polls", "madsim"),
            is("shuttle", "polls", "shuttle"),
        ],
    ),
    row(
        "random schedule of 3 tasks × 10 steps",
        &[
            is(OURS, "schedules", "**stunt-double**"),
            is(OURS, "schedules-digest", "stunt-double, digest only"),
            is(OURS, "schedules-nodes", "stunt-double, 3 nodes"),
            is("moonpool", "schedules", "moonpool-sim, executor alone"),
            is("madsim", "schedules", "madsim"),
            is("shuttle", "schedules", "shuttle"),
        ],
    ),
    row(
        "timer event, 10⁴ active tasks",
        &[
            is(OURS, "timers", "**stunt-double**"),
            is(OURS, "timers-digest", "stunt-double, digest only"),
            is("turmoil", "timers", "turmoil, ticks of 1 ms"),
            is("sittard", "timers", "sittard"),
            is("moonpool", "timers", "moonpool-sim"),
            is("madsim", "timers", "madsim"),
        ],
    ),
    row(
        "Redis in process: GET, one key",
        &[
            is(OURS, "get", "**stunt-double**, typed"),
            is("kevy", "get", "kevy-embedded"),
            is("kora", "get", "kora-core"),
            is("heaplet", "get", "heaplet"),
            is("not_redis", "get", "not_redis"),
        ],
    ),
    row(
        "Redis in process: SET, one key",
        &[
            is(OURS, "set", "**stunt-double**, typed"),
            is("kevy", "set", "kevy-embedded"),
            is("kora", "set", "kora-core"),
            is("heaplet", "set", "heaplet"),
            is("not_redis", "set", "not_redis"),
        ],
    ),
    row(
        "Redis in process: INCR",
        &[
            is(OURS, "incr", "**stunt-double**, typed"),
            is("kevy", "incr", "kevy-embedded"),
            is("kora", "incr", "kora-core"),
            is("heaplet", "incr", "heaplet"),
        ],
    ),
    row(
        "Redis in process: LPUSH",
        &[
            is(OURS, "lpush", "**stunt-double**, typed"),
            is("kevy", "lpush", "kevy-embedded"),
            is("kora", "lpush", "kora-core"),
            is("heaplet", "lpush", "heaplet"),
            is("not_redis", "lpush", "not_redis"),
        ],
    ),
    row(
        "Redis in process: GET, 10⁶ keys",
        &[
            is(OURS, "get-many", "**stunt-double**, typed"),
            is("kevy", "get-many", "kevy-embedded"),
            is("kora", "get-many", "kora-core"),
            is("heaplet", "get-many", "heaplet"),
            is("not_redis", "get-many", "not_redis"),
        ],
    ),
    row(
        "Redis in process: SET, 10⁶ keys",
        &[
            is(OURS, "set-many", "**stunt-double**, typed"),
            is("kevy", "set-many", "kevy-embedded"),
            is("kora", "set-many", "kora-core"),
            is("heaplet", "set-many", "heaplet"),
            is("not_redis", "set-many", "not_redis"),
        ],
    ),
    row(
        "Redis, a command as words: GET",
        &[
            is(OURS, "get-words", "**stunt-double**, checked as by the real server"),
            is("kevy", "get-words", "kevy-embedded, `dispatch_argv`"),
        ],
    ),
    row(
        "Redis, a command as words: SET",
        &[
            is(OURS, "set-words", "**stunt-double**, checked as by the real server"),
            is("kevy", "set-words", "kevy-embedded, `dispatch_argv`"),
        ],
    ),
    row(
        "Redis, a command as words: INCR",
        &[
            is(OURS, "incr-words", "**stunt-double**, checked as by the real server"),
            is("kevy", "incr-words", "kevy-embedded, `dispatch_argv`"),
        ],
    ),
    row(
        "Redis, a command as words: LPUSH",
        &[
            is(OURS, "lpush-words", "**stunt-double**, checked as by the real server"),
            is("kevy", "lpush-words", "kevy-embedded, `dispatch_argv`"),
        ],
    ),
    row("RESP in → RESP out, 64 at a time: GET, one key", &against_the_server("get-bytes")),
    row("RESP in → RESP out, 64 at a time: SET, one key", &against_the_server("set-bytes")),
    row("RESP in → RESP out, 64 at a time: INCR, one key", &against_the_server("incr-bytes")),
    row("RESP in → RESP out, 64 at a time: LPUSH, one key", &against_the_server("lpush-bytes")),
    row("RESP in → RESP out, 64 at a time: ZADD, one member", &against_the_server("zadd-bytes")),
    row("RESP in → RESP out, 64 at a time: GET, 10⁶ keys", &against_the_server("get-bytes-many")),
    row("RESP in → RESP out, 64 at a time: SET, 10⁶ keys", &against_the_server("set-bytes-many")),
    row("RESP in → RESP out, 64 at a time: INCR, 10⁶ keys", &against_the_server("incr-bytes-many")),
    row(
        "RESP in → RESP out, 64 at a time: ZADD, 10⁶ members",
        &against_the_server("zadd-bytes-many"),
    ),
    row("RESP in → RESP out, 64 at a time: EVAL of five calls", &against_the_server("eval-bytes")),
    row("RESP in → RESP out, 64 at a time: XADD MAXLEN ~", &against_the_server("xadd-bytes")),
    row(
        "RESP in → RESP out, 64 at a time: GEOADD, 10⁶ members",
        &against_the_server("geoadd-bytes-many"),
    ),
    row(
        "RESP in → RESP out, 64 at a time: GEOSEARCH, 30 of 10⁶ members",
        &against_the_server("geosearch-bytes-many"),
    ),
    row(
        "RESP in → RESP out, 64 at a time: PFADD, 10⁶ elements",
        &against_the_server("pfadd-bytes-many"),
    ),
    row(
        "RESP in → RESP out, 64 at a time: PFCOUNT of 10⁶ elements",
        &against_the_server("pfcount-bytes-many"),
    ),
    row(
        "RabbitMQ in process: publish → deliver → ack",
        &[
            is(OURS, "rounds", "**stunt-double**, bare broker"),
            is("sova", "rounds", "sova-rabbit's `FakeBroker`"),
        ],
    ),
    row(
        "RabbitMQ through a world: publish → deliver → ack",
        &[
            is(OURS, "world-rounds", "**stunt-double**, async clients in a world"),
            is(OURS, "world-rounds-digest", "stunt-double, digest only"),
            is("sova", "rounds", "sova-rabbit's `FakeBroker`, which has no world"),
        ],
    ),
];

const fn against_the_server(case: &'static str) -> [Contender; 2] {
    [is(OURS, case, "**stunt-double**"), is("redis_server", case, "redis-server, its own time")]
}

/// Runs a contender once. Returns the nanoseconds of an operation, or what its program said.
fn measure(contender: &Contender) -> Result<f64, String> {
    let mut program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("compare"));
    program.set_file_name(contender.program);
    let output = Command::new(&program).arg(contender.case).output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().map_err(|_| {
        let said = String::from_utf8_lossy(&output.stderr);
        said.trim().lines().next().unwrap_or("it ended without a number").to_owned()
    })
}

/// The median, the least and the greatest.
struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
}

impl Spread {
    fn of(values: impl Iterator<Item = f64>) -> Spread {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let last = values.len() - 1;
        Spread {
            median: (values[last / 2] + values[last - last / 2]) / 2.0,
            least: values[0],
            greatest: values[last],
        }
    }
}

/// Nanoseconds as a reader likes them, in three digits.
fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 10.0 => format!("{n:.2} ns"),
        n if n < 100.0 => format!("{n:.1} ns"),
        n if n < 1_000.0 => format!("{n:.0} ns"),
        n if n < 10_000.0 => format!("{:.2} µs", n / 1e3),
        n if n < 100_000.0 => format!("{:.1} µs", n / 1e3),
        n => format!("{:.0} µs", n / 1e3),
    }
}

/// Measures a row, all contenders in turns, and prints its lines.
fn compare(row: &Row, rounds: usize) {
    let mut measured: Vec<Result<Vec<f64>, String>> =
        row.contenders.iter().map(|_| Ok(Vec::new())).collect();
    for round in 0..rounds {
        // Each round begins with another one, so that nobody always follows the same.
        for i in 0..row.contenders.len() {
            let i = (i + round) % row.contenders.len();
            let Ok(times) = &mut measured[i] else { continue };
            match measure(&row.contenders[i]) {
                Ok(time) => times.push(time),
                Err(said) => measured[i] = Err(said),
            }
        }
    }
    let ours = measured[0].clone();
    let mut what = row.what;
    for (i, (contender, times)) in row.contenders.iter().zip(measured).enumerate() {
        let cells = match (times, &ours) {
            (Err(said), _) => format!("skipped: {said} | | "),
            (Ok(times), ours) => {
                let spread = Spread::of(times.iter().copied());
                let range = format!("{} to {}", time(spread.least), time(spread.greatest));
                let ratio = match ours {
                    Ok(ours) if i > 0 => {
                        let ratios = times.iter().zip(ours).map(|(time, ours)| time / ours);
                        let Spread { median, least, greatest } = Spread::of(ratios);
                        format!("{median:.2} ({least:.2} to {greatest:.2})")
                    }
                    _ => String::new(),
                };
                format!("{} | {range} | {ratio}", time(spread.median))
            }
        };
        println!("| {what} | {} | {cells} |", contender.named);
        what = "";
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let rounds = arguments.peek().and_then(|argument| argument.parse().ok());
    if rounds.is_some() {
        arguments.next();
    }
    let parts: Vec<String> = arguments.collect();
    println!("| what | who | processor time | range | times ours |");
    println!("|---|---|---|---|---|");
    for row in ROWS {
        if parts.is_empty() || parts.iter().any(|part| row.what.contains(part.as_str())) {
            compare(row, rounds.unwrap_or(7).max(1));
        }
    }
}
