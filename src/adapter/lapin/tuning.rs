//! Heartbeats: what lapin and the broker agree upon, and who sends them.
//!
//! Lapin's heartbeats read the real clock. So lapin is told that the broker wants none, and the
//! broker is told what lapin would have agreed to: the two numbers in `connection.tune` and
//! `connection.tune-ok` are changed on their way. From then on the world sends heartbeats for lapin
//! in virtual time. This is the only place that looks into what lapin and the broker say.

use std::time::Duration;

/// A frame that is a heartbeat.
pub(super) const HEARTBEAT: &[u8] = &[8, 0, 0, 0, 0, 0, 0, 0xce];

/// The length of the protocol header, with which a client begins.
const PROTOCOL_HEADER: usize = 8;
/// The length of a frame's header, and of what follows its payload.
const FRAME_HEADER: usize = 7;
const FRAME_END: usize = 1;
/// The start of a method frame of channel 0.
const METHOD: [u8; 3] = [1, 0, 0];
const TUNE: [u8; 4] = [0, 10, 0, 30];
const TUNE_OK: [u8; 4] = [0, 10, 0, 31];
/// Where the heartbeat lies in the payload of either method: behind the method's number, the
/// largest number of channels and the largest frame.
const HEARTBEAT_AT: usize = 4 + 2 + 4;

/// The negotiation of one connection.
#[derive(Debug)]
pub(super) struct Tuning {
    /// What lapin's URI asks for.
    wanted: u16,
    /// What the broker has offered.
    offered: u16,
    from_broker: Scanner,
    from_lapin: Scanner,
}

impl Tuning {
    pub(super) fn new(wanted: u16) -> Tuning {
        let from_broker = Scanner { method: TUNE, skip: 0, at: 0, head: [0; 11], is_done: false };
        let from_lapin = Scanner { method: TUNE_OK, skip: PROTOCOL_HEADER, ..from_broker };
        Tuning { wanted, offered: 0, from_broker, from_lapin }
    }

    /// Bytes of the broker pass on their way to lapin.
    pub(super) fn receive(&mut self, bytes: &mut [u8]) {
        let offered = &mut self.offered;
        self.from_broker.scan(bytes, |byte, shift| {
            *offered |= u16::from(std::mem::take(byte)) << shift;
        });
    }

    /// Bytes of lapin pass on their way to the broker. Returns the time of heartbeats, once it is
    /// agreed upon, if there are any.
    pub(super) fn send(&mut self, bytes: &mut [u8]) -> Option<Duration> {
        if self.from_lapin.is_done {
            return None;
        }
        let agreed = self.agreed();
        self.from_lapin.scan(bytes, |byte, shift| *byte = (agreed >> shift) as u8);
        let is_agreed = self.from_lapin.is_done && agreed > 0;
        is_agreed.then(|| Duration::from_secs(agreed.into()))
    }

    /// Lapin takes what the broker offers, or what it wants itself if that is less, but not none.
    fn agreed(&self) -> u16 {
        match (self.wanted, self.offered) {
            (0, offered) => offered,
            (wanted, 0) => wanted,
            (wanted, offered) => wanted.min(offered),
        }
    }
}

/// Looks for the heartbeat in the first frame of a method, in a stream that comes in pieces.
#[derive(Clone, Copy, Debug)]
struct Scanner {
    method: [u8; 4],
    /// How many bytes to ignore.
    skip: usize,
    /// Where in its frame the next byte lies.
    at: usize,
    /// The header of the frame, and the method's number.
    head: [u8; FRAME_HEADER + 4],
    is_done: bool,
}

impl Scanner {
    /// Calls `change` for both bytes of the heartbeat, with the place of their bits.
    fn scan(&mut self, bytes: &mut [u8], mut change: impl FnMut(&mut u8, u32)) {
        for byte in bytes {
            if self.is_done {
                return;
            }
            if self.skip > 0 {
                self.skip -= 1;
                continue;
            }
            if let Some(place) = self.head.get_mut(self.at) {
                *place = *byte;
            }
            let is_wanted = self.head[..3] == METHOD && self.head[FRAME_HEADER..] == self.method;
            match self.at.checked_sub(FRAME_HEADER + HEARTBEAT_AT) {
                Some(0) if is_wanted => change(byte, 8),
                Some(1) if is_wanted => {
                    change(byte, 0);
                    self.is_done = true;
                }
                _ => {}
            }
            self.at += 1;
            let size = u32::from_be_bytes([self.head[3], self.head[4], self.head[5], self.head[6]]);
            if self.at >= FRAME_HEADER && self.at == FRAME_HEADER + size as usize + FRAME_END {
                (self.at, self.head) = (0, [0; 11]);
            }
        }
    }
}
