//! Operations on sorted sets.
//!
//! Source: <https://redis.io/commands/?group=sorted-set>, `t_zset.c`.

use super::super::error::Error;
use super::super::sds::Sds;
use super::super::value::End;
use super::Database;

impl Database {
    /// `ZPOPMIN` (from the left), `ZPOPMAX`: takes up to so many members off an
    /// end, in the order they come off.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn zpop(&mut self, key: &[u8], end: End, count: usize) -> Result<Vec<(Sds, f64)>, Error> {
        todo!("{key:?} {end:?} {count}")
    }
}
