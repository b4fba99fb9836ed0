//! The subcommands that show how keys and values are stored.

use crate::redis::command::arguments::{integer, is};
use crate::redis::command::{Answer, Args};
use crate::redis::database::{Database, digest, memory};
use crate::redis::error::CommandError;
use crate::redis::rdb;
use crate::redis::reply::Reply;
use crate::redis::server::Server;
use crate::redis::value::Value;
use crate::redis::version::{Buckets, Tables};
use smol_str::SmolStr;

/// `OBJECT`: how a value is stored. The key may have expired, as long as it is stored.
pub(super) fn object(db: &mut Database, args: Args<'_>) -> Answer {
    let entry = db.stored(args[2]).ok_or(CommandError::NoSuchKey)?;
    let encoding = entry.value.encoding_name();
    let idle = db.idle_secs(entry);
    let length = rdb::length(&entry.value, db.profile);
    Ok(Reply::Simple(SmolStr::new(format!(
        "Value at:0x7f0000000000 refcount:1 encoding:{encoding} serializedlength:{length} lru:{} \
         lru_seconds_idle:{idle}",
        entry.clock,
    ))))
}

/// `SDSLEN`: the sizes of a key and its text, without slack.
pub(super) fn sdslen(db: &mut Database, args: Args<'_>) -> Answer {
    let entry = db.stored(args[2]).ok_or(CommandError::NoSuchKey)?;
    let no_text = CommandError::text("ERR Not an sds encoded string.");
    let (Value::String(value), Some((key_takes, value_takes))) =
        (&entry.value, memory::texts(args[2], &entry.value))
    else {
        return Err(no_text);
    };
    Ok(Reply::Simple(SmolStr::new(format!(
        "key_sds_len:{}, key_sds_avail:0, key_zmalloc: {key_takes}, val_sds_len:{}, \
         val_sds_avail:0, val_zmalloc: {value_takes}",
        args[2].len(),
        value.len(),
    ))))
}

/// `DIGEST`: the real server's digest of all keys and values.
pub(super) fn digest(server: &mut Server, _: Args<'_>) -> Answer {
    let mut all = digest::NONE;
    for (number, database) in server.databases.iter().enumerate() {
        digest::mix_database(&mut all, number, database);
    }
    Ok(Reply::Simple(SmolStr::new(digest::hex(&all))))
}

/// `DIGEST-VALUE`. The keys may have expired, as long as they are stored.
pub(super) fn digest_value(db: &mut Database, args: Args<'_>) -> Answer {
    let rules = digest::Rules::of(db);
    let of = |key: &&[u8]| {
        let digest = db.stored(key).map_or(digest::NONE, |entry| digest::of_entry(entry, rules));
        Reply::Simple(SmolStr::new(digest::hex(&digest)))
    };
    Ok(Reply::Array(args[2..].iter().map(of).collect()))
}

/// Describes a hash table in which no two keys share a slot, as it is in this version.
fn table_stats(len: usize, tables: &Tables, full: bool) -> String {
    let head = "Hash table 0 stats (main hash table):\n";
    if len == 0 {
        return format!("{head}No stats available for empty dictionaries\n");
    }
    match tables.buckets {
        Some(buckets) => head.to_owned() + &buckets_of(len, buckets, full),
        None => head.to_owned() + &chains_of(len, full || tables.chains_are_told),
    }
}

/// The stats of a table of chains.
fn chains_of(len: usize, chains_are_told: bool) -> String {
    let size = len.next_power_of_two().max(4);
    let text = format!(" table size: {size}\n number of elements: {len}\n");
    if !chains_are_told {
        return text;
    }
    let mut chains = String::new();
    for (length, slots) in [(0, size - len), (1, len)] {
        if slots > 0 {
            chains += &format!("   {length}: {slots} ({:.02}%)\n", share(slots, size));
        }
    }
    format!(
        "{text} different slots: {len}\n max chain length: 1\n avg chain length (counted): 1.00\n \
         avg chain length (computed): 1.00\n Chain length distribution:\n{chains}"
    )
}

/// The stats of a table of buckets with seven entries each.
fn buckets_of(len: usize, buckets: Buckets, full: bool) -> String {
    let count = len.div_ceil(7).next_power_of_two();
    let mut text = format!(" table size: {}\n number of entries: {len}\n", 7 * count);
    if buckets.tell_rehashing {
        text += " rehashing index: -1\n";
    }
    if full {
        let average = if buckets.tell_rehashing { "0.000000" } else { "0.00" };
        text += &format!(
            " top-level buckets: {count}\n child buckets: 0\n max chain length: 0\n avg chain length: \
             {average}\n chain length distribution:\n   0: {count} ({:.02}%)\n",
            share(count, count)
        );
    }
    text
}

/// In percent.
fn share(n: usize, of: usize) -> f64 {
    n as f64 * 100.0 / of as f64
}

/// Whether the chains of a table are asked for.
fn is_full(args: Args<'_>) -> bool {
    args.get(3).is_some_and(|word| is(word, "full"))
}

/// `HTSTATS`: the hash tables of a database.
pub(super) fn htstats(server: &mut Server, args: Args<'_>) -> Answer {
    let number = usize::try_from(integer(args[2])?).ok();
    let database = number.and_then(|number| server.databases.get(number));
    let database = database.ok_or(CommandError::text("ERR Out of range database"))?;
    let tables = &database.profile.tables;
    let stats = |len: usize| match len == 0 && tables.empty_are_silent {
        true => String::new(),
        false => table_stats(len, tables, is_full(args)),
    };
    let (keys, expiring) = (stats(database.len()), stats(database.expiring()));
    let text = format!("[Dictionary HT]\n{keys}[Expires HT]\n{expiring}");
    Ok(Reply::Verbatim(*b"txt", text.into()))
}

/// `HTSTATS-KEY`: the hash table of a value that has one.
pub(super) fn htstats_key(db: &mut Database, args: Args<'_>) -> Answer {
    let tables = &db.profile.tables;
    let entry = db.stored(args[2]).ok_or(CommandError::NoSuchKey)?;
    let len = match (&entry.value, entry.value.encoding_name()) {
        (Value::Hash(hash), "hashtable") => hash.len(),
        (Value::Set(set), "hashtable") => set.len(),
        (Value::SortedSet(set), "skiplist") => set.len(),
        _ => {
            return Err(CommandError::text(
                "ERR The value stored at the specified key is not represented using an hash table",
            ));
        }
    };
    Ok(Reply::Verbatim(*b"txt", table_stats(len, tables, is_full(args)).into()))
}

/// Looks at the encoding of a value. What the real server prints, nobody who asks can see.
fn printed(
    db: &Database,
    key: &[u8],
    encoding: &str,
    (refusal, text): (&'static str, &'static str),
) -> Answer {
    let entry = db.stored(key).ok_or(CommandError::NoSuchKey)?;
    if entry.value.encoding_name() != encoding {
        return Err(CommandError::text(refusal));
    }
    Ok(Reply::Simple(SmolStr::new_static(text)))
}

/// `LISTPACK`.
pub(super) fn listpack(db: &mut Database, args: Args<'_>) -> Answer {
    let texts = ("ERR Not a listpack encoded object.", "Listpack structure printed on stdout");
    printed(db, args[2], "listpack", texts)
}

/// `QUICKLIST`.
pub(super) fn quicklist(db: &mut Database, args: Args<'_>) -> Answer {
    let texts = ("ERR Not a quicklist encoded object.", "Quicklist structure printed on stdout");
    printed(db, args[2], "quicklist", texts)
}
