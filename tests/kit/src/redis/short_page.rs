//! A program scans a set page by page, and stops at the first page that is shorter than it asked
//! for. But `SCAN` and its like may return any number of elements, even none, and have ended only
//! when the cursor is 0 again. The fix looks at the cursor.

use super::connected;
use crate::{Bug, Planted};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use stunt_double::redis::{self, Error, Redis, ServerOptions};
use stunt_double::sim::{Node, Sim};

pub(super) const BUG: Bug = Bug {
    name: "SCAN stop at a short page",
    buggy: |sim| run(sim, false),
    fixed: |sim| run(sim, true),
    planted: Planted::Choice { site: "redis.draws", words: "places for COUNT 10" },
};

const MEMBERS: usize = 40;
const PAGE: usize = 10;

type Found = Arc<Mutex<BTreeSet<String>>>;

async fn scan(node: Node, (redis, found): (Redis, Found), fixed: bool) -> Result<(), Error> {
    let client = connected(&node, &redis).await;
    let mut cursor = "0".to_owned();
    loop {
        let page = client.call(["SSCAN", "users", &cursor, "COUNT", &PAGE.to_string()]).await?;
        let Some([next, members]) = page.as_array() else { return Ok(()) };
        let members = members.as_array().unwrap_or_default();
        let names = members.iter().filter_map(|member| member.as_text()).map(str::to_owned);
        found.lock().expect("one thread").extend(names);
        cursor = next.as_text().unwrap_or("0").to_owned();
        let is_over = if fixed { cursor == "0" } else { members.len() < PAGE || cursor == "0" };
        if is_over {
            return Ok(());
        }
    }
}

fn run(sim: &mut Sim, fixed: bool) -> Result<(), String> {
    let options = ServerOptions::default().with_uneven_pages();
    let redis = redis::start(sim, options);
    for member in 0..MEMBERS {
        redis.command(["SADD", "users", &format!("user-{member}")]);
    }
    let found = Found::default();
    let handles = (redis, Arc::clone(&found));
    sim.node_with("scanner", handles, move |node, handles| scan(node, handles, fixed));
    sim.run().expect_done();
    match found.lock().expect("one thread").len() {
        MEMBERS => Ok(()),
        found => Err(format!("{found} of {MEMBERS} members found")),
    }
}
