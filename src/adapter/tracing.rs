//! Events of the crate `tracing` as notes of the trace, with virtual time and node.
//!
//! [`Notes`] is a layer for a `tracing_subscriber` registry. Each event becomes a note of the node
//! whose code is running, at the world's time, with the spans around it. So the logs of production
//! code stand in the transcript of a failing seed, between what the servers did. [`WorldClock`]
//! tells other layers the time and the node instead.
//!
//! Notes are part of the digest, so a log line that differs between two runs of one seed, such as
//! one with an address in it, is found by [`check_determinism`](crate::sim::check_determinism).
//!
//! A subscriber is set for the present thread, where a world runs; see [`Sim::note_events`]. Other
//! threads, such as a client library's own, do not reach the world.
//!
//! ```
//! use std::time::Duration;
//! use stunt_double::sim::Sim;
//! use tracing::{Level, info, info_span};
//!
//! let mut sim = Sim::new(1);
//! let _guard = sim.note_events(Level::INFO);
//! sim.node("worker", async |node| {
//!     node.sleep(Duration::from_secs(60)).await;
//!     info_span!("order", id = 7).in_scope(|| info!(attempt = 2, "paid"));
//! });
//! sim.run().expect_done();
//! let notes = sim.trace().notes();
//! assert!(notes.contains("60.000s  worker       INFO order{id=7}: paid attempt=2"));
//! ```

use crate::sim::Sim;
use crate::sim::trace::event::Record;
use crate::sim::world::World;
use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id};
use tracing::subscriber::{DefaultGuard, NoSubscriber};
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::{LookupSpan, Registry, SpanRef};

impl Sim {
    /// Makes every event of `level` or more severe a note, on this thread, until the guard is
    /// dropped. A test that also wants its events elsewhere adds [`Notes`] to its own subscriber.
    #[must_use = "the events are notes until the guard is dropped"]
    pub fn note_events(&self, level: Level) -> DefaultGuard {
        keep_second_subscriber();
        let layer = Notes::new(self).with_filter(LevelFilter::from_level(level));
        tracing::subscriber::set_default(Registry::default().with(layer))
    }
}

/// A layer that makes every event a note of the node whose code is running, or of the world. A
/// subscriber may have several, such as one for each of two worlds.
pub struct Notes {
    world: Arc<World>,
    /// Tells this layer from others of the same subscriber.
    mark: Arc<()>,
}

impl Notes {
    /// Returns a layer for this world.
    #[must_use]
    pub fn new(sim: &Sim) -> Notes {
        keep_second_subscriber();
        Notes { world: Arc::clone(&sim.world), mark: Arc::default() }
    }

    fn id(&self) -> LayerId {
        Arc::as_ptr(&self.mark).addr()
    }

    /// Adds to the fields of a span.
    fn add_fields<'a, S: LookupSpan<'a>>(&self, span: &SpanRef<'a, S>, more: &str) {
        let mut extensions = span.extensions_mut();
        match extensions.get_mut::<Fields>() {
            Some(fields) => fields.of(self.id()).push_str(more),
            None => extensions.insert(Fields(vec![(self.id(), more.to_owned())])),
        }
    }
}

/// Sees to it that there are two subscribers. As long as there is only one, `tracing` asks the
/// thread that meets an event first whether anybody listens. A thread without a subscriber, such as
/// another test's, would then switch the event off for every thread.
fn keep_second_subscriber() {
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(NoSubscriber::default()));
}

impl fmt::Debug for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notes").finish_non_exhaustive()
    }
}

/// The fields of a span, as text, for each layer that wrote some. A subscriber may have several
/// layers of notes, each for a world of its own, and they share what a span keeps.
struct Fields(Vec<(LayerId, String)>);

/// The address of a layer's mark, which no other layer has.
type LayerId = usize;

impl Fields {
    fn of(&mut self, layer: LayerId) -> &mut String {
        let known = self.0.iter().position(|(owner, _)| *owner == layer);
        let place = known.unwrap_or_else(|| {
            self.0.push((layer, String::new()));
            self.0.len() - 1
        });
        &mut self.0[place].1
    }

    fn get(&self, layer: LayerId) -> &str {
        let found = self.0.iter().find(|(owner, _)| *owner == layer);
        found.map_or("", |(_, fields)| fields)
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Notes {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Text::default();
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            self.add_fields(&span, &fields.fields);
        }
    }

    fn on_record(&self, id: &Id, values: &tracing::span::Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let mut more = Text::default();
        values.record(&mut more);
        self.add_fields(&span, &more.fields);
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut text = event.metadata().level().to_string();
        for (i, span) in
            context.event_scope(event).into_iter().flat_map(|s| s.from_root()).enumerate()
        {
            text.push(if i == 0 { ' ' } else { ':' });
            text.push_str(span.name());
            let extensions = span.extensions();
            let fields = extensions.get::<Fields>().map_or("", |fields| fields.get(self.id()));
            if !fields.is_empty() {
                let _ = write!(text, "{{{}}}", fields.trim_start());
            }
        }
        if context.event_scope(event).is_some() {
            text.push(':');
        }
        let mut fields = Text::default();
        event.record(&mut fields);
        if !fields.message.is_empty() {
            let _ = write!(text, " {}", fields.message);
        }
        text.push_str(&fields.fields);
        let mut core = self.world.lock();
        if core.withholds() {
            return;
        }
        let actor = core.current_actor();
        core.trace.record(self.world.now(), actor, Record::Note { text: &text });
    }
}

/// What an event or a span says: its message, and its other fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

/// Virtual time and node, for layers that print the time of an event, such as
/// `tracing_subscriber::fmt::layer().with_timer(..)`.
///
/// ```
/// use stunt_double::adapter::tracing::WorldClock;
/// use stunt_double::sim::Sim;
///
/// let sim = Sim::new(1);
/// let layer = tracing_subscriber::fmt().with_timer(WorldClock::new(&sim));
/// # drop(layer);
/// ```
pub struct WorldClock {
    world: Arc<World>,
}

impl WorldClock {
    /// Returns the clock of this world.
    #[must_use]
    pub fn new(sim: &Sim) -> WorldClock {
        WorldClock { world: Arc::clone(&sim.world) }
    }
}

impl fmt::Debug for WorldClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorldClock").finish_non_exhaustive()
    }
}

impl FormatTime for WorldClock {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let core = self.world.lock();
        let name = Arc::clone(core.trace.name(core.current_actor()));
        drop(core);
        write!(writer, "{} {name}", self.world.now())
    }
}
