//! Lists: a queue of tasks.

use super::Story;

/// The commands and their replies.
#[rustfmt::skip]
pub(crate) const STORY: Story = &[
    ("RPUSH tasks a b c", "3"),
    ("LPUSH tasks urgent", "4"),
    ("LPUSHX missing x", "0"),
    ("RPUSHX tasks d", "5"),
    ("LRANGE tasks 0 -1", r#"["urgent", "a", "b", "c", "d"]"#),
    ("LLEN tasks", "5"),
    ("LINDEX tasks -1", r#""d""#),
    ("LSET tasks 0 first", "OK"),
    ("LINSERT tasks BEFORE b between", "6"),
    ("LPOS tasks b", "3"),
    ("LPOS tasks x", "(nil)"),
    ("LREM tasks 1 between", "1"),
    ("LPOP tasks", r#""first""#),
    ("RPOP tasks 2", r#"["d", "c"]"#),
    ("LTRIM tasks 0 0", "OK"),
    ("RPUSH tasks x y z", "4"),
    ("LMOVE tasks done LEFT RIGHT", r#""a""#),
    ("RPOPLPUSH tasks done", r#""z""#),
    ("LMPOP 2 missing tasks RIGHT COUNT 2", r#"["tasks", ["y", "x"]]"#),
    ("BLPOP missing tasks 1", "(nil)"),
    ("BRPOP done 1", r#"["done", "a"]"#),
    ("BLMOVE done tasks LEFT LEFT 1", r#""z""#),
    ("BRPOPLPUSH tasks done 1", r#""z""#),
    ("BLMPOP 1 1 done LEFT", r#"["done", ["z"]]"#),
    ("EXISTS tasks done", "0"),
];
