//! The texts of `LATENCY`: the graph of an event, and the report on all of them.
//!
//! Commands are the only thing that takes virtual time, so the report has the advice for those.
//!
//! Source: `latency.c` (`createLatencyReport`), `sparkline.c`.

use crate::redis::command::{Answer, Args, Caller};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use std::collections::VecDeque;
use std::fmt::Write;

/// Columns and rows of a graph.
const COLUMNS: usize = 80;
const ROWS: usize = 4;

/// The heights that one character can show, and the character below all of them.
const HEIGHTS: [u8; 3] = *b"_o#";
const BELOW: u8 = b'|';

/// Samples of an event: the second, and its longest milliseconds.
type Samples = VecDeque<(u64, u64)>;

/// Returns how long ago a second was, in its greatest unit.
fn ago(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Returns the bars of some samples, and their ages in columns below.
fn bars(samples: &[(u64, u64)], (low, high): (u64, u64), now: u64) -> String {
    let steps = (HEIGHTS.len() * ROWS) as u64;
    let range = (high - low).max(1);
    let height = |millis: u64| ((millis - low) * steps / range).min(steps - 1) as usize;
    let mut lines: Vec<Vec<u8>> = (0..ROWS)
        .map(|row| {
            let base = (ROWS - row - 1) * HEIGHTS.len();
            let bar = |(_, millis): &(u64, u64)| match height(*millis).checked_sub(base) {
                None => b' ',
                Some(above) => HEIGHTS.get(above).copied().unwrap_or(BELOW),
            };
            samples.iter().map(bar).collect()
        })
        .collect();
    lines.push(vec![b' '; samples.len()]);
    let labels: Vec<String> =
        samples.iter().map(|(second, _)| ago(now.saturating_sub(*second))).collect();
    let longest = labels.iter().map(String::len).max().unwrap_or(0);
    for place in 0..longest {
        let letter = |label: &String| label.as_bytes().get(place).copied().unwrap_or(b' ');
        lines.push(labels.iter().map(letter).collect());
    }
    lines.iter().map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect()
}

/// `LATENCY GRAPH event`.
pub(super) fn graph(server: &mut Server, _: Caller, args: Args<'_>) -> Answer {
    let event = std::str::from_utf8(args[2]).unwrap_or_default();
    let Some(samples) = server.watchers.latency.get(event) else {
        let event = String::from_utf8_lossy(args[2]);
        return Err(CommandError::format(format!("ERR No samples available for event '{event}'")));
    };
    let millis = samples.samples.iter().map(|sample| sample.1);
    let (high, low) = (millis.clone().max().unwrap_or(0), millis.min().unwrap_or(0));
    let longest = samples.longest;
    let mut text = format!("{event} - high {high} ms, low {low} ms (all time high {longest} ms)\n");
    text += &"-".repeat(COLUMNS);
    text.push('\n');
    let now = server.calendar(server.now).as_secs();
    let all: Vec<(u64, u64)> = samples.samples.iter().copied().collect();
    let parts: Vec<String> = all.chunks(COLUMNS).map(|part| bars(part, (low, high), now)).collect();
    text += &parts.join("\n");
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

/// Returns the line of an event.
fn observed(event: &str, samples: &Samples, longest: u64, now: u64) -> String {
    let count = samples.len().max(1) as u64;
    let average = samples.iter().map(|sample| sample.1).sum::<u64>() / count;
    let deviation = samples.iter().map(|sample| sample.1.abs_diff(average)).sum::<u64>() / count;
    let oldest = samples.iter().map(|sample| sample.0).min().unwrap_or(now);
    let period = now.saturating_sub(oldest).max(1) as f64 / count as f64;
    format!(
        "{event}: {count} latency spikes (average {average}ms, mean deviation {deviation}ms, \
         period {period:.2} sec). Worst all time event {longest}ms."
    )
}

/// Appends the advice for events of these kinds, with places for the words of the product.
fn advise(server: &Server, text: &mut String, (slow, fast): (bool, bool)) {
    let config = &server.config;
    let logs_from = u64::try_from(config.slow_log_threshold).unwrap_or(0) / 1_000;
    if slow && config.slow_log_threshold < 0 {
        *text += SLOW_LOG_IS_OFF;
    } else if slow && logs_from > config.latency_threshold {
        *text += SLOW_LOG_IS_HIGH;
    }
    if slow {
        *text += CHECK_SLOW_LOG;
    }
    if fast {
        *text += SLOW_SYSTEM;
    }
    if slow {
        *text += LARGE_OBJECTS;
    }
}

const SLOW_LOG_IS_OFF: &str = "- There are latency issues with potentially slow commands you are \
    using. Try to enable the Slow Log {title} feature using the command 'CONFIG SET \
    slowlog-log-slower-than {micros}'. If the Slow log is disabled {title} is not able to log slow \
    commands execution for you.\n";
const SLOW_LOG_IS_HIGH: &str = "- Your current Slow Log configuration only logs events that are \
    slower than your configured latency monitor threshold. Please use 'CONFIG SET \
    slowlog-log-slower-than {micros}'.\n";
const CHECK_SLOW_LOG: &str = "- Check your Slow Log to understand what are the commands you are \
    running which are too slow to execute. Please check https://{name}.io/commands/slowlog for more \
    information.\n";
const SLOW_SYSTEM: &str = "- The system is slow to execute {title} code paths not containing \
    system calls. This usually means the system does not provide {title} CPU time to run for long \
    periods. You should try to:\n  \
    1) Lower the system load.\n  \
    2) Use a computer / VM just for {title} if you are running other software in the same \
    system.\n  \
    3) Check if you have a \"noisy neighbour\" problem.\n  \
    4) Check with '{name}-cli --intrinsic-latency 100' what is the intrinsic latency in your \
    system.\n  \
    5) Check if the problem is allocator-related by recompiling {title} with MALLOC=libc, if you \
    are using Jemalloc. However this may create fragmentation problems.\n";
const LARGE_OBJECTS: &str = "- Deleting, expiring or evicting (because of maxmemory policy) large \
    objects is a blocking operation. If you have very large objects that are often deleted, \
    expired, or evicted, try to fragment those objects into multiple smaller objects.\n";

/// How the report begins. `{title}` stands for the product.
struct Greetings {
    disabled: &'static str,
    nothing: &'static str,
    spikes: &'static str,
    advice: &'static str,
}

const DAVE: Greetings = Greetings {
    disabled: "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this {title} \
        instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to \
        enable it. If we weren't in a deep space mission I'd suggest to take a look at {page}.\n",
    nothing: "Dave, no latency spike was observed during the lifetime of this {title} instance, \
        not in the slightest bit. I honestly think you ought to sit down calmly, take a stress \
        pill, and think things over.\n",
    spikes: "Dave, I have observed latency spikes in this {title} instance. You don't mind talking \
        about it, do you Dave?\n\n",
    advice: "\nI have a few advices for you:\n\n",
};

const SOBER: Greetings = Greetings {
    disabled: "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this {title} \
        instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order to \
        enable it.\n",
    nothing: "No latency spike was observed during the lifetime of this {title} instance, not in \
        the slightest bit.\n",
    spikes: "Latency spikes are observed in this {title} instance.\n\n",
    advice: "\nHere is some advice for you:\n\n",
};

/// `LATENCY DOCTOR`.
pub(super) fn doctor(server: &mut Server, _: Caller, _: Args<'_>) -> Answer {
    let profile = server.profile();
    let greetings = if profile.texts.doctor_is_sober { &SOBER } else { &DAVE };
    let latency = &server.watchers.latency;
    let mut text = String::new();
    if latency.is_empty() {
        let is_off = server.config.latency_threshold == 0;
        text += if is_off { greetings.disabled } else { greetings.nothing };
    } else {
        let now = server.calendar(server.now).as_secs();
        text += greetings.spikes;
        for (number, (event, samples)) in (1..).zip(latency) {
            let line = observed(event, &samples.samples, samples.longest, now);
            let _ = writeln!(text, "{number}. {line}");
        }
        text += greetings.advice;
        let kinds = (latency.contains_key("command"), latency.contains_key("fast-command"));
        advise(server, &mut text, kinds);
    }
    let product = &profile.product;
    let micros = server.config.latency_threshold.saturating_mul(1_000).to_string();
    let places = [
        ("{title}", product.title),
        ("{name}", product.name),
        ("{page}", profile.texts.latency_page),
        ("{micros}", &micros),
    ];
    let text = places.iter().fold(text, |text, (place, word)| text.replace(place, word));
    Ok(Reply::Verbatim(*b"txt", text.into()))
}
