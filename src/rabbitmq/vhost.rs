//! A virtual host: a namespace of exchanges and queues, with its policies and limits.
//!
//! Names are unique within a vhost only. A connection uses the vhost that it opened.
//!
//! Start with [`VHost`]. In this module: `user` (users and permissions), `policy` (settings by
//! pattern), `pattern` (regular expressions over names), `password` (hashes, for definitions) and
//! `error` (why an operation of an administrator failed).
//!
//! Source: <https://www.rabbitmq.com/docs/vhosts>.

pub(crate) mod error;
#[cfg(feature = "definitions")]
pub(crate) mod password;
pub(crate) mod pattern;
pub(crate) mod policy;
pub(crate) mod user;

use crate::rabbitmq::key::{ExchangeKey, QueueKey, Stored, marker};
use crate::rabbitmq::protocol::queue_type::QueueType;
use crate::rabbitmq::stats::Published;
use crate::rabbitmq::vhost::policy::{Policies, Whose};
use indexmap::IndexMap;
use rustc_hash::FxBuildHasher;
use smol_str::SmolStr;

/// Limits of a vhost (`rabbitmqctl set_vhost_limits`); `None` means no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VHostLimits {
    /// `max-connections`: maximum number of open connections.
    pub max_connections: Option<u32>,
    /// `max-queues`: maximum number of queues.
    pub max_queues: Option<u32>,
}

#[derive(Debug)]
pub(crate) struct VHost {
    pub(crate) name: SmolStr,
    pub(crate) exchanges: IndexMap<SmolStr, ExchangeKey, FxBuildHasher>,
    pub(crate) queues: IndexMap<SmolStr, QueueKey, FxBuildHasher>,
    pub(crate) policies: Policies,
    pub(crate) operator_policies: Policies,
    pub(crate) limits: VHostLimits,
    /// Messages that clients published to its default exchange.
    pub(crate) published: Published,
    pub(crate) description: SmolStr,
    pub(crate) tags: Vec<SmolStr>,
    /// Whether it was ever described, even with an empty text.
    pub(crate) is_described: bool,
    /// The type of durable queues that ask for none.
    pub(crate) default_queue_type: Option<QueueType>,
}

impl Stored for VHost {
    type Marker = marker::VHost;
}

impl VHost {
    pub(crate) fn new(name: SmolStr) -> VHost {
        VHost {
            name,
            exchanges: IndexMap::default(),
            queues: IndexMap::default(),
            policies: Policies::default(),
            operator_policies: Policies::default(),
            limits: VHostLimits::default(),
            published: Published::default(),
            description: SmolStr::default(),
            tags: Vec::new(),
            is_described: false,
            default_queue_type: None,
        }
    }

    pub(crate) fn policies_mut(&mut self, whose: Whose) -> &mut Policies {
        match whose {
            Whose::User => &mut self.policies,
            Whose::Operator => &mut self.operator_policies,
        }
    }
}
