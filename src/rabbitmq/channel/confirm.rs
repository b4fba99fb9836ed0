//! Publisher confirms of one channel: which publishes are confirmed, and how confirms are coalesced
//! into few methods.
//!
//! Publishes are numbered from 1, starting with `confirm.select`. A publish is confirmed when every
//! queue it was routed to has taken responsibility for it, and rejected as soon as one of them
//! refuses it. Confirms and rejections that are ready at the same time are sent together, and
//! coalesced as the server does: a single confirm is an `ack` of its own. Of several, all below the
//! lowest unconfirmed publish become one `ack` with `multiple`, for the highest of them; the others
//! follow one by one. Rejections become `nack`s by the same rule. An `ack` with `multiple` never
//! covers a rejected publish, and a `nack` never covers a confirmed one.
//!
//! Source: <https://www.rabbitmq.com/docs/confirms> and the server's behaviour.

use std::collections::VecDeque;

#[derive(Debug)]
pub(crate) struct Confirms {
    /// Number of the first publish in `open`.
    first: u64,
    /// Number of queues that each publish still waits for.
    open: VecDeque<u32>,
    /// Confirmed publishes whose confirm was not sent yet.
    ready: Vec<u64>,
    /// Rejected publishes whose rejection was not sent yet.
    rejected: Vec<u64>,
}

/// The answer to a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Ack,
    Nack,
}

impl Confirms {
    pub(crate) fn new() -> Confirms {
        Confirms { first: 1, open: VecDeque::new(), ready: Vec::new(), rejected: Vec::new() }
    }

    /// Numbers a publish that was routed to this many queues. If there are none, the publish is
    /// confirmed already, and the caller sends the confirm.
    pub(crate) fn publish(&mut self, queues: u32) -> u64 {
        self.open.push_back(queues);
        let seqno = self.first + self.open.len() as u64 - 1;
        self.forget_confirmed();
        seqno
    }

    /// Notes that one more queue has taken responsibility for a publish.
    pub(crate) fn confirm(&mut self, seqno: u64) {
        let Some(index) = seqno.checked_sub(self.first) else {
            return;
        };
        // A rejected publish waits for no queue.
        let Some(waits_for) = self.open.get_mut(index as usize).filter(|open| **open > 0) else {
            return;
        };
        *waits_for -= 1;
        if *waits_for == 0 {
            self.ready.push(seqno);
            self.forget_confirmed();
        }
    }

    /// Notes that a queue has refused a publish, which decides its answer.
    pub(crate) fn reject(&mut self, seqno: u64) {
        if let Some(index) = seqno.checked_sub(self.first)
            && let Some(waits_for) = self.open.get_mut(index as usize).filter(|open| **open > 0)
        {
            *waits_for = 0;
            self.rejected.push(seqno);
            self.forget_confirmed();
        }
    }

    fn forget_confirmed(&mut self) {
        while self.open.front() == Some(&0) {
            self.open.pop_front();
            self.first += 1;
        }
    }

    /// Returns the number of the next publish.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.open.len() as u64
    }

    /// Returns the answers that are ready to be sent.
    pub(crate) fn decided(&self) -> impl Iterator<Item = (Verdict, u64)> {
        let ready = self.ready.iter().map(|seqno| (Verdict::Ack, *seqno));
        ready.chain(self.rejected.iter().map(|seqno| (Verdict::Nack, *seqno)))
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty() || !self.rejected.is_empty()
    }

    /// Number of confirms that are ready, without rejections.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Number of publishes that the client does not know to be confirmed or rejected.
    pub(crate) fn unconfirmed(&self) -> usize {
        let waiting = self.open.iter().filter(|open| **open > 0).count();
        waiting + self.ready.len() + self.rejected.len()
    }

    /// Returns whether a rejection was not sent yet.
    pub(crate) fn has_rejected(&self) -> bool {
        !self.rejected.is_empty()
    }

    /// Returns whether every publish was confirmed or rejected.
    pub(crate) fn is_settled(&self) -> bool {
        self.open.is_empty()
    }

    /// Passes on everything that is ready, as `(delivery tag, multiple)`.
    pub(crate) fn send(&mut self, mut say: impl FnMut(Verdict, u64, bool)) {
        let cutoff = |others: &[u64], first: u64| others.iter().copied().fold(first, u64::min);
        let (acks, nacks) = (cutoff(&self.rejected, self.first), cutoff(&self.ready, self.first));
        match self.ready[..] {
            [seqno] => say(Verdict::Ack, seqno, false),
            _ => coalesce(&mut self.ready, acks, |seqno, many| say(Verdict::Ack, seqno, many)),
        }
        coalesce(&mut self.rejected, nacks, |seqno, many| say(Verdict::Nack, seqno, many));
        self.ready.clear();
        self.rejected.clear();
    }
}

/// Passes on everything below the cutoff at once, and the others one by one.
fn coalesce(seqnos: &mut [u64], cutoff: u64, mut say: impl FnMut(u64, bool)) {
    seqnos.sort_unstable();
    let below = seqnos.partition_point(|&seqno| seqno < cutoff);
    if below > 0 {
        say(seqnos[below - 1], true);
    }
    for &seqno in &seqnos[below..] {
        say(seqno, false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(confirms: &mut Confirms) -> Vec<(u64, bool)> {
        let mut sent = Vec::new();
        confirms.send(|_, seqno, multiple| sent.push((seqno, multiple)));
        sent
    }

    #[test]
    fn a_batch_is_coalesced_below_the_lowest_unconfirmed() {
        let mut confirms = Confirms::new();
        for expected in 1..=5 {
            assert_eq!(confirms.publish(1), expected);
        }
        for seqno in [2, 1, 5, 4] {
            confirms.confirm(seqno);
        }
        assert_eq!(sent(&mut confirms), [(2, true), (4, false), (5, false)]);
        confirms.confirm(3);
        assert_eq!(sent(&mut confirms), [(3, false)]);
        assert!(confirms.open.is_empty());
    }

    #[test]
    fn a_complete_batch_is_one_ack() {
        let mut confirms = Confirms::new();
        for seqno in 1..=10 {
            confirms.publish(1);
            confirms.confirm(seqno);
        }
        assert_eq!(sent(&mut confirms), [(10, true)]);
        assert_eq!(sent(&mut confirms), []);
    }

    #[test]
    fn one_refusing_queue_rejects_and_acks_do_not_include_nacks() {
        let mut confirms = Confirms::new();
        for _ in 0..4 {
            confirms.publish(2);
        }
        for seqno in [1, 1, 2, 2, 4, 4] {
            confirms.confirm(seqno);
        }
        confirms.reject(3);
        confirms.confirm(3);
        let mut said = Vec::new();
        confirms.send(|verdict, seqno, multiple| said.push((verdict, seqno, multiple)));
        assert_eq!(
            said,
            [(Verdict::Ack, 2, true), (Verdict::Ack, 4, false), (Verdict::Nack, 3, false),]
        );
        assert!(confirms.is_settled());
    }

    #[test]
    fn a_publish_waits_for_all_its_queues() {
        let mut confirms = Confirms::new();
        confirms.publish(2);
        confirms.confirm(1);
        assert!(!confirms.has_ready());
        confirms.confirm(1);
        assert_eq!(sent(&mut confirms), [(1, false)]);
        assert_eq!(confirms.publish(0), 2);
        assert_eq!(confirms.first, 3);
    }
}
