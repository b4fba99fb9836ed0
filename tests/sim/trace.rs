//! The results of a run: its digest, its transcript, its differences.

use crate::support::{Ask, Client, counter, ms};
use stunt_double::Site;
use stunt_double::sim::trace::{Difference, EventKind, Trace};
use stunt_double::sim::{Config, Disconnected, Latency, Retention, Sim, Strategy};

const COIN: Site = Site::new("test.coin");

fn run(config: Config, asks: u64) -> Sim {
    let mut sim = Sim::with_config(config);
    let counter = counter(&mut sim);
    let handle = counter.clone();
    let node = sim.node("client", move |node| {
        let counter = handle.clone();
        async move {
            let client = Client::open(&node, &counter).await?;
            for n in 0..asks {
                let answer = client.ask(Ask::Add(n)).await?;
                node.note(format_args!("{answer:?}, tossed {}", node.choose(COIN, 2)));
            }
            Ok::<_, Disconnected>(())
        }
    });
    node.link(&counter).set_latency(Latency::Uniform { min: ms(1), max: ms(2) });
    sim.run().expect_done();
    sim
}

#[test]
fn the_digest_is_the_same_however_much_is_kept() {
    let of = |retention| run(Config::new(2).with_retention(retention), 5).digest();
    let all = of(Retention::All);
    assert!(all.count > 20);
    assert_eq!(of(Retention::Last(3)), all);
    assert_eq!(of(Retention::Last(0)), all);
    assert_eq!(of(Retention::Digest), all);
    let off = of(Retention::Off);
    assert_eq!((off.hash, off.count), (0, 0));
}

#[test]
fn the_digest_tells_messages_and_choices_apart() {
    let of = |seed, asks| run(Config::new(seed), asks).digest();
    assert_eq!(of(2, 5), of(2, 5));
    assert_ne!(of(2, 5), of(3, 5), "another seed");
    assert_ne!(of(2, 5), of(2, 6), "another message");
}

#[test]
fn what_is_kept_is_what_was_asked_for() {
    let kept = |retention| {
        let trace = run(Config::new(2).with_retention(retention), 5).trace();
        let details = |e: &&stunt_double::sim::trace::Event| {
            matches!(e.kind, EventKind::Ran { .. } | EventKind::Choice { .. })
        };
        (trace.events().len(), trace.events().filter(details).count())
    };
    let (all, details) = kept(Retention::All);
    assert!(details > 5 && all > details);
    assert_eq!(kept(Retention::Last(4)), (4, 0));
    assert_eq!(kept(Retention::Last(1_000)), (all - details, 0));
    assert_eq!(kept(Retention::Digest), (0, 0));
    assert_eq!(kept(Retention::Off), (0, 0));
}

#[test]
fn a_transcript_tells_the_story_and_notes_tell_their_own() {
    let sim = run(Config::new(2).with_calm_choices(), 2);
    let trace = sim.trace();
    assert_eq!(
        trace.transcript(),
        "    0.000s  counter      started\n    \
         0.000s  client       started\n    \
         0.001s  client       connected to counter\n    \
         0.003s  counter      <- client: Add(0)\n    \
         0.004s  client       <- counter: Total(0)\n    \
         0.004s  client       Total(0), tossed 0\n    \
         0.005s  counter      <- client: Add(1)\n    \
         0.006s  client       <- counter: Total(1)\n    \
         0.006s  client       Total(1), tossed 0\n    \
         0.006s  client       exited\n    \
         0.007s  counter      disconnected from client\n"
    );
    assert_eq!(
        trace.notes(),
        "    0.004s  client       Total(0), tossed 0\n    \
         0.006s  client       Total(1), tossed 0\n"
    );
    assert_eq!(
        run(Config::new(2).with_calm_choices().with_retention(Retention::All), 2)
            .trace()
            .transcript(),
        trace.transcript()
    );
}

#[test]
fn a_note_may_look_at_the_world_it_is_written_in() {
    struct Alive(stunt_double::sim::Node);
    impl std::fmt::Display for Alive {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "alive: {}", self.0.is_alive())
        }
    }
    let mut sim = Sim::new(1);
    sim.node("a", async |node| node.note(Alive(node.clone())));
    sim.run().expect_done();
    assert_eq!(sim.trace().notes(), "    0.000s  a            alive: true\n");
}

fn differing(left: &Trace, right: &Trace) -> Difference {
    left.first_difference(right).expect("they differ")
}

#[test]
fn the_first_difference_shows_both_sides_and_what_led_there() {
    let trace = |third: &'static str| {
        let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::All));
        sim.node("a", move |node| async move {
            for word in ["one", "two", third, "four"] {
                node.note(word);
            }
        });
        sim.run().expect_done();
        sim.trace()
    };
    let (left, right) = (trace("three"), trace("drei"));
    assert_eq!(left.first_difference(&trace("three")), None);
    let difference = differing(&left, &right);
    assert_eq!(
        difference.to_string(),
        "the runs differ after 4 equal events:\n  \
         both       0.000s  a            ran task 0\n  \
         both       0.000s  a            one\n  \
         both       0.000s  a            two\n  \
         first      0.000s  a            three\n  \
         second     0.000s  a            drei"
    );
    assert_eq!(difference.left.map(|e| e.kind), Some(EventKind::Note("three".to_owned())));
}

#[test]
fn a_run_that_ends_early_differs_from_one_that_goes_on() {
    let config = || {
        Config::new(2)
            .with_retention(Retention::All)
            .with_strategy(Strategy::Fifo)
            .with_calm_choices()
    };
    let (short, long) = (run(config(), 1).trace(), run(config(), 2).trace());
    let difference = differing(&short, &long);
    assert!(difference.left.is_some() && difference.right.is_some());
    let empty = Sim::with_config(config()).trace();
    let difference = differing(&empty, &long);
    assert_eq!((difference.index, difference.left), (0, None));
    assert!(differing(&long, &empty).to_string().contains("second (the trace ends"));
}
