//! The report: what became of the orders.

use crate::shop::price;
use crate::{Error, Servers};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The fate of the orders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The orders that were charged, in order, each as often as the books say.
    pub charged: Vec<u64>,
    /// The orders that have failed.
    pub failed: BTreeSet<u64>,
    /// The sum of all charges, in cents.
    pub revenue: u64,
    /// The number of entries that are still in the outbox.
    pub outbox: u64,
    /// The bank's own record: the amount of each charge, by its idempotency key.
    pub bank: BTreeMap<String, u64>,
    /// The entries of the ledger as they were written: the fencing token and the number of orders.
    /// They depend on timing, so they are checked but not displayed.
    pub ledger: Vec<(u64, u64)>,
}

/// Reads the report from Redis, at one moment.
///
/// # Errors
///
/// If Redis cannot be reached, or the ledger cannot be read.
pub async fn report(servers: &impl Servers) -> Result<Report, Error> {
    type Read = (Vec<u64>, BTreeSet<u64>, Option<u64>, u64, BTreeMap<String, u64>, Vec<String>);
    let mut redis = servers.redis().await?;
    let mut all = redis::pipe();
    all.atomic().lrange("charged", 0, -1).smembers("failed").get("revenue").llen("outbox");
    all.hgetall("bank:charges").lrange("ledger:entries", 0, -1);
    let (mut charged, failed, revenue, outbox, bank, entries): Read =
        all.query_async(&mut redis).await?;
    charged.sort_unstable();
    let entry = |entry: &String| {
        let (token, count) = entry.split_once(' ')?;
        Some((token.parse().ok()?, count.parse().ok()?))
    };
    let ledger = entries.iter().map(|text| {
        entry(text).ok_or_else(|| format!("the ledger has an entry that is not one: {text:?}"))
    });
    let ledger = ledger.collect::<Result<_, _>>()?;
    Ok(Report { charged, failed, revenue: revenue.unwrap_or_default(), outbox, bank, ledger })
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
        if let Some(order) = charged.intersection(&self.failed).next() {
            return Err(format!("order {order} was charged, and has failed").into());
        }
        let done: BTreeSet<u64> = charged.union(&self.failed).copied().collect();
        if let Some(order) = (1..=count).find(|order| !done.contains(order)) {
            return Err(format!("order {order} was neither charged nor refused").into());
        }
        let revenue: u64 = self.charged.iter().map(|order| price(*order)).sum();
        if self.revenue != revenue {
            return Err(format!("{} cents were charged, not {revenue}", self.revenue).into());
        }
        self.check_bank(revenue)?;
        self.check_ledger()?;
        match self.outbox {
            0 => Ok(()),
            left => Err(format!("{left} orders are still in the outbox").into()),
        }
    }

    /// Checks that the bank has charged what the books say, each order once.
    fn check_bank(&self, revenue: u64) -> Result<(), Error> {
        let at_the_bank: u64 = self.bank.values().sum();
        if (self.bank.len(), at_the_bank) == (self.charged.len(), revenue) {
            return Ok(());
        }
        let (charges, orders) = (self.bank.len(), self.charged.len());
        Err(format!(
            "the bank has made {charges} charges of {at_the_bank} cents in all, but the books have \
             {orders} orders of {revenue} cents"
        )
        .into())
    }

    /// Checks that the lock and its token kept the closers apart: the ledger never fell.
    ///
    /// # Errors
    ///
    /// The two entries between which it did, or the last one if it counts too many.
    pub fn check_ledger(&self) -> Result<(), Error> {
        for pair in self.ledger.windows(2) {
            let [(token, count), (next_token, next_count)] = [pair[0], pair[1]];
            if next_token <= token || next_count < count {
                return Err(format!(
                    "the ledger fell: token {token} wrote {count} orders, and then token \
                     {next_token} wrote {next_count}"
                )
                .into());
            }
        }
        let all = self.charged.len() as u64;
        match self.ledger.last() {
            Some((_, count)) if *count > all => {
                Err(format!("the ledger has {count} orders, but {all} were charged").into())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "charged: {:?}", self.charged)?;
        writeln!(f, "failed: {:?}", self.failed)?;
        writeln!(f, "revenue: {} cents", self.revenue)?;
        write!(f, "at the bank: {} charges", self.bank.len())
    }
}
