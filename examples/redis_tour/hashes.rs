//! Hashes: a user.

use super::Story;

/// The commands and their replies.
#[rustfmt::skip]
pub(crate) const STORY: Story = &[
    ("HSET user name alice age 30", "2"),
    ("HSET user age 31 mail a@example.org", "1"),
    ("HMSET user city Berlin", "OK"),
    ("HGET user name", r#""alice""#),
    ("HMGET user name phone", r#"["alice", (nil)]"#),
    ("HGETALL user", r#"["name", "alice", "age", "31", "mail", "a@example.org", "city", "Berlin"]"#),
    ("HKEYS user", r#"["name", "age", "mail", "city"]"#),
    ("HVALS user", r#"["alice", "31", "a@example.org", "Berlin"]"#),
    ("HLEN user", "4"),
    ("HSTRLEN user name", "5"),
    ("HEXISTS user phone", "0"),
    ("HSETNX user name bob", "0"),
    ("HINCRBY user age 1", "32"),
    ("HINCRBYFLOAT user age 0.5", r#""32.5""#),
    ("HDEL user mail city phone", "2"),
    ("HRANDFIELD user 5", r#"["name", "age"]"#),
    ("HSCAN user 0 MATCH a*", r#"["0", ["age", "32.5"]]"#),
    ("OBJECT ENCODING user", r#""listpack""#),
];
