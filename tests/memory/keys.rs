//! The memory of a small string key.

use crate::ALLOCATOR;
use stats_alloc::Region;
use stunt_double::redis::database::{Database, SetOptions};

/// Just above three quarters of a power of two, where the table has the most unused cells.
const KEYS: usize = 786_433;

pub(crate) fn a_small_string_key_is_small() {
    let region = Region::new(ALLOCATOR);
    let mut db = Database::new();
    for i in 0..KEYS {
        let (key, value) = (format!("k{i:07}"), format!("v{i:07}"));
        db.set(key.as_bytes(), value.as_bytes(), SetOptions::default()).unwrap();
    }
    let used = region.change();
    assert_eq!(db.len(), KEYS);
    let bytes = (used.bytes_allocated - used.bytes_deallocated) / KEYS;
    println!("{bytes} bytes for each key of 8 bytes with a value of 8 bytes");
    assert!(bytes <= 100, "{bytes} bytes");
}
