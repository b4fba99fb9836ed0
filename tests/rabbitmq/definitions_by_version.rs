//! How definitions differ between the versions. The files in `definitions/4.0` and in
//! `definitions/4.3` were written by a real 4.0.5 and 4.3.6 after an import of the file that 3.10.8
//! wrote, and of a vhost with a default queue type.

use crate::definitions::FULL;
use crate::support::*;
use serde_json::{Value, json};
use stunt_double::rabbitmq::broker::{Broker, Method};
use stunt_double::rabbitmq::definitions::{Definitions, DefinitionsError};
use stunt_double::rabbitmq::{BrokerOptions, DeprecatedFeature, FieldTable, QueueOptions, Version};
use stunt_double::{Instant, Site, Stream};

fn empty(version: Version) -> Broker {
    let transient = DeprecatedFeature::TransientNonexclQueues;
    let options = BrokerOptions::default().with_version(version).permit_deprecated(transient);
    Broker::new(options, Stream::calm(Site::new("test.names"), 0))
}

fn import(broker: &mut Broker, file: &Value) -> Result<(), DefinitionsError> {
    broker.import_definitions(Instant::ZERO, &Definitions::from_json(&file.to_string())?)
}

/// Imports a file into an empty broker of each version, and returns what `seen` finds there, or the
/// error.
fn on_each<T>(file: &Value, seen: impl Fn(&Broker) -> T) -> Vec<Result<T, String>> {
    let each = Version::ALL.iter().map(|&version| {
        let mut broker = empty(version);
        import(&mut broker, file).map_err(|error| error.to_string())?;
        Ok(seen(&broker))
    });
    each.collect()
}

fn export(broker: &Broker) -> Value {
    serde_json::from_str(&broker.export_definitions().to_json()).unwrap()
}

/// The objects that every version was given.
fn given() -> Value {
    let mut file: Value = serde_json::from_str(&FULL).unwrap();
    let metadata = json!({"description": "A lab", "tags": ["lab"], "default_queue_type": "quorum"});
    let lab = json!({"name": "lab", "metadata": metadata});
    file["vhosts"].as_array_mut().unwrap().push(lab);
    // The management UI gives its user permissions for a vhost that it creates.
    let all =
        json!({"user": "guest", "vhost": "lab", "configure": ".*", "write": ".*", "read": ".*"});
    file["permissions"].as_array_mut().unwrap().push(all);
    for (name, auto_delete) in [("lab.samples", false), ("lab.notes", true)] {
        let queue =
            json!({"name": name, "vhost": "lab", "durable": true, "auto_delete": auto_delete});
        file["queues"].as_array_mut().unwrap().push(queue);
    }
    file
}

/// The broker of a version that was given the file.
fn filled(version: Version) -> Broker {
    let mut broker = empty(version);
    import(&mut broker, &given()).unwrap();
    broker
}

/// A file without the order of its lists, and without the id of a cluster, which differs each time.
fn in_order(mut file: Value) -> Value {
    for list in file.as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut) {
        list.retain(|object| object["name"] != "internal_cluster_id");
        list.sort_by_key(Value::to_string);
    }
    file
}

fn assert_same(ours: Value, real: Value) {
    let (ours, real) = (in_order(ours), in_order(real));
    for (key, list) in real.as_object().unwrap() {
        assert_eq!(&ours[key], list, "{key}");
    }
    let keys = |file: &Value| file.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&ours), keys(&real));
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn an_export_of_4_3_is_that_of_the_real_one() {
    let broker = filled(Version::V4_3);
    let real = read(include_str!("definitions/4.3/server.json"));
    assert_same(export(&broker), real);
    let real = read(include_str!("definitions/4.3/vhost_shop.json"));
    let ours = read(&broker.export_vhost_definitions("shop").unwrap().to_json());
    assert_same(ours, real);
}

#[test]
fn an_export_of_4_0_is_that_of_the_management_ui_with_the_vhosts_of_rabbitmqctl() {
    let broker = filled(Version::V4_0);
    let mut real = read(include_str!("definitions/4.0/server.json"));
    let ctl = read(include_str!("definitions/4.0/rabbitmqctl.json"));
    // The real one had an import more, after which the metadata of `/` names its type.
    real["vhosts"] = ctl["vhosts"].clone();
    let mut ours = export(&broker);
    let vhosts = ours["vhosts"].as_array_mut().unwrap();
    let default = vhosts.iter_mut().find(|vhost| vhost["name"] == "/").unwrap();
    default["metadata"]["default_queue_type"] = "classic".into();
    assert_same(ours, real);

    let real = read(include_str!("definitions/4.0/vhost_shop.json"));
    let ours = read(&broker.export_vhost_definitions("shop").unwrap().to_json());
    assert_same(ours, real);
}

#[test]
fn an_export_of_4_3_cannot_be_imported_elsewhere_if_there_is_an_internal_exchange() {
    let exports = Version::ALL.iter().map(|&version| export(&filled(version)));
    let imports: Vec<_> = exports
        .zip(Version::ALL)
        .map(|(file, &version)| import(&mut empty(version), &file).map_err(|e| e.to_string()))
        .collect();
    assert_eq!(imports[..2], [Ok(()), Ok(())]);
    let why = imports[2].clone().unwrap_err();
    assert!(
        why.ends_with(
            r#"{resources_missing,[{not_found,{resource,<<"shop">>,exchange,<<"shop.audit">>}}]}"#
        ),
        "{why}"
    );
}

#[test]
fn a_binding_without_its_ends_is_skipped_and_since_4_0_refused() {
    let file = json!({"bindings": [{
        "source": "nothing", "vhost": "/", "destination": "nope", "destination_type": "queue",
        "routing_key": ""
    }]});
    let missing = r#"binding from 'nothing' to 'nope' in vhost '/': {resources_missing,[{not_found,{resource,<<"/">>,exchange,<<"nothing">>}},{not_found,{resource,<<"/">>,queue,<<"nope">>}}]}"#;
    let refused = Err(missing.to_owned());
    assert_eq!(on_each(&file, |_| ()), [Ok(()), refused.clone(), refused]);
}

#[test]
fn a_queue_of_a_file_gets_its_vhosts_default_type_since_4_0_if_it_can_have_that() {
    let queue = |name: &str, durable: bool, auto_delete: bool| json!({"name": name, "vhost": "v", "durable": durable, "auto_delete": auto_delete});
    let mut typed = queue("typed", true, false);
    typed["arguments"] = json!({"x-queue-type": "classic"});
    let file = json!({
        "vhosts": [{"name": "v", "metadata": {"default_queue_type": "quorum"}}],
        "queues": [queue("a", true, false), queue("b", true, true), queue("c", false, false), typed],
    });
    let types = on_each(&file, |broker| {
        let rows = broker.list_queues().into_iter();
        rows.map(|row| row.queue_type.name()).collect::<Vec<_>>()
    });
    let since_4_0 = Ok(vec!["quorum", "classic", "classic", "classic"]);
    assert_eq!(types, [Ok(vec!["classic"; 4]), since_4_0.clone(), since_4_0]);
}

#[test]
fn the_default_type_of_a_vhost_is_read_from_its_metadata_alone() {
    let file = json!({"vhosts": [
        {"name": "a", "default_queue_type": "quorum", "description": "A", "tags": ["x"]},
        {"name": "b", "default_queue_type": "stream", "metadata": {"default_queue_type": "quorum"}},
    ]});
    let seen = on_each(&file, |broker| {
        let rows = broker.rabbitmqctl("list_vhosts name description tags default_queue_type");
        rows.unwrap().lines().skip(2).map(String::from).collect::<Vec<_>>()
    });
    let since_4_0 = Ok(vec!["a\tA\t[x]\tclassic".to_owned(), "b\t\t[]\tquorum".to_owned()]);
    let before = Ok(vec!["a\tA\t[x]\tundefined".to_owned(), "b\t\t[]\tquorum".to_owned()]);
    assert_eq!(seen, [before, since_4_0.clone(), since_4_0]);
}

#[test]
fn the_default_type_of_an_existing_vhost_changes_since_4_0_and_is_reset_since_4_3() {
    let typed =
        |name: &str| json!({"vhosts": [{"name": "v", "metadata": {"default_queue_type": name}}]});
    let untyped = json!({"vhosts": [{"name": "v"}]});
    let types = Version::ALL.iter().map(|&version| {
        let mut broker = empty(version);
        let files = [typed("quorum"), typed("stream"), untyped.clone()];
        files.map(|file| {
            import(&mut broker, &file).unwrap();
            broker.list_vhosts()[1].default_queue_type.map_or("none", |kind| kind.name())
        })
    });
    assert_eq!(
        types.collect::<Vec<_>>(),
        [["quorum"; 3], ["quorum", "stream", "stream"], ["quorum", "stream", "classic"]]
    );
    let unknown = "vhost 'v': nope is not a valid queue type".to_owned();
    assert_eq!(on_each(&typed("nope"), |_| ()), vec![Err(unknown); 3]);
    assert!(on_each(&typed("undefined"), |_| ()).iter().all(Result::is_ok));
}

#[test]
fn a_queues_type_is_among_its_arguments_since_4_0() {
    let shown = Version::ALL.iter().map(|&version| {
        let mut server = Server::with_options(BrokerOptions::default().with_version(version));
        let arguments = FieldTable::new().with("x-single-active-consumer", true);
        let options = QueueOptions { exclusive: true, arguments, ..QueueOptions::default() };
        server.send(CH, Method::QueueDeclare { queue: "q".into(), options, no_wait: false });
        server.broker.rabbitmqctl("list_queues arguments").unwrap().lines().last().map(String::from)
    });
    let before = r#"[{"x-single-active-consumer",true}]"#.to_owned();
    let since_4_0 = r#"[{"x-queue-type","classic"},{"x-single-active-consumer",true}]"#.to_owned();
    assert_eq!(shown.flatten().collect::<Vec<_>>(), [before, since_4_0.clone(), since_4_0]);
}

#[test]
fn a_binding_of_an_exclusive_queue_is_exported_since_4_3() {
    let exported = Version::ALL.iter().map(|&version| {
        let mut server = Server::with_options(BrokerOptions::default().with_version(version));
        server.declare_with("q", QueueOptions { exclusive: true, ..QueueOptions::default() });
        server.bind("q", "amq.fanout", "", FieldTable::new());
        let file = export(&server.broker);
        (file["queues"].as_array().unwrap().len(), file["bindings"].as_array().unwrap().len())
    });
    assert_eq!(exported.collect::<Vec<_>>(), [(0, 0), (0, 0), (0, 1)]);
}

#[test]
fn vhost_slash_of_4_3_has_an_exchange_for_its_log() {
    let names = Version::ALL.iter().map(|&version| {
        let mut broker = empty(version);
        broker.add_vhost("v");
        let rows = broker.list_exchanges().into_iter().filter(|row| row.name.ends_with(".log"));
        rows.map(|row| (row.vhost.to_string(), row.kind, row.internal)).collect::<Vec<_>>()
    });
    let log = ("/".to_owned(), "topic", true);
    assert_eq!(names.collect::<Vec<_>>(), [vec![], vec![], vec![log]]);
}
