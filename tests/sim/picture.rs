//! Pictures of a trace: as trace-event JSON, as a sequence diagram, and as a page.

use crate::support::{Ask, Client, counter, ms};
use stunt_double::sim::trace::Trace;
use stunt_double::sim::{Config, Disconnected, Latency, Retention, Sim};

/// Names and a note that break what is not escaped.
const NASTY: [&str; 4] = ["a;b#c", "end", "x\"y<br>:z", "p1->>p2: %% style:#f00;"];
const NOTE: &str = "one; two #59; \"three\"\nfour </script><!-- 'five' end";

/// A world of nodes with these names, which each ask once. The first is killed while the answer is
/// on its way.
fn trace(names: &[&str]) -> Trace {
    let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::All));
    let counter = counter(&mut sim);
    for name in names {
        let node = sim.node_with(name, counter.clone(), async |node, counter| {
            let client = Client::open(&node, &counter).await?;
            client.ask(Ask::Add(1)).await?;
            node.note(NOTE);
            Ok::<_, Disconnected>(())
        });
        node.link(&counter).set_latency(Latency::Constant(ms(10)));
        if *name == names[0] {
            sim.after(ms(35), move || node.kill());
        }
    }
    let _ = sim.run();
    sim.trace()
}

#[test]
fn perfetto_shows_processes_messages_and_instants() {
    let json = trace(&["a", "b"]).to_perfetto();
    let has = |part: &str| assert!(json.contains(part), "no {part} in {json}");
    has(r#"{"displayTimeUnit":"ns","traceEvents":["#);
    has(r#"{"name":"process_name","ph":"M","pid":2,"tid":21,"args":{"name":"counter"}}"#);
    // The request of b left after 20 ms and took 10 ms.
    has(r#"{"name":"Add(1)","cat":"message","ph":"b","pid":4,"tid":42,"ts":20000.000,"id":2,"#);
    has(r#"{"name":"Add(1)","cat":"message","ph":"e","pid":4,"tid":42,"ts":30000.000,"id":2,"#);
    has(r#"{"name":"message","cat":"message","ph":"s","pid":4,"tid":42,"ts":20000.000,"id":2}"#);
    has(
        r#"{"name":"message","cat":"message","ph":"f","pid":2,"tid":22,"ts":30000.000,"id":2,"bp":"e"}"#,
    );
    has(r#"{"name":"killed","cat":"fault","ph":"i","pid":3,"tid":31,"ts":35000.000,"s":"p"}"#);
    has(r#"{"name":"Total(1) (never arrived)","cat":"message","ph":"b","pid":2,"#);
    has(r#""cat":"poll","ph":"X","#);
    assert!(!json.contains("</script>"), "a text is escaped");
}

#[test]
fn a_sequence_diagram_has_a_statement_for_each_event() {
    let diagram = trace(&["a", "b"]).to_mermaid(100);
    let lines: Vec<&str> = diagram.lines().collect();
    assert_eq!(lines[0], "sequenceDiagram");
    assert_eq!(lines[1], "    participant p1 as counter");
    assert_eq!(lines[2], "    participant p2 as a");
    let position = |line: &str| lines.iter().position(|other| *other == line).expect(&diagram);
    let request = position("    p2->>p1: 0.030s Add(1)");
    let killed = position("    Note over p2: 0.035s killed");
    let lost = position("    p1-xp2: 0.030s Total(1) (never arrived)");
    assert!(request < killed && killed < lost, "{diagram}");
}

#[test]
fn nasty_names_stay_within_their_statement() {
    let trace = trace(&NASTY);
    let diagram = trace.to_mermaid(1_000);
    let events = trace.transcript().lines().filter(|line| line.starts_with(' ')).count();
    let participants = NASTY.len() + 1;
    assert_eq!(
        diagram.lines().count(),
        1 + participants + events + trace.lost().len(),
        "{diagram}"
    );
    assert!(diagram.contains("participant p2 as a#59;b#35;c\n"), "{diagram}");
    assert!(
        diagram.contains("one#59; two #35;59#59; #34;three#34;<br/>four #60;/script#62;"),
        "{diagram}"
    );
    for line in diagram.lines().skip(1) {
        // What is left of the syntax after the entities are gone.
        let text = line.split("as ").last().unwrap_or_default().split(": ").last().unwrap();
        let entities = text.matches('#').count();
        assert_eq!(entities, text.matches(';').count(), "{line}");
        assert!(!text.contains(['"', '%', '\r']), "{line}");
    }
}

#[test]
fn a_capped_diagram_says_what_it_leaves_out() {
    let trace = trace(&["a", "b"]);
    let all = trace.to_mermaid(usize::MAX).lines().filter(|l| !l.contains("participant")).count();
    let capped = trace.to_mermaid(3);
    let left_out = all - 1 - 3;
    assert!(capped.contains(&format!(": {left_out} earlier events left out\n")), "{capped}");
    assert_eq!(capped.lines().filter(|line| !line.contains("participant")).count(), 1 + 1 + 3);
    let none = trace.to_mermaid(0);
    assert!(none.contains("participant p0 as world\n    Note over p0: "), "{none}");
}

#[test]
fn a_node_whose_name_looks_like_a_connection_has_its_own_lane() {
    let mut sim = Sim::with_config(Config::new(1).with_retention(Retention::All));
    let counter = counter(&mut sim);
    for (name, number) in [("worker", 1), ("worker#2", 100)] {
        let with = (counter.clone(), number);
        let node = sim.node_with(name, with, async |node, (counter, number)| {
            for _ in number..3.max(number + 1) {
                let client = Client::open(&node, &counter).await?;
                client.ask(Ask::Add(number)).await?;
                client.send(Ask::AddQuietly(number))?;
            }
            Ok::<_, Disconnected>(())
        });
        node.link(&counter).set_latency(Latency::Constant(ms(10)));
        if number == 100 {
            let link = node.link(&counter);
            sim.at_message(&node.link(&counter), 5, move || link.sever());
        }
    }
    sim.run().expect_done();
    let diagram = sim.trace().to_mermaid(100);
    let count = |from: &str, text: &str| {
        let of_it = |line: &&str| line.trim_start().starts_with(from) && line.contains(text);
        diagram.lines().filter(of_it).count()
    };
    assert_eq!(count("p2->>p1", " Add(1)"), 2, "both connections are the worker's: {diagram}");
    assert_eq!(count("p3->>p1", " Add(100)"), 1, "{diagram}");
    assert_eq!(count("p3-xp1", " AddQuietly(100)"), 1, "{diagram}");
    assert_eq!(count("Note over p3", ""), 4, "it starts, connects, is reset and exits: {diagram}");
}
