//! Real client libraries on loopback servers; see the tests.
