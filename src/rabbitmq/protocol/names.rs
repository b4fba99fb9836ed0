//! Names that the server generates: `amq.gen-…` for queues, `amq.ctag-…` for consumers, each with
//! 22 characters of URL-safe base64, as in RabbitMQ.
//!
//! One half of a name is drawn, the other half is a scrambled serial number, so that two names
//! differ even when every draw is 0. The serial number continues over restarts, because durable
//! queues keep their names. The node's own name is here, too.

use crate::Stream;
use smol_str::SmolStr;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The name of the node, and of the cluster of which it is the only one.
pub(crate) const NODE: &str = "rabbit@localhost";

#[derive(Debug)]
pub(crate) struct Names {
    stream: Stream,
    serial: u64,
}

impl Names {
    pub(crate) fn new(stream: Stream) -> Names {
        Names { stream, serial: 0 }
    }

    pub(crate) fn queue(&mut self) -> SmolStr {
        self.name("amq.gen-")
    }

    pub(crate) fn consumer_tag(&mut self) -> SmolStr {
        self.name("amq.ctag-")
    }

    /// The name to which one channel's direct replies are published.
    pub(crate) fn reply_to(&mut self) -> SmolStr {
        self.name("amq.rabbitmq.reply-to.")
    }

    /// A draw in `0..among` where the real server picks at random.
    pub(crate) fn draw(&mut self, among: u64) -> u64 {
        self.stream.choose(among)
    }

    /// Returns whether something rare happens now: once in `one_in` times.
    pub(crate) fn happens(&mut self, one_in: u64) -> bool {
        self.stream.choose_rarely(1, one_in) > 0
    }

    fn name(&mut self, prefix: &str) -> SmolStr {
        self.serial += 1;
        let drawn = self.stream.choose(u64::MAX);
        let bits = u128::from(drawn) << 64 | u128::from(scramble(self.serial));
        let mut name = String::with_capacity(prefix.len() + 22);
        name.push_str(prefix);
        // 21 characters of six bits, and one character for the remaining two bits.
        for i in 0..22 {
            let sextet = if i < 21 { bits >> (122 - 6 * i) } else { bits << 4 };
            name.push(char::from(ALPHABET[(sextet & 63) as usize]));
        }
        name.into()
    }
}

/// A bijection that makes a counter look random (the finaliser of `SplitMix64`).
fn scramble(serial: u64) -> u64 {
    let mut z = serial.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Site;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_distinct_even_when_calm() {
        let mut names = Names::new(Stream::calm(Site::new("test"), 0));
        let made: BTreeSet<SmolStr> = (0..10_000).map(|_| names.queue()).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|name| name.len() == 8 + 22));
    }
}
