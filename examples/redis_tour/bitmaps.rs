//! Bitmaps: one bit turns foo into goo; three characters of three bytes each.

use super::Story;

/// The commands and their replies.
#[rustfmt::skip]
pub(crate) const STORY: Story = &[
    ("SET letters foo", "OK"),
    ("SETBIT letters 7 1", "0"),
    ("GET letters", r#""goo""#),
    ("GETBIT letters 7", "1"),
    ("BITCOUNT letters", "17"),
    ("BITCOUNT letters 0 0", "5"),
    ("BITCOUNT letters 5 15 BIT", "9"),
    ("SET name 武沛齐", "OK"),
    ("STRLEN name", "9"),
    ("GETRANGE name 0 2", r#""\xe6\xad\xa6""#),
    ("BITCOUNT name", "41"),
    ("GETBIT name 0", "1"),
    ("BITFIELD_RO name GET u8 #0 GET u8 #1 GET u8 #2", "[230, 173, 166]"),
    ("BITPOS name 0", "3"),
    ("BITPOS name 1 1", "8"),
    ("BITPOS name 1 9 -1 BIT", "10"),
    ("MSET a abc b abd", "OK"),
    ("BITOP AND both a b", "3"),
    ("GET both", r#""ab`""#),
    ("BITOP OR either a b", "3"),
    ("GET either", r#""abg""#),
    ("BITOP XOR differs a b", "3"),
    ("BITCOUNT differs", "3"),
    ("BITOP NOT not a", "3"),
    ("STRLEN not", "3"),
    ("BITFIELD bits SET u8 0 255 INCRBY u8 0 10 OVERFLOW SAT INCRBY u8 0 250 OVERFLOW FAIL INCRBY u8 0 10", "[0, 9, 255, (nil)]"),
    ("BITFIELD_RO bits GET u4 0 GET i4 #1", "[15, -1]"),
];
