//! The losses of a server's last stop.

use crate::redis::value::Sds;
use std::fmt;

/// The losses of a server's last stop: the changes of these keys since the state on disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses {
    /// Each key with the number of its database, in order of their first change.
    pub keys: Vec<(usize, Sds)>,
}

/// Greatest number of keys that are named.
const NAMED: usize = 20;

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.keys.len() == 1 { "" } else { "s" };
        write!(f, "lost the last changes of {} key{plural}", self.keys.len())?;
        for (i, (database, key)) in self.keys.iter().take(NAMED).enumerate() {
            f.write_str(if i == 0 { ": " } else { ", " })?;
            write!(f, "{key}")?;
            if *database != 0 {
                write!(f, " of database {database}")?;
            }
        }
        if self.keys.len() > NAMED { f.write_str(", …") } else { Ok(()) }
    }
}
