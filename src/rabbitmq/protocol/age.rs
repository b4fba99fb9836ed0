//! Ages, as arguments and policies of streams give them: `7D`.

use std::time::Duration;

/// An age: a number followed by one of `Y M D h m s`, such as `7D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    Valid(Duration),
    /// A number followed by another unit.
    UnknownUnit,
    /// No number at all: the server's queue process crashes over it.
    Nonsense,
}

impl Age {
    pub(crate) fn parse(text: &str) -> Age {
        let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, unit) = text.split_at(digits);
        let Ok(number) = number.parse::<u64>() else { return Age::Nonsense };
        let seconds = match unit {
            "Y" => 365 * 86_400,
            "M" => 30 * 86_400,
            "D" => 86_400,
            "h" => 3_600,
            "m" => 60,
            "s" => 1,
            _ => return Age::UnknownUnit,
        };
        Age::Valid(Duration::from_secs(number.saturating_mul(seconds)))
    }
}
