//! The report: what became of the orders.

use crate::shop::price;
use crate::{Error, Servers};
use redis::AsyncCommands;
use std::collections::BTreeSet;
use std::fmt;

/// The fate of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The orders that were charged, in order, each as often as it was.
    pub charged: Vec<u64>,
    /// The orders that have failed.
    pub failed: BTreeSet<u64>,
    /// The sum of all charges, in cents.
    pub revenue: u64,
    /// The number of entries that are still in the outbox.
    pub outbox: u64,
}

/// Reads the report from Redis.
///
/// # Errors
///
/// If Redis cannot be reached.
pub async fn report(servers: &impl Servers) -> Result<Report, Error> {
    let mut redis = servers.redis().await?;
    let mut charged: Vec<u64> = redis.lrange("charged", 0, -1).await?;
    charged.sort_unstable();
    let failed = redis.smembers("failed").await?;
    let revenue: Option<u64> = redis.get("revenue").await?;
    let outbox = redis.llen("outbox").await?;
    Ok(Report { charged, failed, revenue: revenue.unwrap_or_default(), outbox })
}

impl Report {
    /// Checks what must hold once all of `count` orders are done, whatever has failed meanwhile.
    ///
    /// # Errors
    ///
    /// The first rule that does not hold.
    pub fn check(&self, count: u64) -> Result<(), Error> {
        let charged: BTreeSet<u64> = self.charged.iter().copied().collect();
        if charged.len() != self.charged.len() {
            return Err(format!("an order was charged twice: {:?}", self.charged).into());
        }
        let revenue: u64 = self.charged.iter().map(|order| price(*order)).sum();
        if self.revenue != revenue {
            return Err(format!("{} cents were charged, not {revenue}", self.revenue).into());
        }
        let done: BTreeSet<u64> = charged.union(&self.failed).copied().collect();
        match (1..=count).find(|order| !done.contains(order)) {
            Some(order) => Err(format!("order {order} was neither charged nor refused").into()),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "charged: {:?}", self.charged)?;
        writeln!(f, "failed: {:?}", self.failed)?;
        write!(f, "revenue: {} cents", self.revenue)
    }
}
