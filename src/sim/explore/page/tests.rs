//! The page as text. How it behaves is checked in a browser, which opens the pages that are written
//! here if `STUNT_DOUBLE_PAGES` names a folder.

use super::*;
use crate::sim::trace::Trace;
use crate::sim::{Config, Retention, Sim};
#[cfg(feature = "rabbitmq")]
use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering::Relaxed},
};
use std::time::Duration;

const NASTY: &str = "</script><img src=x onerror=alert(1)> <!-- {{data}} & \"quoted\" 'one'";

/// The trace of a world whose node writes this many notes, ten each second after a quiet minute.
fn noted(notes: u64) -> Trace {
    let config = Config::new(1).with_retention(Retention::All).with_max_steps(u64::MAX);
    let mut sim = Sim::with_config(config);
    sim.node_with(NASTY, notes, async |node, notes| {
        node.note(NASTY);
        for n in 0..notes {
            if n == notes / 2 {
                node.sleep(Duration::from_secs(60)).await;
            }
            node.sleep(Duration::from_millis(100)).await;
            node.note(format_args!("note {n}"));
        }
    });
    sim.run().expect_done();
    sim.trace()
}

/// Returns the contents of the elements of this name.
fn elements<'a>(page: &'a str, open: &str, close: &str) -> Vec<&'a str> {
    let parts = page.split(open).skip(1);
    parts.map(|part| part.split(close).next().unwrap_or_default()).collect()
}

#[test]
fn nothing_breaks_out_of_its_place() {
    let trace = noted(10);
    let mut picture = Picture::of(NASTY, &trace);
    picture.message = NASTY.to_owned();
    let page = picture.to_html();
    assert_eq!(page.matches("<script").count(), 2, "the data and the code");
    assert_eq!(page.matches("</script>").count(), 2);
    assert!(!page.contains("<img"), "markup stays text");
    let [data] = elements(&page, "id=\"data\">", "</script>")[..] else { panic!("one data") };
    assert!(data.contains("\\u003c/script\\u003e\\u003cimg"), "{data}");
    assert!(!CODE.concat().contains("</script") && !STYLE.contains("</style"));
}

#[test]
fn a_page_needs_nothing_from_outside() {
    let page = noted(3).to_html("a page");
    for outside in ["http:", "https:", "src=\"", "@import", "url(", "fetch(", "XMLHttpRequest"] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'"));
}

#[test]
fn the_plain_text_is_capped_and_says_so() {
    let page = noted(1_000).to_html("many notes");
    let [text] = elements(&page, "<pre id=\"plain\">", "</pre>")[..] else { panic!("one text") };
    assert!(text.contains("without the first"), "{}", &text[..200]);
    assert!(text.lines().count() < LINES + 10);
    assert!(page.len() < 150_000, "{} bytes for 1,000 events", page.len());
}

/// A shop sends orders, and a worker acknowledges each before it ships it. Returns the worker, and
/// how many it has shipped.
#[cfg(feature = "rabbitmq")]
fn shop(sim: &mut Sim, orders: u32) -> (crate::sim::Node, Arc<AtomicU32>) {
    use crate::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Properties};
    use crate::rabbitmq::{Error, QueueOptions};
    fn durable() -> QueueOptions {
        QueueOptions { durable: true, ..Default::default() }
    }
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let shipped = Arc::new(AtomicU32::new(0));
    let with = (rabbit.clone(), Arc::clone(&shipped));
    let worker = sim.daemon_with("worker", with, async |node, (rabbit, shipped)| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("orders", durable()).await?;
        channel.basic_qos(1, false).await?;
        let mut orders = channel.basic_consume("orders", ConsumeOptions::default()).await?;
        while let Some(order) = orders.next().await {
            let order = order?;
            order.ack()?;
            node.sleep(Duration::from_millis(20)).await;
            node.note(format_args!("shipped {}", order.text()));
            shipped.fetch_add(1, Relaxed);
        }
        Ok::<_, Error>(())
    });
    sim.node_with("shop", (rabbit.clone(), orders), async |node, (rabbit, n)| {
        let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
        channel.queue_declare("orders", durable()).await?;
        for i in 0..n {
            let body = format!("order {i}");
            channel.basic_publish("", "orders", Properties::default(), body)?;
            node.sleep(Duration::from_millis(30)).await;
        }
        channel.close().await
    });
    worker.link(&rabbit).set_latency(crate::sim::Latency::Constant(Duration::from_millis(4)));
    (worker, shipped)
}

/// A worker that dies between its acknowledgement and its work loses an order. This is the page of
/// that account, and others that a browser may find hard.
#[cfg(feature = "rabbitmq")]
#[test]
fn pages_for_the_browser_are_small() {
    const ORDERS: u32 = 240;
    let effort = crate::sim::Effort::default().with_risk(8, 8);
    let seeds = crate::sim::Seeds::new(0..1_000).without_files().with_effort(effort);
    let sweep = seeds.run(|sim| {
        let (worker, shipped) = shop(sim, ORDERS);
        let plan = crate::sim::Chaos::new().kill(&worker);
        plan.run_then_heal(sim, Duration::from_secs(60)).expect_done();
        match shipped.load(Relaxed) {
            ORDERS => Ok(()),
            shipped => Err(format!("{shipped} of {ORDERS} orders were shipped")),
        }
    });
    let account = sweep.account.expect("a worker dies at a bad moment");
    let page = account.to_html();
    let events = account.trace.events().count();
    assert!(events > 1_000, "{events} events");
    assert!(page.len() < 400_000, "{} bytes", page.len());
    let Some(folder) = std::env::var_os("STUNT_DOUBLE_PAGES") else { return };
    let folder = std::path::Path::new(&folder);
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    put("thousand.html", page);
    put("trace.json", account.trace.to_perfetto());
    let config = Config::new(1).with_retention(Retention::All).with_max_steps(u64::MAX);
    let mut sim = Sim::with_config(config);
    let _ = shop(&mut sim, 25_100);
    sim.run().expect_done();
    put("hundred-thousand.html", sim.trace().to_html("A long run"));
    put("nasty.html", noted(10).to_html(NASTY));
    put("empty.html", Sim::new(1).trace().to_html("Nothing"));
    let mut sim = Sim::new(1);
    let _ = crate::rabbitmq::start(&mut sim, crate::rabbitmq::BrokerOptions::default());
    put("one.html", sim.trace().to_html("A start"));
    put("diagram.mmd", noted(10).to_mermaid(100));
}
