//! The server's refusals of policies, in the words and in the order of each version.

use stunt_double::rabbitmq::admin::Policy;
use stunt_double::rabbitmq::broker::Broker;
use stunt_double::rabbitmq::{BrokerOptions, DeprecatedFeature, FieldTable, FieldValue, Version};
use stunt_double::{Instant, Site, Stream};

const ALL: [Version; 3] = [Version::V3_10, Version::V4_0, Version::V4_3];

fn broker(options: BrokerOptions) -> Broker {
    Broker::new(options, Stream::calm(Site::new("policies.names"), 0))
}

fn definition<const N: usize>(pairs: [(&str, FieldValue); N]) -> FieldTable {
    pairs.into_iter().fold(FieldTable::new(), |table, (key, value)| table.with(key, value))
}

/// The answer to `set_policy`, or to `set_operator_policy`.
fn said(options: BrokerOptions, definition: FieldTable, by_operator: bool) -> String {
    let (mut broker, policy) = (broker(options), Policy::new("p", "^q", definition));
    let done = match by_operator {
        false => broker.set_policy(Instant::ZERO, "/", policy),
        true => broker.set_operator_policy(Instant::ZERO, "/", policy),
    };
    let text = done.map_or_else(|why| why.to_string(), |()| "ok".to_owned());
    text.trim_start_matches("Validation failed\n\n").trim_end().to_owned()
}

fn of(version: Version) -> BrokerOptions {
    BrokerOptions::default().with_version(version)
}

fn user<const N: usize>(version: Version, pairs: [(&str, FieldValue); N]) -> String {
    said(of(version), definition(pairs), false)
}

fn operator<const N: usize>(version: Version, pairs: [(&str, FieldValue); N]) -> String {
    said(of(version), definition(pairs), true)
}

const DENIED: &str = "use of deprecated queue-master-locator argument is not permitted";

#[test]
fn a_master_locator_is_checked_and_since_4_3_denied() {
    let locator = |name: &str| [("queue-master-locator", name.into())];
    assert_eq!(ALL.map(|version| user(version, locator("client-local"))), ["ok", "ok", DENIED]);
    let balanced = "<<\"balanced\">> invalid queue-master-locator value";
    assert_eq!(ALL.map(|version| user(version, locator("balanced"))), [balanced, "ok", DENIED]);
    let before = "<<\"foo\">> invalid queue-master-locator value";
    let since = "<<\"foo\">> is not a valid master locator";
    assert_eq!(ALL.map(|version| user(version, locator("foo"))), [before, since, DENIED]);
    let unknown = "[{<<\"queue-master-locator\">>,<<\"foo\">>}] are not recognised policy settings";
    assert_eq!(ALL.map(|version| operator(version, locator("foo"))), [unknown, since, DENIED]);
}

#[test]
fn the_configuration_denies_and_permits_master_locators() {
    let feature = DeprecatedFeature::QueueMasterLocator;
    let locator = |name: &str| definition([("queue-master-locator", name.into())]);
    let denied = of(Version::V4_0).deny_deprecated(feature);
    assert_eq!(said(denied, locator("client-local"), false), DENIED);
    let permitted = of(Version::V4_3).permit_deprecated(feature);
    assert_eq!(said(permitted.clone(), locator("client-local"), false), "ok");
    let invalid = "<<\"foo\">> is not a valid master locator";
    assert_eq!(said(permitted, locator("foo"), false), invalid);
}

#[test]
fn the_order_of_the_checks_decides_what_a_refusal_names() {
    let length = "<<\"a\">> is not a valid maximum length";
    let both = || [("max-length", "a".into()), ("zz", 1.into())];
    assert_eq!(ALL.map(|version| user(version, both())), [length; 3], "what is unknown comes last");
    let both = || [("max-length", "a".into()), ("queue-master-locator", "foo".into())];
    let locator = "<<\"foo\">> invalid queue-master-locator value";
    assert_eq!(ALL.map(|version| user(version, both())), [locator, length, DENIED]);
    assert_eq!(ALL.map(|version| operator(version, both())), [length, length, DENIED]);
    let both = || [("delayed-retry-type", "all".into()), ("zz", 1.into())];
    let retry = "delayed-retry-min is required when delayed-retry-type is all";
    let unknown = "[{<<\"delayed-retry-type\">>,<<\"all\">>},{<<\"zz\">>,1}] are not recognised \
                   policy settings";
    assert_eq!(ALL.map(|version| user(version, both())), [unknown, unknown, retry]);
}

#[test]
fn the_arguments_of_mirroring_are_checked_on_one_node_too() {
    let said = |pairs: &[(&str, FieldValue)]| {
        let pairs = pairs.iter().cloned();
        let table = pairs.fold(FieldTable::new(), |table, (key, value)| table.with(key, value));
        said(of(Version::V3_10), table, false)
    };
    let mode = |name: &str| ("ha-mode", FieldValue::from(name));
    let nodes = |nodes: Vec<FieldValue>| ("ha-params", FieldValue::from(nodes));
    let alone = "ha-mode must be specified to specify ha-params, ha-sync-mode or \
                 ha-promote-on-shutdown";
    assert_eq!(said(&[mode("all"), ("ha-sync-mode", "automatic".into())]), "ok");
    assert_eq!(said(&[mode("exactly"), ("ha-params", 2.into())]), "ok");
    assert_eq!(said(&[mode("nodes"), nodes(vec!["a".into()])]), "ok");
    for key in ["ha-params", "ha-sync-batch-size", "ha-promote-on-failure"] {
        assert_eq!(said(&[(key, 1.into())]), alone, "{key}");
    }
    for (pairs, text) in [
        (&[mode("foo"), ("ha-sync-mode", 1.into())], "<<\"foo\">> is not a valid ha-mode value"),
        (&[mode("all"), ("ha-params", 1.into())], "ha-mode=\"all\" does not take parameters"),
        (
            &[mode("exactly"), ("ha-params", 0.into())],
            "ha-mode=\"exactly\" takes an integer, 0 given",
        ),
        (
            &[mode("exactly"), ("ha-sync-mode", 1.into())],
            "ha-mode=\"exactly\" takes an integer, none given",
        ),
        (&[mode("nodes"), nodes(vec![])], "ha-mode=\"nodes\" list must be non-empty"),
        (
            &[mode("nodes"), nodes(vec!["a".into(), 1.into()])],
            "ha-mode=\"nodes\" takes a list of strings, [1] was not a string",
        ),
        (&[mode("nodes"), ("ha-params", 1.into())], "ha-mode=\"nodes\" takes a list, 1 given"),
        (
            &[mode("all"), ("ha-sync-mode", "foo".into())],
            "ha-sync-mode must be \"manual\" or \"automatic\", got <<\"foo\">>",
        ),
        (
            &[mode("all"), ("ha-sync-batch-size", 0.into())],
            "ha-sync-batch-size takes an integer greater than 0, 0 given",
        ),
        (
            &[mode("all"), ("ha-promote-on-shutdown", "foo".into())],
            "ha-promote-on-shutdown must be \"always\" or \"when-synced\", got <<\"foo\">>",
        ),
    ] {
        assert_eq!(said(pairs), text, "{pairs:?}");
    }
    let later = [Version::V4_0, Version::V4_3].map(|version| user(version, [mode("all")]));
    assert_eq!(later, ["[{<<\"ha-mode\">>,<<\"all\">>}] are not recognised policy settings"; 2]);
}

#[test]
fn sizes_of_segments_and_clusters_have_limits() {
    let segment = |size: i64| [("stream-max-segment-size-bytes", size.into())];
    let too_large = "3000000001 is not a valid segment size";
    assert_eq!(ALL.map(|version| user(version, segment(3_000_000_000))), ["ok"; 3]);
    assert_eq!(ALL.map(|version| user(version, segment(3_000_000_001))), [too_large; 3]);
    let cluster = |size: i64| [("initial-cluster-size", size.into())];
    let negative = "-1 is not a valid cluster size";
    assert_eq!(ALL.map(|version| user(version, cluster(0))), ["ok"; 3]);
    assert_eq!(ALL.map(|version| user(version, cluster(-1))), [negative; 3]);
}
