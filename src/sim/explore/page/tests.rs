//! The page as text. How it behaves is checked in a browser, which opens the pages that are written
//! here if `STUNT_DOUBLE_PAGES` names a folder.

use super::*;
use crate::sim::trace::Trace;
use crate::sim::{Config, Retention, Sim};
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

#[cfg(feature = "rabbitmq")]
#[test]
fn pages_for_the_browser_are_small() {
    use crate::rabbitmq::{self, BrokerOptions, Connection, ConsumeOptions, Properties};
    use crate::rabbitmq::{Error, QueueOptions};
    let world = |orders: u32| {
        let config = Config::new(1).with_retention(Retention::All).with_max_steps(u64::MAX);
        let mut sim = Sim::with_config(config);
        let rabbit = rabbitmq::start(&mut sim, BrokerOptions::default());
        let worker = sim.daemon_with("worker", rabbit.clone(), async |node, rabbit| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            channel.queue_declare("orders", QueueOptions::default()).await?;
            let mut orders = channel.basic_consume("orders", ConsumeOptions::default()).await?;
            while let Some(order) = orders.next().await {
                order?.ack()?;
                node.sleep(Duration::from_millis(20)).await;
                node.note("shipped an order");
            }
            Ok::<_, Error>(())
        });
        let shop = sim.node_with("shop", (rabbit.clone(), orders), async |node, (rabbit, n)| {
            let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
            channel.queue_declare("orders", QueueOptions::default()).await?;
            for i in 0..n {
                let body = format!("order {i}");
                channel.basic_publish("", "orders", Properties::default(), body)?;
                node.sleep(Duration::from_millis(30)).await;
            }
            channel.close().await
        });
        for node in [&worker, &shop] {
            let latency = crate::sim::Latency::Constant(Duration::from_millis(4));
            node.link(&rabbit).set_latency(latency);
        }
        let (dies, again) = (worker.clone(), worker);
        sim.after(Duration::from_millis(2_006), move || dies.kill());
        sim.after(Duration::from_millis(2_500), move || again.restart());
        sim.run().expect_done();
        sim.trace()
    };
    let trace = world(240);
    let picture = failure(&trace);
    let page = picture.to_html();
    assert!(page.len() < 200_000, "{} bytes", page.len());
    let Some(folder) = std::env::var_os("STUNT_DOUBLE_PAGES") else { return };
    let folder = std::path::Path::new(&folder);
    let put = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    put("thousand.html", page);
    put("hundred-thousand.html", world(25_100).to_html("A long run"));
    put("nasty.html", noted(10).to_html(NASTY));
    put("trace.json", trace.to_perfetto());
    put("diagram.mmd", noted(10).to_mermaid(100));
}

/// The picture of a failure, as an account of it would be.
#[cfg(feature = "rabbitmq")]
fn failure(trace: &Trace) -> Picture<'_> {
    use crate::sim::trace::Step;
    let at = |ms: u64| Instant::from_nanos(ms * 1_000_000);
    let mut picture = Picture::of("every_order_is_shipped failed", trace);
    picture.message = "assertion failed: 239 of 240 orders were shipped".into();
    picture.place = Some("tests/shop.rs:42:9".into());
    picture.at = Some(at(8_000));
    picture.seed = Some(17);
    picture.replay = Some("STUNT_DOUBLE_SEED=17 cargo test every_order_is_shipped".into());
    let chosen = |order, ms, words: &str, is_decisive| Chosen {
        order,
        at: at(ms),
        who: "worker".into(),
        site: "chaos.kill".into(),
        words: words.into(),
        is_decisive,
        is_necessary: true,
    };
    picture.choices = vec![
        chosen(3, 1_000, "the link took 48 ms (calm: 1 ms)", false),
        chosen(9, 2_006, "worker killed (calm: not killed)", true),
    ];
    let risk = |ms, failed| Risk { at: at(ms), failed, of: 32 };
    picture.risk = vec![risk(0, 1), risk(1_000, 2), risk(1_900, 3), risk(2_006, 32)];
    let delivery = trace.events().find(|e| e.kind.to_string().contains("order 7"));
    let steps = delivery.into_iter().map(|e| Step {
        at: e.at,
        who: e.who.clone(),
        text: "published by shop to orders".into(),
    });
    let lost = Step { at: at(2_006), who: "worker".into(), text: "lost: worker was killed".into() };
    picture.stories = vec![Story {
        subject: "message 7 of orders".into(),
        kind: "message",
        steps: steps.chain([lost]).collect(),
    }];
    picture.passing = Some(Passing {
        difference: "after 412 equal events: worker is not killed".into(),
        ends: vec![End {
            service: "rabbitmq".into(),
            failing: vec!["orders: 0 ready".into()],
            passing: vec!["orders: 0 ready, 240 acknowledged".into()],
        }],
    });
    picture
}
