//! Numbers as text, with Redis's rules for what is one.

/// A score or another double as RESP2 writes it: `%.17g`.
pub(crate) fn format_double(x: f64) -> String {
    format!("{x}")
}
