//! Transactions: all or nothing, provided that no other client wrote first.

use super::Story;

/// The commands and their replies.
#[rustfmt::skip]
pub(crate) const STORY: Story = &[
    ("WATCH balance", "OK"),
    ("MULTI", "OK"),
    ("INCRBY balance 10", "QUEUED"),
    ("GET balance", "QUEUED"),
    ("EXEC", r#"[10, "10"]"#),
    ("MULTI", "OK"),
    ("SET balance 0", "QUEUED"),
    ("DISCARD", "OK"),
    ("GET balance", r#""10""#),
    ("WATCH balance", "OK"),
    ("INCR balance", "11"),
    ("MULTI", "OK"),
    ("SET balance 0", "QUEUED"),
    ("EXEC", "(nil)"),
    ("UNWATCH", "OK"),
    ("MULTI", "OK"),
    ("NOSUCH command", "(error) ERR unknown command 'NOSUCH', with args beginning with: 'command' "),
    ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
];
