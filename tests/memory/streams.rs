//! The memory of a stream's entries, and of what is pending for a consumer.

use crate::ALLOCATOR;
use stats_alloc::Region;
use stunt_double::redis::database::{
    Database, GroupRead, GroupStart, XaddId, XaddOptions, XreadgroupOptions,
};
use stunt_double::redis::value::StreamId;

const ENTRIES: usize = 200_000;

/// Redis 7.0.15 uses 15.6 bytes for each of these entries, and 148 bytes for each that is pending.
pub(crate) fn a_streams_entry_is_as_small_as_in_redis() {
    let region = Region::new(ALLOCATOR);
    let mut db = Database::new();
    for i in 0..ENTRIES {
        let id = XaddId::Exact(StreamId::new(1_700_000_000_000 + i as u64, 0));
        let value = i.to_string();
        db.xadd(b"s", id, &[(b"n", value.as_bytes())], XaddOptions::default()).unwrap();
    }
    let used = region.change();
    let bytes = (used.bytes_allocated - used.bytes_deallocated) as f64 / ENTRIES as f64;
    println!("{bytes:.1} bytes for each entry of a stream, with a field and a number");
    assert!(bytes <= 16.5, "{bytes:.1} bytes");

    let region = Region::new(ALLOCATOR);
    db.xgroup_create(b"s", b"g", GroupStart::After(StreamId::MIN), None, false).unwrap();
    let read = |db: &mut Database| {
        let options = XreadgroupOptions { count: 100, ..Default::default() };
        let read = db.xreadgroup(b"s", b"g", b"c", GroupRead::New, options);
        read.unwrap().entries.len()
    };
    while read(&mut db) > 0 {}
    let used = region.change();
    let bytes = (used.bytes_allocated - used.bytes_deallocated) as f64 / ENTRIES as f64;
    println!("{bytes:.1} bytes for each pending entry");
    assert!(bytes <= 148.0, "{bytes:.1} bytes");
}
