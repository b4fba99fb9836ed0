//! Events of `tracing` as notes, through the public API.

#![allow(clippy::unwrap_used, clippy::disallowed_methods)]

use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::adapter::tracing::{Notes, WorldClock};
use stunt_double::sim::{Config, Sim, check_determinism};
use tracing::{Instrument, Level, debug, info, info_span, warn};
use tracing_subscriber::layer::SubscriberExt;

async fn work(node: stunt_double::sim::Node) {
    let span = info_span!("order", id = 7, state = tracing::field::Empty);
    async {
        info!("begins");
        node.sleep(Duration::from_millis(1500)).await;
        span.record("state", "paid");
        async { warn!(attempt = 2, who = ?"x", "slow") }.instrument(info_span!("pay")).await;
        debug!("unseen");
    }
    .instrument(span.clone())
    .await;
    info!(target: "other", ends = true);
}

fn run() -> String {
    let mut sim = Sim::new(1);
    let _guard = sim.note_events(Level::INFO);
    sim.node("worker", work);
    sim.run().expect_done();
    info!("of the test");
    sim.trace().notes()
}

#[test]
fn events_are_notes_of_the_node_that_runs() {
    assert_eq!(
        run(),
        "\x20   0.000s  worker       INFO order{id=7}: begins\n\
         \x20   1.500s  worker       WARN order{id=7 state=\"paid\"}:pay: slow attempt=2 who=\"x\"\n\
         \x20   1.500s  worker       INFO ends=true\n\
         \x20   1.500s  world        INFO of the test\n"
    );
}

#[test]
fn events_are_part_of_the_digest() {
    let runs = std::cell::Cell::new(0);
    let differs = check_determinism(Config::new(1), |sim| {
        let _guard = sim.note_events(Level::INFO);
        runs.set(runs.get() + 1);
        let run = runs.get();
        sim.node_with("worker", run, async |_, run| info!(run));
        sim.run().expect_done();
    });
    assert!(differs.is_err());
}

/// A writer that keeps what is written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn other_layers_can_show_the_worlds_time_and_node() {
    let mut sim = Sim::new(1);
    let kept = Kept::default();
    let writer = kept.clone();
    let printed = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_timer(WorldClock::new(&sim))
        .with_writer(move || writer.clone());
    let subscriber = tracing_subscriber::registry().with(printed).with(Notes::new(&sim));
    tracing::subscriber::with_default(subscriber, || {
        sim.node("worker", work);
        sim.run().expect_done();
    });
    let printed = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
    assert!(printed.contains("1.5s worker  WARN order{id=7 state=\"paid\"}:pay:"), "{printed}");
    assert!(sim.trace().notes().contains("DEBUG order{id=7 state=\"paid\"}: unseen"));
}

#[test]
fn one_subscriber_may_have_a_layer_for_each_world() {
    let mut worlds = [Sim::new(1), Sim::new(2)];
    let [one, two] = &worlds;
    let subscriber = tracing_subscriber::registry().with(Notes::new(one)).with(Notes::new(two));
    tracing::subscriber::with_default(subscriber, || {
        for sim in &mut worlds {
            sim.node("worker", work);
            sim.run().expect_done();
        }
    });
    for sim in worlds {
        let notes = sim.trace().notes();
        let fields = "WARN order{id=7 state=\"paid\"}:pay: slow attempt=2";
        assert_eq!(notes.matches(fields).count(), 2, "{notes}");
    }
}

#[test]
fn an_event_that_another_thread_met_first_is_noted() {
    fn log() {
        tracing::info!("met");
    }
    let mut sim = Sim::new(1);
    let _guard = sim.note_events(Level::INFO);
    std::thread::spawn(log).join().unwrap();
    sim.node("app", async |_| log());
    sim.run().expect_done();
    assert!(sim.trace().notes().contains("met"), "{}", sim.trace().notes());
}
