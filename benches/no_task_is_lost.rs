//! A test as a user of the library writes it, for the benches that measure sweeps over seeds.

use bytes::Bytes;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use stunt_double::Site;
use stunt_double::rabbitmq::{
    self, BrokerOptions, Connection, ConsumeOptions, Publish, QueueOptions, RabbitMq,
};
use stunt_double::sim::{Node, Sim};

/// How many tasks a seed has, and how many workers.
const TASKS: u32 = 100;
const WORKERS: u32 = 3;
const KILL: Site = Site::new("no-task-is-lost.kill");

/// How often each task was done, which the test looks at in the end.
type Done = Rc<RefCell<[u32; TASKS as usize]>>;

async fn worker(node: Node, (rabbit, done): (RabbitMq, Done)) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    channel.basic_qos(10, false).await?;
    let mut tasks = channel.basic_consume("tasks", ConsumeOptions::default()).await?;
    while let Some(task) = tasks.next().await {
        let task = task?;
        node.sleep(Duration::from_millis(1)).await;
        done.borrow_mut()[usize::from(task.body()[0])] += 1;
        task.ack()?;
    }
    Ok(())
}

async fn client(node: Node, rabbit: RabbitMq) -> Result<(), rabbitmq::Error> {
    let channel = Connection::connect(&node, &rabbit).await?.channel().await?;
    channel.queue_declare("tasks", QueueOptions::default()).await?;
    channel.confirm_select().await?;
    let mut confirms = Vec::new();
    for task in 0..TASKS {
        let body = Bytes::from(vec![task as u8]);
        confirms.push(channel.publish(Publish::new("", "tasks", body))?);
    }
    for confirm in confirms {
        assert!(confirm.await?.is_ack(), "nothing is refused");
    }
    Ok(())
}

/// A test as a user writes it: a broker, workers that are killed and restarted at a moment that the
/// seed decides, and a check that no task is lost.
pub(super) fn test(sim: &mut Sim) {
    let rabbit = rabbitmq::start(sim, BrokerOptions::default());
    let done = Rc::new(RefCell::new([0; TASKS as usize]));
    for i in 0..WORKERS {
        let with = (rabbit.clone(), Rc::clone(&done));
        let node = sim.daemon_with(&format!("worker{i}"), with, worker);
        let at = Duration::from_millis(sim.choose(KILL, i.into(), 40));
        let again = node.clone();
        sim.after(at, move || node.kill());
        sim.after(at + Duration::from_millis(5), move || again.restart());
    }
    sim.node_with("client", rabbit, client);
    sim.run().expect_done();
    sim.run_until(move || done.borrow().iter().all(|times| *times > 0)).expect_reached();
}
