//! Definitions: what the real server and our broker make of a file, and of each other's export.

use super::node::Node;
use serde_json::{Value, json};
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::definitions::Definitions;
use stunt_double::rabbitmq::{BrokerOptions, DeprecatedFeature};
use stunt_double::{Instant, Site, Stream};

const TOPOLOGY: &str = include_str!("../../../examples/definitions/topology.json");

/// Imports a file into a real server, and returns what that exports.
fn through_the_real_one(node: &Node, text: &str) -> String {
    let (file, seen) = node.file("definitions.json");
    let path = seen.to_str().unwrap().to_owned();
    std::fs::write(&file, text).unwrap();
    node.control(&["import_definitions".to_owned(), path.clone()]).unwrap();
    std::fs::remove_file(&file).unwrap();
    node.control(&["export_definitions".to_owned(), path]).unwrap();
    std::fs::read_to_string(&file).unwrap()
}

fn through_ours(broker: &mut Broker, text: &str) -> String {
    let definitions = Definitions::from_json(text).unwrap();
    broker.import_definitions(Instant::ZERO, &definitions).unwrap();
    broker.export_definitions().to_json()
}

/// Everything on which both have to agree. This leaves out what `rabbitmqctl` does not export
/// (internal exchanges) or has in addition, and the salt of the guest's password.
fn comparable(text: &str) -> Value {
    let mut file: Value = serde_json::from_str(text).unwrap();
    let file_map = file.as_object_mut().unwrap();
    file_map.retain(|_, list| list.is_array());
    for list in file_map.values_mut() {
        let list = list.as_array_mut().unwrap();
        list.retain(|object| object["internal"] != true && object["name"] != "guest");
        list.retain(|object| object["name"] != "internal_cluster_id");
        for object in list.iter_mut().map(|object| object.as_object_mut().unwrap()) {
            object.remove("internal");
            if object.contains_key("durable") && object.contains_key("arguments") {
                object.remove("type");
            }
        }
        list.sort_by_key(Value::to_string);
    }
    file
}

fn assert_same(ours: &str, real: &str) {
    let (ours, real) = (comparable(ours), comparable(real));
    for (key, list) in real.as_object().unwrap() {
        assert_eq!(&ours[key], list, "{key}");
    }
}

#[test]
fn both_brokers_export_the_same_definitions() {
    let Some(node) = Node::start() else { return };
    let names = Stream::calm(Site::new("definitions.names"), 0);
    // The node permits them, too: the topology has one.
    let transient = DeprecatedFeature::TransientNonexclQueues;
    let options = BrokerOptions::default().with_version(node.version());
    let mut broker = Broker::new(options.permit_deprecated(transient), names);
    let real = through_the_real_one(&node, TOPOLOGY);
    let ours = through_ours(&mut broker, TOPOLOGY);
    assert_same(&ours, &real);
    // Each imports the other's export, and exports it unchanged.
    assert_same(&through_the_real_one(&node, &ours), &real);
    assert_eq!(through_ours(&mut broker, &real), ours_after(&ours, &real));
}

/// Our export after importing the real server's file. The guest has the hash from that file.
fn ours_after(ours: &str, real: &str) -> String {
    let guest = |text: &str| {
        let file: Value = serde_json::from_str(text).unwrap();
        let users = file["users"].as_array().unwrap().clone();
        let guest = users.into_iter().find(|user| user["name"] == "guest").unwrap();
        guest["password_hash"].as_str().unwrap().to_owned()
    };
    ours.replace(&guest(ours), &guest(real))
}

/// Files of one object each: what versions know, and what they do not.
fn files() -> Vec<Value> {
    let queue = |name: &str, arguments: Value| {
        json!({"queues": [{
            "name": name, "vhost": "v", "durable": true, "auto_delete": false,
            "arguments": arguments
        }]})
    };
    let exchange = |kind: &str| {
        json!({"exchanges": [{
            "name": kind, "vhost": "/", "type": kind, "durable": true, "auto_delete": false,
            "internal": false, "arguments": {}
        }]})
    };
    let policy = |name: &str, apply_to: &str, definition: Value| {
        json!({"policies": [{
            "vhost": "/", "name": name, "pattern": "x", "apply-to": apply_to, "priority": 0,
            "definition": definition
        }]})
    };
    let binding = |source: &str, destination: &str| {
        json!({"bindings": [{
            "source": source, "vhost": "/", "destination": destination,
            "destination_type": "queue", "routing_key": "", "arguments": {}
        }]})
    };
    let vhost = |name: &str, rest: Value| {
        let mut vhost = json!({"name": name});
        vhost.as_object_mut().unwrap().append(&mut rest.as_object().unwrap().clone());
        json!({"vhosts": [vhost]})
    };
    let typed = json!({"default_queue_type": "quorum", "description": "d", "tags": ["t"]});
    vec![
        vhost("beside", typed.clone()),
        vhost("v", json!({"metadata": typed})),
        queue("q", json!({})),
        vhost("v", json!({"metadata": {"default_queue_type": "stream"}})),
        vhost("v", json!({})),
        queue("of no type", json!({"x-queue-type": "nope"})),
        exchange("x-local-random"),
        exchange("nope"),
        policy("mirrored", "queues", json!({"ha-mode": "all"})),
        policy("typed", "quorum_queues", json!({"max-length": 3})),
        binding("nothing", "nope"),
        binding("amq.fanout", "nope"),
        json!({"global_parameters": [{"name": "cluster_tags", "value": "eu"}]}),
        json!({"parameters": [{"vhost": "/", "component": "nope", "name": "p", "value": {}}]}),
    ]
}

#[test]
fn both_brokers_import_and_refuse_the_same_files() {
    let Some(node) = Node::start() else { return };
    let names = Stream::calm(Site::new("definitions.names"), 0);
    let mut broker = Broker::new(BrokerOptions::default().with_version(node.version()), names);
    let (file, seen) = node.file("definitions.json");
    let path = seen.to_str().unwrap().to_owned();
    for object in files() {
        let text = object.to_string();
        std::fs::write(&file, &text).unwrap();
        let real = node.control(&["import_definitions".to_owned(), path.clone()]);
        let definitions = Definitions::from_json(&text).unwrap();
        let ours = broker.import_definitions(Instant::ZERO, &definitions);
        assert_eq!(ours.is_ok(), real.is_ok(), "{text}\nours: {ours:?}\nreal: {real:?}");
    }
    std::fs::remove_file(&file).unwrap();
    node.control(&["export_definitions".to_owned(), path]).unwrap();
    let real = std::fs::read_to_string(&file).unwrap();
    assert_same(&broker.export_definitions().to_json(), &real);
}
