//! The check of a request against a user's selectors.
//!
//! One selector has to allow the database, the command, all its keys and all its channels. If none
//! does, the error is that of the selector which came furthest.
//!
//! Source: `acl.c` (`ACLSelectorCheckCmd`, `ACLCheckAllUserCommandPerm`), `db.c`
//! (`commands_with_channels`).

use super::databases::Place;
use super::selector::{READ, Selector, WRITE, is_among};
use super::user::User;
use crate::redis::command::Args;
use crate::redis::command::describe::positions_of;
use crate::redis::command::flag::NO_AUTH;
use crate::redis::command::key_spec::usage;
use crate::redis::server::command::Row;

/// What a user lacks. A later one is more of a success.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Lacks {
    Database,
    Command,
    Key,
    Channel,
}

/// What a user lacks, and the position of the argument for which it is lacked.
pub(crate) type Denial = (Lacks, usize);

/// Returns the range of the arguments that are channels, and whether they are patterns.
fn channels(name: &str, words: usize) -> Option<(std::ops::Range<usize>, bool)> {
    match name {
        "subscribe" | "ssubscribe" => Some((1..words, false)),
        "psubscribe" => Some((1..words, true)),
        "publish" | "spublish" => Some((1..words.min(2), false)),
        _ => None,
    }
}

/// Returns what has to be permitted for this usage of a key.
fn needs(used: u16) -> u8 {
    let reads = if used & usage::ACCESS != 0 { READ } else { 0 };
    let writes = used & (usage::INSERT | usage::DELETE | usage::UPDATE) != 0;
    reads | if writes { WRITE } else { 0 }
}

/// A request, with its keys once they are known.
struct Request<'a> {
    command: &'static Row,
    words: Args<'a>,
    keys: Option<Vec<(usize, u16)>>,
    place: Place,
}

impl Request<'_> {
    fn keys(&mut self) -> &[(usize, u16)] {
        let find = || positions_of(self.command, self.words).unwrap_or_default();
        self.keys.get_or_insert_with(find)
    }

    fn allows_command(&self, selector: &Selector) -> bool {
        if selector.commands.all || self.command.has(NO_AUTH) {
            return true;
        }
        let Some(number) = selector.commands.catalogue().number(self.command) else { return false };
        let at = if self.command.name.contains('|') { 2 } else { 1 };
        let listed = |argument: &&[u8]| {
            let listed = selector.commands.first_arguments(number);
            listed.iter().any(|known| known.eq_ignore_ascii_case(argument))
        };
        selector.commands.has(number) || self.words.get(at).is_some_and(listed)
    }

    /// Returns what a selector does not allow.
    fn check(&mut self, selector: &Selector) -> Result<(), (Lacks, Option<usize>)> {
        if let Some(at) = selector.databases.denied(self.command, self.words, self.place) {
            return Err((Lacks::Database, Some(at)));
        }
        if !self.allows_command(selector) {
            return Err((Lacks::Command, None));
        }
        let words = self.words;
        if !selector.all_keys {
            let denied =
                |&&(at, used): &&(usize, u16)| !selector.may_use_key(words[at], needs(used));
            if let Some((at, _)) = self.keys().iter().find(denied) {
                return Err((Lacks::Key, Some(*at)));
            }
        }
        let channels = channels(self.command.name, words.len()).filter(|_| !selector.all_channels);
        if let Some((mut range, is_pattern)) = channels
            && let Some(at) = range.find(|at| !is_among(&selector.channels, words[*at], is_pattern))
        {
            return Err((Lacks::Channel, Some(at)));
        }
        Ok(())
    }
}

impl User {
    /// Checks that the user may run a command at this place.
    pub(crate) fn check(
        &self,
        command: &'static Row,
        words: Args<'_>,
        place: Place,
    ) -> Result<(), Denial> {
        let mut request = Request { command, words, keys: None, place };
        let (mut worst, mut position, mut current) = (Lacks::Database, 0, 0);
        for selector in self.selectors() {
            let Err((lacks, at)) = request.check(selector) else { return Ok(()) };
            current = at.unwrap_or(current);
            if lacks > worst || (lacks == worst && current > position) {
                (worst, position) = (lacks, current);
            }
        }
        Err((worst, position))
    }

    /// Returns whether the user may run a command with a selector that lets it read every key.
    pub(crate) fn may_read_all_with(
        &self,
        command: &'static Row,
        words: Args<'_>,
        place: Place,
    ) -> bool {
        let mut request = Request { command, words, keys: None, place };
        self.selectors()
            .any(|selector| request.check(selector).is_ok() && selector.may_use_every_key(READ))
    }

    /// Returns whether subscriptions of the user may no longer be allowed, after it was `former`.
    pub(crate) fn has_fewer_channels_than(&self, former: &User) -> bool {
        if self.selectors().any(|selector| selector.all_channels) {
            return false;
        }
        let now = self.channel_patterns();
        former.selectors().any(|selector| {
            selector.all_channels || selector.channels.iter().any(|pattern| !now.contains(pattern))
        })
    }

    /// Returns the patterns of channels of all selectors.
    pub(crate) fn channel_patterns(&self) -> Vec<crate::redis::value::Sds> {
        self.selectors().flat_map(|selector| selector.channels.iter().cloned()).collect()
    }
}
