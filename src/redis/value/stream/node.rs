//! A node: some consecutive entries of a stream, in one listpack.
//!
//! The listpack begins with the *master entry*: how many entries are there and how many are marked
//! as deleted, and the field names of the first entry. An entry with the same field names stores
//! only its values. An entry is never removed, only marked, so nothing but the master entry ever
//! changes its length: a distance to the field names is valid as long as the node lives.
//!
//! ```text
//! live | deleted | n | field … | 0
//! flags | ms | seq | [n] | [field] value … | number of elements before this one
//! ```
//!
//! The two parts of an id are relative to the id of the node.
//!
//! Source: `t_stream.c` (`streamAppendItem`).

use super::StreamId;
use crate::redis::value::Sds;
use crate::redis::value::allocation::allocated;
use crate::redis::value::listpack::{Element, Listpack};

/// Flag of an entry that was deleted.
const DELETED: i64 = 1;
/// Flag of an entry with the field names of the master entry.
const SAME_FIELDS: i64 = 2;

/// Redis allocates this much for a new node.
const ALLOCATED_AHEAD: usize = 4_096;

/// The entries of a node; see the module.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pack: Listpack,
    /// The size that Redis last asked its allocator for.
    requested: u32,
}

/// Two nodes are equal if Redis would store them in the same bytes.
impl PartialEq for Node {
    fn eq(&self, other: &Node) -> bool {
        self.pack == other.pack
    }
}

/// The counts at the beginning of a node, and positions behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Master {
    pub(super) live: i64,
    pub(super) deleted: i64,
    fields: i64,
    /// Position of the first field name. What is behind has fixed distances to it.
    pub(super) names: usize,
}

/// An entry of a stream, as it is stored.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    id: StreamId,
    pack: &'a Listpack,
    count: usize,
    /// Position of the next field name if it is in the master entry.
    name: Option<usize>,
    /// Position of the next value, or of the next field name if they stand with the values.
    at: usize,
}

impl<'a> Entry<'a> {
    /// Returns the id.
    #[must_use]
    pub fn id(&self) -> StreamId {
        self.id
    }

    /// Number of fields, which may have equal names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there is no field, which does not happen.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the fields, each with its value.
    pub fn fields(&self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> + use<'a> {
        let Entry { pack, mut name, mut at, .. } = *self;
        (0..self.count).map(move |_| {
            let field;
            if let Some(name) = &mut name {
                (field, *name) = pack.get(*name);
            } else {
                (field, at) = pack.get(at);
            }
            let value;
            (value, at) = pack.get(at);
            (field, value)
        })
    }

    /// Returns a copy.
    #[must_use]
    pub fn to_owned(&self) -> StreamEntry {
        let fields = self.fields().map(|(field, value)| (field.to_sds(), value.to_sds()));
        StreamEntry { id: self.id, fields: fields.collect() }
    }
}

/// An entry of a stream: its id, and its fields with their values in the order in which they were
/// added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEntry {
    /// The id.
    pub id: StreamId,
    /// Fields with their values.
    pub fields: Vec<(Sds, Sds)>,
}

/// An entry with its place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed<'a> {
    pub(super) entry: Entry<'a>,
    pub(super) deleted: bool,
    /// Position of the entry, and the position after it.
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Node {
    /// Returns an empty node, to which the caller adds an entry with these field names at once.
    pub(super) fn new(fields: &[(&[u8], &[u8])], max_bytes: u64) -> Node {
        let ahead = match usize::try_from(max_bytes) {
            Ok(max @ 1..ALLOCATED_AHEAD) => max,
            Ok(_) | Err(_) => ALLOCATED_AHEAD,
        };
        let mut node = Node { pack: Listpack::default(), requested: ahead.max(7) as u32 };
        node.pack.append(|end| {
            end.integer(0);
            end.integer(0);
            end.integer(fields.len() as i64);
            fields.iter().for_each(|(field, _)| end.text(field));
            end.integer(0);
        });
        node.grown();
        node
    }

    /// Returns the node of these bytes, or `None` if Redis would not store a node so.
    pub(super) fn from_bytes(bytes: Vec<u8>, id: StreamId) -> Option<Node> {
        let pack = Listpack::from_bytes(bytes)?;
        let requested = u32::try_from(pack.len()).ok()?;
        let node = Node { pack, requested };
        node.check(id).ok()?;
        Some(node)
    }

    /// Returns the listpack as Redis stores it.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.pack.as_bytes()
    }

    /// Number of bytes of the listpack.
    pub(super) fn len(&self) -> usize {
        self.pack.len()
    }

    /// Number of bytes that the node takes in Redis.
    pub(super) fn allocated(&self) -> usize {
        allocated(self.requested as usize)
    }

    /// Notes that the listpack may need more memory.
    fn grown(&mut self) {
        if self.pack.len() > self.allocated() {
            self.requested = self.pack.len() as u32;
        }
    }

    /// Gives up unused memory, because nothing will be added any more.
    pub(super) fn close(&mut self) {
        self.pack.shrink();
        if self.pack.len() < self.allocated() {
            self.requested = self.pack.len() as u32;
        }
    }

    /// Takes just the memory that it needs, as after a copy.
    pub(super) fn shrink(&mut self) {
        self.requested = self.pack.len() as u32;
    }

    pub(super) fn master(&self) -> Master {
        let (live, at) = self.pack.integer(self.pack.first());
        let (deleted, at) = self.pack.integer(at);
        let (fields, names) = self.pack.integer(at);
        Master { live, deleted, fields, names }
    }

    /// Position of the first entry.
    pub(super) fn entries(&self) -> usize {
        let Master { fields, names, .. } = self.master();
        let at = (0..fields).fold(names, |at, _| self.pack.next(at));
        self.pack.next(at)
    }

    /// Position of the end.
    pub(super) fn end(&self) -> usize {
        self.pack.end()
    }

    /// Returns whether these are the field names of the master entry.
    fn has_same_fields(&self, master: Master, fields: &[(&[u8], &[u8])]) -> bool {
        let mut at = master.names;
        master.fields == fields.len() as i64
            && fields.iter().all(|(field, _)| {
                let (name, next) = self.pack.get(at);
                at = next;
                name.is(field)
            })
    }

    /// Adds an entry to the node of this id.
    pub(super) fn append(&mut self, node: StreamId, id: StreamId, fields: &[(&[u8], &[u8])]) {
        let master = self.master();
        self.set_live(master.live, master.live + 1);
        // The count may have become longer.
        let same = self.has_same_fields(self.master(), fields);
        let (ms, seq) = id.delta(node);
        self.pack.append(|end| {
            end.integer(if same { SAME_FIELDS } else { 0 });
            end.integer(ms);
            end.integer(seq);
            if !same {
                end.integer(fields.len() as i64);
            }
            for (field, value) in fields {
                if !same {
                    end.text(field);
                }
                end.text(value);
            }
            let fields = fields.len() as i64;
            end.integer(if same { fields + 3 } else { 2 * fields + 4 });
        });
        self.grown();
    }

    fn set_live(&mut self, from: i64, to: i64) {
        if from != to {
            self.replace(self.pack.first(), to);
        }
    }

    fn set_deleted(&mut self, from: i64, to: i64) {
        if from != to {
            self.replace(self.pack.next(self.pack.first()), to);
        }
    }

    fn replace(&mut self, at: usize, n: i64) {
        let before = self.pack.len();
        self.pack.replace(at, n);
        if self.pack.len() < before {
            self.requested = self.pack.len() as u32;
        }
        self.grown();
    }

    /// Returns the entry at a position, or `None` at the end.
    pub(super) fn at(&self, node: StreamId, master: Master, start: usize) -> Option<Placed<'_>> {
        let pack = &self.pack;
        if start >= pack.end() {
            return None;
        }
        let (flags, at) = pack.integer(start);
        let (ms, at) = pack.integer(at);
        let (seq, at) = pack.integer(at);
        let id = node.plus((ms, seq));
        let same = flags & SAME_FIELDS != 0;
        let (count, at) = if same { (master.fields, at) } else { pack.integer(at) };
        let elements = if same { count } else { count * 2 };
        let last = (0..elements).fold(at, |at, _| pack.next(at));
        let name = same.then_some(master.names);
        let entry = Entry { id, pack, count: count.max(0) as usize, name, at };
        Some(Placed { entry, deleted: flags & DELETED != 0, start, end: pack.next(last) })
    }

    /// Returns the entry that ends at a position, or `None` at the first.
    pub(super) fn before(&self, node: StreamId, master: Master, end: usize) -> Option<Placed<'_>> {
        let last = self.pack.previous(end);
        let (elements, _) = self.pack.integer(last);
        if elements == 0 {
            return None;
        }
        let start = (0..elements).fold(last, |at, _| self.pack.previous(at));
        self.at(node, master, start)
    }

    /// Returns the entries from a position on.
    pub(super) fn walk(&self, node: StreamId, from: usize) -> impl Iterator<Item = Placed<'_>> {
        let master = self.master();
        let mut at = from;
        std::iter::from_fn(move || {
            let placed = self.at(node, master, at)?;
            at = placed.end;
            Some(placed)
        })
    }

    /// Returns the id of the last entry, deleted or not.
    pub(super) fn last(&self, node: StreamId) -> Option<StreamId> {
        let last = self.before(node, self.master(), self.end())?;
        Some(last.entry.id)
    }

    /// Marks entries as deleted, by their positions in any order.
    pub(super) fn mark_deleted(&mut self, starts: &[usize]) {
        for start in starts {
            let (flags, _) = self.pack.integer(*start);
            self.pack.replace(*start, flags | DELETED);
        }
        let Master { live, deleted, .. } = self.master();
        let marked = starts.len() as i64;
        self.set_live(live, live - marked);
        self.set_deleted(deleted, deleted + marked);
    }

    /// Checks that the node is as Redis stores one. Returns the number of entries that are not
    /// deleted, or what is wrong.
    pub(super) fn check(&self, node: StreamId) -> Result<usize, String> {
        let wrong = |what: &str| format!("node {node}: {what}");
        let pack = &self.pack;
        let end = pack.end();
        let mut at = pack.first();
        let integer = |at: &mut usize| match (*at < end).then(|| pack.get(*at)) {
            Some((Element::Integer(n), next)) => {
                *at = next;
                Ok(n)
            }
            Some((Element::Bytes(_), _)) | None => Err(wrong("a number is missing")),
        };
        let skip = |at: &mut usize, elements: i64| {
            for _ in 0..elements {
                if *at >= end {
                    return Err(wrong("an element is missing"));
                }
                *at = pack.next(*at);
            }
            Ok(())
        };
        let (live, deleted) = (integer(&mut at)?, integer(&mut at)?);
        let fields = integer(&mut at)?;
        skip(&mut at, fields)?;
        if integer(&mut at)? != 0 || live < 0 || deleted < 0 || fields < 0 {
            return Err(wrong("the master entry is malformed"));
        }
        let (mut counts, mut last) = ([0, 0], None);
        while at < end {
            let flags = integer(&mut at)?;
            let id = node.plus((integer(&mut at)?, integer(&mut at)?));
            let same = flags & SAME_FIELDS != 0;
            let count = if same { fields } else { integer(&mut at)? };
            let elements = if same { count } else { count.saturating_mul(2) };
            skip(&mut at, elements)?;
            let before = elements.saturating_add(if same { 3 } else { 4 });
            if integer(&mut at)? != before || count < 0 {
                return Err(wrong("an entry has other elements than it says"));
            }
            if last.replace(id).is_some_and(|last| last >= id) {
                return Err(wrong("entries are not in order"));
            }
            counts[usize::from(flags & DELETED != 0)] += 1;
        }
        if counts != [live, deleted] {
            return Err(wrong("entries are miscounted"));
        }
        Ok(live as usize)
    }
}
