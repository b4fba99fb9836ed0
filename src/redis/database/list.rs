//! Operations on lists.
//!
//! Source: <https://redis.io/commands/?group=list>, `t_list.c`.

use super::super::error::Error;
use super::super::notify::EventClasses;
use super::super::sds::Sds;
use super::super::value::{End, List};
use super::Database;

impl Database {
    /// `LPOP`, `RPOP`: takes the element at an end.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn pop(&mut self, key: &[u8], end: End) -> Result<Option<Sds>, Error> {
        let Some(list) = self.write::<List>(key)? else { return Ok(None) };
        let element = list.pop(end);
        self.popped(key, end, 1);
        Ok(element)
    }

    /// `LPOP`, `RPOP` with a count: takes up to so many elements at an end, in
    /// the order they come off; `None` if there is no such key.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`].
    pub fn pop_many(
        &mut self,
        key: &[u8],
        end: End,
        count: usize,
    ) -> Result<Option<Vec<Sds>>, Error> {
        let Some(list) = self.write::<List>(key)? else { return Ok(None) };
        let count = count.min(list.len());
        let elements: Vec<Sds> = (0..count).filter_map(|_| list.pop(end)).collect();
        if count > 0 {
            self.popped(key, end, count);
        }
        Ok(Some(elements))
    }

    /// So many elements were taken off an end.
    fn popped(&mut self, key: &[u8], end: End, count: usize) {
        let event = match end {
            End::Left => "lpop",
            End::Right => "rpop",
        };
        self.changed(key, EventClasses::LIST, event, count as u64);
        self.remove_if_empty::<List>(key);
    }

    /// `LMOVE`: moves the element at an end of one list to an end of another,
    /// which may be the same; the element, if there was one.
    ///
    /// # Errors
    ///
    /// [`Error::WrongType`]: nothing is moved then. A missing source is not an
    /// error, whatever the destination is.
    pub fn lmove(
        &mut self,
        source: &[u8],
        destination: &[u8],
        from: End,
        to: End,
    ) -> Result<Option<Sds>, Error> {
        todo!("{source:?} {destination:?} {from:?} {to:?}")
    }
}
