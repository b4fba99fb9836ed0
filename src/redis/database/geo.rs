//! Operations on positions, which are stored in sorted sets. The arithmetic is in
//! [`value::geo`](crate::redis::value::geo).
//!
//! Source: <https://redis.io/commands/?group=geo>, `geo.c`.

use super::notify::EventClasses;
use super::{Database, ZaddOptions, ZaddOutcome};
use crate::redis::error::CommandError;
use crate::redis::value::geo::{self, Found, Point, Search};
use crate::redis::value::{SortedSet, Value};

/// The scores of a stored search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum GeoScores {
    /// The positions.
    Positions,
    /// `STOREDIST`: the distances from the centre, in this unit.
    Distances(geo::Unit),
}

impl Database {
    /// `GEOADD`: sets positions of members.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn geoadd(
        &mut self,
        key: &[u8],
        members: &[(Point, &[u8])],
        options: ZaddOptions,
    ) -> Result<ZaddOutcome, CommandError> {
        let scored: Vec<(f64, &[u8])> =
            members.iter().map(|(point, member)| (point.score(), *member)).collect();
        self.zadd(key, &scored, options)
    }

    /// `GEOPOS`: returns a member's position.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn geopos(&mut self, key: &[u8], member: &[u8]) -> Result<Option<Point>, CommandError> {
        Ok(self.zscore(key, member)?.map(Point::from_score))
    }

    /// `GEODIST`: returns the distance between two members in metres, or `None` if one of them is
    /// missing.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn geodist(
        &mut self,
        key: &[u8],
        one: &[u8],
        other: &[u8],
    ) -> Result<Option<f64>, CommandError> {
        let Some(set) = self.sorted_set(key)? else { return Ok(None) };
        let point = |member: &[u8]| set.score(member).map(Point::from_score);
        Ok(point(one).zip(point(other)).map(|(one, other)| one.distance(other)))
    }

    /// `GEOSEARCH`: returns the members within an area.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn geosearch(&mut self, key: &[u8], search: &Search) -> Result<Vec<Found>, CommandError> {
        Ok(self.sorted_set(key)?.map_or_else(Vec::new, |set| geo::search(set, search)))
    }

    /// `GEOSEARCHSTORE`: stores the members within an area in another key, or removes that key if
    /// there are none. Returns their number.
    ///
    /// # Errors
    ///
    /// [`CommandError::WrongType`].
    pub fn geosearchstore(
        &mut self,
        destination: &[u8],
        source: &[u8],
        search: &Search,
        scores: GeoScores,
    ) -> Result<usize, CommandError> {
        let found = self.geosearch(source, search)?;
        Ok(self.store_found(destination, found, scores, "geosearchstore"))
    }

    /// Sets a key to a sorted set of found members, or removes it if there are none. Returns their
    /// number.
    pub(crate) fn store_found(
        &mut self,
        destination: &[u8],
        found: Vec<Found>,
        scores: GeoScores,
        event: &'static str,
    ) -> usize {
        if found.is_empty() {
            self.del(destination);
            return 0;
        }
        let (limits, len) = (self.limits.sorted_set, found.len());
        let mut set = SortedSet::new();
        for Found { member, score, distance, .. } in found {
            let score = match scores {
                GeoScores::Positions => score,
                GeoScores::Distances(unit) => distance / unit.metres(),
            };
            // The real server aborts over a distance that is not a number, which two exactly
            // opposite points can have.
            set.insert_within(&member, if score.is_nan() { f64::INFINITY } else { score }, limits);
        }
        self.put(destination, Value::SortedSet(Box::new(set)));
        self.changed(destination, EventClasses::SORTED_SET, event, len as u64);
        len
    }
}
