//! The bank. It is another company's, and slow; this one keeps its books in Redis.
//!
//! It charges once for each *idempotency key*, however often it is asked, so a worker that has died
//! after it asked may be followed by one that asks again.

use crate::private::Private;
use crate::shop::price;
use redis::{Cmd, RedisResult};
use std::time::Duration;

/// The bank's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Charged,
    Declined,
}

/// Asks the bank to charge an order. A charge under a key that was charged before is the same
/// charge; one that was declined may be asked for again.
pub(crate) async fn charge(
    bank: &mut Private,
    key: &str,
    order: u64,
    attempt: i64,
) -> RedisResult<Answer> {
    tokio::time::sleep(Duration::from_millis(50)).await;
    if bank.ask(&Cmd::hexists("bank:charges", key)).await? {
        return Ok(Answer::Charged);
    }
    if is_declined(order, attempt) {
        return Ok(Answer::Declined);
    }
    let _: bool = bank.ask(&Cmd::hset_nx("bank:charges", key, price(order))).await?;
    Ok(Answer::Charged)
}

/// It declines every third order at first, and every ninth always.
fn is_declined(order: u64, attempt: i64) -> bool {
    order.is_multiple_of(9) || (order.is_multiple_of(3) && attempt == 1)
}
