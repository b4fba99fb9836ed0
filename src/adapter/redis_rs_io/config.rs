//! What a configuration of redis-rs asks for. It has no accessors, but it shows itself.

use std::fmt;
use std::time::Duration;

/// The settings that decide whether a connection can be made as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) connection_timeout: Option<Duration>,
    pub(crate) has_response_timeout: bool,
    pub(crate) wants_cache: bool,
}

impl Asked {
    /// Reads the settings from the form in which a configuration shows itself. A setting that it
    /// does not show counts as set, so that it is refused and not ignored.
    pub(crate) fn read(config: &impl fmt::Debug) -> Asked {
        let shown = format!("{config:?}");
        let field = |name: &str| {
            let (_, rest) = shown.split_once(&format!("{name}: "))?;
            Some(rest.split([',', ' ', '}']).next().unwrap_or_default())
        };
        Asked {
            connection_timeout: field("connection_timeout").and_then(duration),
            has_response_timeout: field("response_timeout") != Some("None"),
            wants_cache: field("cache") == Some("\"set\""),
        }
    }
}

/// Reads a duration as it shows itself: `Some(1s)`, `Some(1.5s)`, `Some(500ms)`, `Some(20µs)`,
/// `Some(3ns)`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.strip_prefix("Some(")?.strip_suffix(')')?;
    let unit = text.find(|c: char| c != '.' && !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit);
    let nanos: u64 = match unit {
        "s" => 1_000_000_000,
        "ms" => 1_000_000,
        "µs" => 1_000,
        "ns" => 1,
        _ => return None,
    };
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole = whole.parse::<u64>().ok()?.checked_mul(nanos)?;
    let mut part = 0;
    let mut place = nanos;
    for digit in decimals.bytes() {
        place /= 10;
        part += u64::from(digit - b'0') * place;
    }
    Some(Duration::from_nanos(whole.checked_add(part)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_they_show_themselves() {
        for nanos in [0, 1, 999, 1_000, 20_500, 500_000_000, 1_500_000_000, 86_400_000_000_001] {
            let shown = Some(Duration::from_nanos(nanos));
            assert_eq!(duration(&format!("{shown:?}")), shown);
        }
    }

    /// Pins the form in which the client library shows its configuration.
    #[cfg(feature = "redis-rs")]
    #[test]
    fn a_configuration_of_version_1_is_read() {
        use redis_1::AsyncConnectionConfig;

        let default = Asked::read(&AsyncConnectionConfig::new());
        assert_eq!(default.connection_timeout, Some(Duration::from_secs(1)));
        assert!(default.has_response_timeout && !default.wants_cache);
        let none = AsyncConnectionConfig::new().set_response_timeout(None);
        let none = Asked::read(&none.set_connection_timeout(None));
        assert!(!none.has_response_timeout && none.connection_timeout.is_none());
    }

    /// Pins the form in which the client library shows its configuration.
    #[cfg(feature = "redis-rs-2")]
    #[test]
    fn a_configuration_of_version_2_is_read() {
        use redis_2::AsyncConnectionConfig;

        let default = Asked::read(&AsyncConnectionConfig::new());
        assert_eq!(default.connection_timeout, Some(Duration::from_secs(1)));
        assert!(default.has_response_timeout && !default.wants_cache);
        let none = AsyncConnectionConfig::new().set_response_timeout(None);
        let none = Asked::read(&none.set_connection_timeout(None));
        assert!(!none.has_response_timeout && none.connection_timeout.is_none());
    }
}
