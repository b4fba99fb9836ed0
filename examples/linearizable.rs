//! Is the history of a key linearizable? Two writers and a reader record what they asked and what
//! they were told; `stateright`'s tester decides whether one order explains it. A Redis that
//! answers before its disk has the write, and then loses power, has told a lie.
//!
//! `cargo run --release --features linearizability --example linearizable -- --seed 1`

mod common;

use stateright::semantics::register::{Register, RegisterOp, RegisterRet};
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use stunt_double::Site;
use stunt_double::redis::{self, AppendFsync, Client, Redis, ServerOptions};
use stunt_double::sim::{Node, Seeds, Sim};

/// The site that decides when the server loses power.
const OUTAGE: Site = Site::new("linearizable.outage");

/// What was asked and answered, with the number of whoever asked.
type History = Arc<Mutex<LinearizabilityTester<u32, Register<u32>>>>;

/// A client. After a lost connection it does not know whether its last operation took effect. It
/// goes on under another number, so that the operation stays open: the tester may place it anywhere
/// after its beginning, or nowhere.
struct Recorder {
    node: Node,
    redis: Redis,
    history: History,
    number: u32,
}

impl Recorder {
    fn asked(&self, operation: &RegisterOp<u32>) {
        let mut history = self.history.lock().expect("one thread");
        history.on_invoke(self.number, operation.clone()).expect("one at a time");
    }

    fn was_told(&self, answer: RegisterRet<u32>) {
        let mut history = self.history.lock().expect("one thread");
        history.on_return(self.number, answer).expect("it was asked");
    }

    async fn run(&mut self, operations: &[RegisterOp<u32>]) {
        let mut client = None;
        for operation in operations {
            let asks = match operation {
                RegisterOp::Read => vec!["GET".to_owned(), "value".to_owned()],
                RegisterOp::Write(n) => vec!["SET".to_owned(), "value".to_owned(), n.to_string()],
            };
            let connected = match client.take() {
                Some(client) => Ok(client),
                None => Client::connect(&self.node, &self.redis).await,
            };
            let Ok(connected) = connected else { continue };
            self.asked(operation);
            let Ok(reply) = connected.call(&asks).await else {
                self.number += 100;
                continue;
            };
            let answer = match operation {
                RegisterOp::Write(_) => RegisterRet::WriteOk,
                RegisterOp::Read => {
                    let text = reply.as_text().unwrap_or("0");
                    RegisterRet::ReadOk(text.parse().expect("only numbers are written"))
                }
            };
            self.was_told(answer);
            client = Some(connected);
            self.node.sleep(Duration::from_millis(1)).await;
        }
    }
}

fn scenario(sim: &mut Sim, fsync: AppendFsync) -> Result<(), String> {
    let options = ServerOptions::default().with_append_only(fsync);
    let redis = redis::start(sim, options);
    let history = History::new(Mutex::new(LinearizabilityTester::new(Register(0))));
    let plans = [
        vec![RegisterOp::Write(1), RegisterOp::Write(2), RegisterOp::Write(3)],
        vec![RegisterOp::Write(4), RegisterOp::Read, RegisterOp::Write(5)],
        vec![RegisterOp::Read; 6],
    ];
    for (number, plan) in (0..).zip(plans) {
        let with = (redis.clone(), Arc::clone(&history), plan);
        sim.node_with(&format!("client-{number}"), with, move |node, (redis, history, plan)| {
            let mut recorder = Recorder { node, redis, history, number };
            async move { recorder.run(&plan).await }
        });
    }
    let words = |ms| format!("redis loses power after {ms} ms");
    let outage = sim.choose_told(OUTAGE, 0, 20, words);
    if outage > 0 {
        sim.after(Duration::from_millis(outage), move || redis.lose_power());
    }
    sim.run().expect_done();
    let history = history.lock().expect("one thread");
    if history.is_consistent() { Ok(()) } else { Err("no order explains the history".to_owned()) }
}

fn main() {
    let first = common::seed();
    for fsync in [AppendFsync::EverySec, AppendFsync::Always] {
        common::heading(&format!("appendfsync {fsync:?}"));
        let sweep = Seeds::new(first..first + 300).without_files().run(|sim| scenario(sim, fsync));
        match &sweep.account {
            Some(account) => println!("{account}"),
            None => println!("{} of {} seeds fail", sweep.failures.len(), sweep.ran),
        }
    }
}
