//! Operations on sets.
//!
//! A computed set has an encoding of its own: it is an `intset`, listed in ascending order, if its
//! members are integers and few, whatever the encodings of its sources are.
//!
//! Source: <https://redis.io/commands/?group=set>, `t_set.c`.

use super::notify::EventClasses;
use super::{Database, draw};
use crate::choice::Stream;
use crate::redis::error::CommandError;
use crate::redis::value::{Sds, Set, SetEncoding, SetLimits, Value};
use crate::sort::sort_by_key;

impl Database {
    /// Returns the sizes up to which sets keep their compact encodings.
    fn limits_of_sets(&self) -> SetLimits {
        self.limits.of_sets(self.profile.encodings)
    }

    /// `SMEMBERS`: returns a set to be read, or `None` if the key does not exist.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn members(&mut self, key: &[u8]) -> Result<Option<&Set>, CommandError> {
        self.read::<Set>(key)
    }

    /// `SCARD`: returns the number of members, 0 if the key is missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn scard(&mut self, key: &[u8]) -> Result<usize, CommandError> {
        Ok(self.members(key)?.map_or(0, Set::len))
    }

    /// `SISMEMBER`: returns whether a set has a member.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sismember(&mut self, key: &[u8], member: &[u8]) -> Result<bool, CommandError> {
        Ok(self.members(key)?.is_some_and(|set| set.contains(member)))
    }

    /// `SADD`: adds members. Returns the number of new ones.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sadd(&mut self, key: &[u8], members: &[&[u8]]) -> Result<usize, CommandError> {
        if members.is_empty() {
            return self.write::<Set>(key).map(|_| 0);
        }
        let limits = self.limits_of_sets();
        let hint = members.len();
        let make = || Set::for_members(members[0], hint, limits);
        let set = self.write_or_insert_with::<Set>(key, make)?;
        set.expect(hint, limits);
        let added = members.iter().filter(|member| set.insert(member, limits)).count();
        if added > 0 {
            self.changed(key, EventClasses::SET, "sadd", added as u64);
        }
        Ok(added)
    }

    /// `SREM`: removes members. Returns how many there were.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn srem(&mut self, key: &[u8], members: &[&[u8]]) -> Result<usize, CommandError> {
        let Some(set) = self.write::<Set>(key)? else { return Ok(0) };
        let removed = members.iter().filter(|member| set.remove(member)).count();
        let emptied = set.is_empty();
        if removed > 0 {
            self.changed(key, EventClasses::SET, "srem", removed as u64);
            self.remove_emptied(emptied, key);
        }
        Ok(removed)
    }

    /// `SMOVE`: moves a member from one set to another. Returns whether it existed.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]. A missing source is not an error, whatever the
    /// destination is.
    pub fn smove(
        &mut self,
        source: &[u8],
        destination: &[u8],
        member: &[u8],
    ) -> Result<bool, CommandError> {
        if self.write::<Set>(source)?.is_none() {
            return Ok(false);
        }
        self.write::<Set>(destination)?;
        let limits = self.limits_of_sets();
        let from = self.again::<Set>(source)?.expect("the source was just found");
        if source == destination {
            return Ok(from.contains(member));
        }
        if !from.remove(member) {
            return Ok(false);
        }
        let emptied = from.is_empty();
        self.changed(source, EventClasses::SET, "srem", 1);
        self.remove_emptied(emptied, source);
        let make = || Set::for_members(member, 1, limits);
        if self.again_or_insert_with::<Set>(destination, make)?.insert(member, limits) {
            self.changed(destination, EventClasses::SET, "sadd", 1);
        }
        Ok(true)
    }

    /// `SPOP`: removes and returns up to this many members drawn at random.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn spop(
        &mut self,
        key: &[u8],
        count: usize,
        random: &mut Stream,
    ) -> Result<Vec<Sds>, CommandError> {
        let Some(set) = self.write::<Set>(key)? else { return Ok(Vec::new()) };
        if count == 0 {
            return Ok(Vec::new());
        }
        let drawn = draw::distinct(random, set.len(), count).into_iter();
        let members: Vec<Sds> =
            drawn.filter_map(|index| set.get_index(index)).map(|m| m.into_owned()).collect();
        if members.len() == set.len() {
            *set = Set::default();
        }
        for member in &members {
            set.remove(member);
        }
        let emptied = set.is_empty();
        self.changed(key, EventClasses::SET, "spop", members.len() as u64);
        self.remove_emptied(emptied, key);
        Ok(members)
    }

    /// `SRANDMEMBER`: draws members at random: up to `count` distinct ones, or exactly `-count`,
    /// which may repeat.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`]; [`CommandError::OutOfRange`] for more draws than fit into
    /// memory.
    pub fn srandmember(
        &mut self,
        key: &[u8],
        count: i64,
        random: &mut Stream,
    ) -> Result<Vec<Sds>, CommandError> {
        let Some(set) = self.members(key)? else { return Ok(Vec::new()) };
        let drawn = draw::by_count(random, set.len(), count)?.into_iter();
        Ok(drawn.filter_map(|index| set.get_index(index)).map(|m| m.into_owned()).collect())
    }

    /// `SINTER`: returns the members of all of these sets.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sinter(&mut self, keys: &[&[u8]]) -> Result<Set, CommandError> {
        let limits = self.limits_of_sets();
        Ok(Intersection::of(&self.sets(keys)?).collect(limits))
    }

    /// `SINTERCARD`: returns the number of members of all of these sets, counted up to `limit`
    /// unless that is 0.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sintercard(&mut self, keys: &[&[u8]], limit: usize) -> Result<usize, CommandError> {
        let sets = self.sets(keys)?;
        let limit = if limit == 0 { usize::MAX } else { limit };
        Ok(Intersection::of(&sets).members().take(limit).count())
    }

    /// `SUNION`: returns the members of any of these sets.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sunion(&mut self, keys: &[&[u8]]) -> Result<Set, CommandError> {
        let limits = self.limits_of_sets();
        let mut union = Set::default();
        for set in self.sets(keys)?.into_iter().flatten() {
            for member in set.iter() {
                union.insert(&member, limits);
            }
        }
        Ok(union)
    }

    /// `SDIFF`: returns the members of the first set that are in no other.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sdiff(&mut self, keys: &[&[u8]]) -> Result<Set, CommandError> {
        let limits = self.limits_of_sets();
        let mut difference = Set::default();
        let sets = self.sets(keys)?;
        let Some((Some(first), others)) = sets.split_first() else { return Ok(difference) };
        for member in first.iter() {
            if !others.iter().flatten().any(|other| other.contains(&member)) {
                difference.insert(&member, limits);
            }
        }
        Ok(difference)
    }

    /// `SINTERSTORE`: stores the result of [`Database::sinter`] in a key. Returns the number of
    /// members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sinterstore(
        &mut self,
        destination: &[u8],
        keys: &[&[u8]],
    ) -> Result<usize, CommandError> {
        let mut set = self.sinter(keys)?;
        set.make_intset_if_possible(self.limits_of_sets());
        Ok(self.store_set(destination, set, "sinterstore"))
    }

    /// `SUNIONSTORE`: stores the result of [`Database::sunion`] in a key. Returns the number of
    /// members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sunionstore(
        &mut self,
        destination: &[u8],
        keys: &[&[u8]],
    ) -> Result<usize, CommandError> {
        let set = self.sunion(keys)?;
        Ok(self.store_set(destination, set, "sunionstore"))
    }

    /// `SDIFFSTORE`: stores the result of [`Database::sdiff`] in a key. Returns the number of
    /// members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn sdiffstore(
        &mut self,
        destination: &[u8],
        keys: &[&[u8]],
    ) -> Result<usize, CommandError> {
        let set = self.sdiff(keys)?;
        Ok(self.store_set(destination, set, "sdiffstore"))
    }

    /// Sets a key to a computed set, whatever it held, or deletes it if the set is empty.
    fn store_set(&mut self, destination: &[u8], set: Set, event: &'static str) -> usize {
        let len = set.len();
        if len == 0 {
            self.del(destination);
        } else {
            self.put(destination, Value::Set(Box::new(set)));
            self.changed(destination, EventClasses::SET, event, 1);
        }
        len
    }

    /// Returns sets to be read together; `None` for a missing key.
    fn sets(&mut self, keys: &[&[u8]]) -> Result<Vec<Option<&Set>>, CommandError> {
        for key in keys {
            self.members(key)?;
        }
        let set = |key: &&[u8]| match self.keyspace.get(key).map(|entry| &entry.value) {
            Some(Value::Set(set)) => Some(&**set),
            Some(_) | None => None,
        };
        Ok(keys.iter().map(set).collect())
    }
}

/// An intersection of sets, found by asking the other sets for the members of the smallest.
struct Intersection<'a> {
    smallest: Option<&'a Set>,
    others: Vec<&'a Set>,
}

impl<'a> Intersection<'a> {
    /// Returns the intersection, which is empty if a set is missing.
    fn of(sets: &[Option<&'a Set>]) -> Intersection<'a> {
        let Some(mut sets) = sets.iter().copied().collect::<Option<Vec<&Set>>>() else {
            return Intersection { smallest: None, others: Vec::new() };
        };
        sort_by_key(&mut sets, |set| set.len());
        let mut sets = sets.into_iter();
        Intersection { smallest: sets.next(), others: sets.collect() }
    }

    fn members(&self) -> impl Iterator<Item = std::borrow::Cow<'a, Sds>> {
        let all = self.smallest.into_iter().flat_map(|set| set.iter());
        all.filter(|member| self.others.iter().all(|other| other.contains(member)))
    }

    fn collect(&self, limits: SetLimits) -> Set {
        let is_intset = self.smallest.is_none_or(|set| set.encoding() == SetEncoding::Intset);
        let mut common = if is_intset { Set::default() } else { Set::to_append_to(limits) };
        for member in self.members() {
            common.insert(&member, limits);
        }
        common
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn members(set: &Set) -> BTreeSet<Vec<u8>> {
        set.iter().map(|member| member.to_vec()).collect()
    }

    proptest! {
        #[test]
        fn sets_are_combined_like_the_standard_sets(
            model in prop::collection::vec(prop::collection::btree_set("[a-f]|[0-9]", 0..8), 1..4)
        ) {
            let mut db = Database::new();
            let keys: Vec<String> = (0..model.len()).map(|n| format!("set {n}")).collect();
            let keys: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
            for (key, set) in keys.iter().zip(&model) {
                let set: Vec<&[u8]> = set.iter().map(|member| member.as_bytes()).collect();
                db.sadd(key, &set)?;
            }
            let bytes = |set: BTreeSet<String>| set.into_iter().map(String::into_bytes).collect();
            let model: Vec<BTreeSet<Vec<u8>>> = model.into_iter().map(bytes).collect();
            let first = model[0].clone();
            let union = model.iter().flatten().cloned().collect::<BTreeSet<_>>();
            let inter = model.iter().skip(1).fold(first.clone(), |a, b| &a & b);
            let diff = model.iter().skip(1).fold(first, |a, b| &a - b);
            prop_assert_eq!(members(&db.sunion(&keys)?), union);
            let common = inter.len();
            prop_assert_eq!(members(&db.sinter(&keys)?), inter);
            prop_assert_eq!(members(&db.sdiff(&keys)?), diff);
            prop_assert_eq!(db.sintercard(&keys, 0)?, common);
            prop_assert_eq!(db.sintercard(&keys, 2)?, common.min(2));
            prop_assert_eq!(db.sinterstore(keys[0], &keys)?, common);
            prop_assert_eq!(db.exists(keys[0]), common > 0);
        }
    }
}
