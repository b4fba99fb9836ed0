//! Sets: which user likes what.

use super::Story;

/// The commands and their replies.
#[rustfmt::skip]
pub(crate) const STORY: Story = &[
    ("SADD tea ann bob eve", "3"),
    ("SADD coffee bob carl", "2"),
    ("SCARD tea", "3"),
    ("SISMEMBER tea ann", "1"),
    ("SMISMEMBER tea ann carl", "[1, 0]"),
    ("SINTER tea coffee", r#"["bob"]"#),
    ("SINTERCARD 2 tea coffee LIMIT 1", "1"),
    ("SDIFF coffee tea", r#"["carl"]"#),
    ("SINTERSTORE both tea coffee", "1"),
    ("SMEMBERS both", r#"["bob"]"#),
    ("SDIFFSTORE onlytea tea coffee", "2"),
    ("SCARD onlytea", "2"),
    ("SUNIONSTORE all tea coffee", "4"),
    ("SCARD all", "4"),
    ("SMOVE tea coffee eve", "1"),
    ("SREM tea bob nobody", "1"),
    ("SRANDMEMBER both", r#""bob""#),
    ("SPOP both", r#""bob""#),
    ("SADD numbers 3 1 2", "3"),
    ("SMEMBERS numbers", r#"["1", "2", "3"]"#),
    ("SUNION numbers numbers", r#"["1", "2", "3"]"#),
    ("SSCAN numbers 0", r#"["0", ["1", "2", "3"]]"#),
    ("OBJECT ENCODING numbers", r#""intset""#),
    ("SPOP numbers 3", r#"["1", "2", "3"]"#),
];
