//! The commands on positions.
//!
//! Six of them search, with options that overlap. They share one reader of options, which reads in
//! the server's order, because the first error is the one that is answered.

use super::flag::*;
use super::key_spec::usage::*;
use super::key_spec::{after, key};
use super::{Answer, Args, Command, Rows, database};
use crate::redis::command::arguments::{double, integer, is, score, shown};
use crate::redis::database::{Database, GeoScores, ZaddCondition, ZaddOptions};
use crate::redis::error::CommandError;
use crate::redis::reply::Reply;
use crate::redis::value::SortedSet;
use crate::redis::value::geo::{self, Area, Found, Order, Point, Search, Shape, Unit};
use crate::redis::version::{Arguments, Texts};

impl<S: 'static> Rows<S> {
    #[rustfmt::skip]
    pub(crate) const GEO: &'static [Command<S>] = &[
        database("geoadd", -5, WRITE | DENYOOM, &["geo"], &[key(RW | UPDATE, 1)], "Add one or more geospatial items in the geospatial index represented using a sorted set", geoadd),
        database("geodist", -4, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "Returns the distance between two members of a geospatial index", geodist),
        database("geohash", -2, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "Returns members of a geospatial index as standard geohash strings", geohash),
        database("geopos", -2, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "Returns longitude and latitude of members of a geospatial index", geopos),
        database("georadius", -6, WRITE | DENYOOM | MOVABLEKEYS, &["geo"], &[key(RO | ACCESS, 1), after(OW | UPDATE, "STORE", 6, 0), after(OW | UPDATE, "STOREDIST", 6, 0)], "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point", georadius),
        database("georadius_ro", -6, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "A read-only variant for GEORADIUS", georadius_ro),
        database("georadiusbymember", -5, WRITE | DENYOOM | MOVABLEKEYS, &["geo"], &[key(RO | ACCESS, 1), after(OW | UPDATE, "STORE", 5, 0), after(OW | UPDATE, "STOREDIST", 5, 0)], "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member", georadiusbymember),
        database("georadiusbymember_ro", -5, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "A read-only variant for GEORADIUSBYMEMBER", georadiusbymember_ro),
        database("geosearch", -7, READONLY, &["geo"], &[key(RO | ACCESS, 1)], "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.", geosearch),
        database("geosearchstore", -8, WRITE | DENYOOM, &["geo"], &[key(OW | UPDATE, 1), key(RO | ACCESS, 2)], "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.", geosearchstore),
    ];
}

/// `longitude latitude`.
fn point(longitude: &[u8], latitude: &[u8], rules: &Arguments) -> Result<Point, CommandError> {
    let (longitude, latitude) = (score(longitude, rules)?, score(latitude, rules)?);
    let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
    Point::new(longitude, latitude).ok_or_else(|| CommandError::format(text))
}

fn unit(name: &[u8]) -> Result<Unit, CommandError> {
    // A name ends at a NUL.
    let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
    let unknown = CommandError::text("ERR unsupported unit provided. please use M, KM, FT, MI");
    Unit::parse(name).ok_or(unknown)
}

fn size(arg: &[u8], rules: &Arguments, error: &'static str) -> Result<f64, CommandError> {
    double(arg, rules).ok_or(CommandError::text(error))
}

/// `radius unit`.
fn circle(radius: &[u8], name: &[u8], rules: &Arguments) -> Result<(Shape, Unit), CommandError> {
    let radius = size(radius, rules, "ERR need numeric radius")?;
    if radius < 0.0 {
        return Err(CommandError::text("ERR radius cannot be negative"));
    }
    Ok((Shape::Circle { radius }, unit(name)?))
}

/// `width height unit`.
fn rectangle(
    [width, height]: [&[u8]; 2],
    name: &[u8],
    rules: &Arguments,
) -> Result<(Shape, Unit), CommandError> {
    let width = size(width, rules, "ERR need numeric width")?;
    let height = size(height, rules, "ERR need numeric height")?;
    if width < 0.0 || height < 0.0 {
        return Err(CommandError::text("ERR height or width cannot be negative"));
    }
    Ok((Shape::Box { width, height }, unit(name)?))
}

/// `vertices (longitude latitude) …`. Returns the rest.
fn vertices<'w, 'a>(
    count: &[u8],
    words: &'w [&'a [u8]],
    rules: &Arguments,
) -> Result<(Vec<Point>, &'w [&'a [u8]]), CommandError> {
    const FEWEST: usize = 3;
    let invalid = CommandError::text("ERR invalid number of vertices");
    let too_few = CommandError::text("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    let count = integer(count).ok().and_then(|count| i32::try_from(count).ok()).ok_or(invalid)?;
    let count = usize::try_from(count).ok().filter(|count| *count >= FEWEST);
    let count = count.filter(|count| *count <= words.len() / 2).ok_or(too_few)?;
    let (own, rest) = words.split_at(2 * count);
    let points = own.chunks_exact(2).map(|pair| point(pair[0], pair[1], rules));
    Ok((points.collect::<Result<_, _>>()?, rest))
}

/// `key [NX | XX] [CH] (longitude latitude member) …`.
fn geoadd(db: &mut Database, args: Args<'_>) -> Answer {
    let (mut if_absent, mut if_present, mut changed) = (false, false, false);
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let option = match () {
            () if is(word, "nx") => &mut if_absent,
            () if is(word, "xx") => &mut if_present,
            () if is(word, "ch") => &mut changed,
            () => break,
        };
        *option = true;
        at += 1;
    }
    let items = args[at..].chunks_exact(3);
    if !items.remainder().is_empty() || (if_absent && if_present) {
        return Err(CommandError::Syntax);
    }
    let mut members = Vec::new();
    for item in items {
        members.push((point(item[0], item[1], &db.profile.arguments)?, item[2]));
    }
    if members.is_empty() {
        return Err(CommandError::Syntax);
    }
    let present = if_present.then_some(ZaddCondition::IfPresent);
    let condition = if_absent.then_some(ZaddCondition::IfAbsent).or(present);
    let outcome = db.geoadd(args[1], &members, ZaddOptions { condition, comparison: None })?;
    Ok(Reply::count(outcome.added + if changed { outcome.updated } else { 0 }))
}

/// `key member member [unit]`.
fn geodist(db: &mut Database, args: Args<'_>) -> Answer {
    let unit = match &args[4..] {
        [] => Unit::Metres,
        [name] => unit(name)?,
        _ => return Err(CommandError::Syntax),
    };
    let distance = db.geodist(args[1], args[2], args[3])?;
    Ok(distance.map_or(Reply::Nil, |metres| shown_distance(metres, unit)))
}

fn shown_distance(metres: f64, unit: Unit) -> Reply {
    Reply::bulk(geo::format_distance(metres / unit.metres()).as_bytes())
}

fn coordinates(point: Point) -> Reply {
    let (longitude, latitude) = (point.longitude(), point.latitude());
    Reply::Array(vec![Reply::Coordinate(longitude), Reply::Coordinate(latitude)])
}

fn position(set: Option<&SortedSet>, member: &[u8]) -> Option<Point> {
    set.and_then(|set| set.score(member)).map(Point::from_score)
}

fn geohash(db: &mut Database, args: Args<'_>) -> Answer {
    let set = db.sorted_set(args[1])?;
    let hash = |point: Point| Reply::bulk(&point.geohash());
    let of = |member: &&[u8]| position(set, member).map_or(Reply::Nil, hash);
    Ok(Reply::Array(args[2..].iter().map(of).collect()))
}

fn geopos(db: &mut Database, args: Args<'_>) -> Answer {
    let set = db.sorted_set(args[1])?;
    let of = |member: &&[u8]| position(set, member).map_or(Reply::NilArray, coordinates);
    Ok(Reply::Array(args[2..].iter().map(of).collect()))
}

/// The commands that search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Searcher {
    Radius,
    RadiusRo,
    Search,
    SearchStore,
}

/// The options of a search.
struct Options<'a> {
    centre: Option<Point>,
    from_member: bool,
    from_point: bool,
    shape: Option<(Shape, Unit)>,
    order: Option<Order>,
    count: usize,
    any: bool,
    with_distance: bool,
    with_hash: bool,
    with_point: bool,
    store: Option<&'a [u8]>,
    store_distances: bool,
    texts: Texts,
    rules: &'a Arguments,
}

fn member_point(set: &SortedSet, member: &[u8], texts: &Texts) -> Result<Point, CommandError> {
    position(Some(set), member).ok_or_else(|| {
        if texts.missing_position_is_named {
            let member = String::from_utf8_lossy(member);
            CommandError::format(format!("ERR member {member} does not exist"))
        } else {
            CommandError::text("ERR could not decode requested zset member")
        }
    })
}

impl<'a> Options<'a> {
    /// Reads the options that all searches have, and those of this one.
    fn read(
        &mut self,
        set: Option<&SortedSet>,
        searcher: Searcher,
        mut words: Args<'a>,
    ) -> Result<(), CommandError> {
        while let [word, rest @ ..] = words {
            words = match () {
                () if is(word, "withdist") => set_flag(&mut self.with_distance, rest),
                () if is(word, "withhash") => set_flag(&mut self.with_hash, rest),
                () if is(word, "withcoord") => set_flag(&mut self.with_point, rest),
                () if is(word, "any") => set_flag(&mut self.any, rest),
                () if is(word, "asc") => {
                    self.order = Some(Order::Nearest);
                    rest
                }
                () if is(word, "desc") => {
                    self.order = Some(Order::Farthest);
                    rest
                }
                () if is(word, "count") && !rest.is_empty() => {
                    self.count = count(rest[0])?;
                    &rest[1..]
                }
                () => match searcher {
                    Searcher::RadiusRo => return Err(CommandError::Syntax),
                    Searcher::Radius => self.read_store(word, rest)?,
                    Searcher::SearchStore if is(word, "storedist") => {
                        set_flag(&mut self.store_distances, rest)
                    }
                    Searcher::Search | Searcher::SearchStore => self.read_area(set, word, rest)?,
                },
            };
        }
        Ok(())
    }

    /// `STORE key | STOREDIST key`. Returns the rest.
    fn read_store(&mut self, word: &[u8], rest: Args<'a>) -> Result<Args<'a>, CommandError> {
        self.store_distances = is(word, "storedist");
        let [key, rest @ ..] = rest else { return Err(CommandError::Syntax) };
        if !self.store_distances && !is(word, "store") {
            return Err(CommandError::Syntax);
        }
        self.store = Some(key);
        Ok(rest)
    }

    /// `FROMMEMBER member | FROMLONLAT longitude latitude | BYRADIUS radius unit | BYBOX width
    /// height unit | BYPOLYGON vertices (longitude latitude) …`. A member is not looked for in a
    /// missing key. Returns the rest.
    fn read_area(
        &mut self,
        set: Option<&SortedSet>,
        word: &[u8],
        rest: Args<'a>,
    ) -> Result<Args<'a>, CommandError> {
        let is_box = matches!(self.shape, Some((Shape::Box { .. }, _)));
        let is_circle = matches!(self.shape, Some((Shape::Circle { .. }, _)));
        let is_polygon = matches!(self.shape, Some((Shape::Polygon { .. }, _)));
        let has_centre = self.from_member || self.from_point;
        let has_none = self.shape.is_none();
        match rest {
            [member, rest @ ..] if is(word, "frommember") && !self.from_point && !is_polygon => {
                self.from_member = true;
                if let Some(set) = set {
                    self.centre = Some(member_point(set, member, &self.texts)?);
                }
                Ok(rest)
            }
            [longitude, latitude, rest @ ..]
                if is(word, "fromlonlat") && !self.from_member && !is_polygon =>
            {
                self.centre = Some(point(longitude, latitude, self.rules)?);
                self.from_point = true;
                Ok(rest)
            }
            [radius, unit, rest @ ..] if is(word, "byradius") && (is_circle || has_none) => {
                self.shape = Some(circle(radius, unit, self.rules)?);
                Ok(rest)
            }
            [width, height, unit, rest @ ..] if is(word, "bybox") && (is_box || has_none) => {
                self.shape = Some(rectangle([width, height], unit, self.rules)?);
                Ok(rest)
            }
            [count, rest @ ..]
                if is(word, "bypolygon")
                    && self.rules.geosearch_takes_polygons
                    && (is_polygon || has_none && !has_centre) =>
            {
                let (vertices, rest) = vertices(count, rest, self.rules)?;
                let Area { centre, shape, unit } = Area::polygon(&vertices);
                self.centre = Some(centre);
                self.shape = Some((shape, unit));
                Ok(rest)
            }
            _ => Err(CommandError::Syntax),
        }
    }

    /// Checks that the options fit together.
    fn check(&self, searcher: Searcher, name: &[u8]) -> Result<(), CommandError> {
        let exactly = |what: &str| {
            let name = shown(name);
            CommandError::format(format!("ERR exactly one of {what} can be specified for {name}"))
        };
        if self.store.is_some() && (self.with_distance || self.with_hash || self.with_point) {
            return Err(CommandError::text(if searcher == Searcher::SearchStore {
                "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options"
            } else {
                "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and \
                 WITHCOORD options"
            }));
        }
        match searcher {
            Searcher::Radius | Searcher::RadiusRo => {}
            Searcher::Search | Searcher::SearchStore => {
                let is_polygon = matches!(self.shape, Some((Shape::Polygon { .. }, _)));
                if !self.from_member && !self.from_point && !is_polygon {
                    return Err(exactly("FROMMEMBER or FROMLONLAT"));
                }
                if self.shape.is_none() {
                    return Err(exactly(if self.rules.geosearch_takes_polygons {
                        "BYRADIUS, BYBOX and BYPOLYGON"
                    } else {
                        "BYRADIUS and BYBOX"
                    }));
                }
            }
        }
        if self.any && self.count == 0 {
            return Err(CommandError::text("ERR the ANY argument requires COUNT argument"));
        }
        Ok(())
    }

    /// Returns the search, or `None` without a source key.
    fn search(&self, set: Option<&SortedSet>) -> Option<Search> {
        set?;
        let (shape, unit) = self.shape.clone()?;
        let area = Area { centre: self.centre?, shape, unit };
        Some(Search { area, order: self.order, count: self.count, any: self.any })
    }

    fn reply(&self, found: &[Found], unit: Unit) -> Reply {
        let one = |found: &Found| {
            let mut fields = vec![Reply::bulk(&found.member)];
            if self.with_distance {
                fields.push(shown_distance(found.distance, unit));
            }
            if self.with_hash {
                fields.push(Reply::Integer(geo::score_as_integer(found.score)));
            }
            if self.with_point {
                fields.push(coordinates(found.point));
            }
            if fields.len() == 1 { fields.remove(0) } else { Reply::Array(fields) }
        };
        Reply::Array(found.iter().map(one).collect())
    }
}

fn set_flag<'w, 'a>(flag: &mut bool, rest: &'w [&'a [u8]]) -> &'w [&'a [u8]] {
    *flag = true;
    rest
}

fn count(arg: &[u8]) -> Result<usize, CommandError> {
    let count = integer(arg)?;
    let positive = usize::try_from(count).ok().filter(|count| *count > 0);
    positive.ok_or(CommandError::text("ERR COUNT must be > 0"))
}

/// Finishes a search whose options were read, as far as they are not yet.
fn run<'a>(
    db: &mut Database,
    args: Args<'a>,
    source: &[u8],
    searcher: Searcher,
    begin: impl FnOnce(&mut Options<'a>, Option<&SortedSet>) -> Result<Args<'a>, CommandError>,
) -> Answer {
    let (texts, rules) = (db.profile.texts, &db.profile.arguments);
    let set = db.sorted_set(source)?;
    let mut options = Options {
        centre: None,
        from_member: false,
        from_point: false,
        shape: None,
        order: None,
        count: 0,
        any: false,
        with_distance: false,
        with_hash: false,
        with_point: false,
        store: None,
        store_distances: false,
        texts,
        rules,
    };
    if searcher == Searcher::SearchStore {
        options.store = Some(args[1]);
    }
    let rest = begin(&mut options, set)?;
    options.read(set, searcher, rest)?;
    options.check(searcher, args[0])?;
    let search = options.search(set);
    let found = match (set, &search) {
        (Some(set), Some(search)) => geo::search(set, search),
        (Some(_) | None, _) => Vec::new(),
    };
    let unit = options.shape.as_ref().map_or(Unit::Metres, |(_, unit)| *unit);
    let Some(destination) = options.store else { return Ok(options.reply(&found, unit)) };
    let event = match searcher {
        Searcher::Radius | Searcher::RadiusRo => "georadiusstore",
        Searcher::Search | Searcher::SearchStore => "geosearchstore",
    };
    let scores = match options.store_distances {
        true => GeoScores::Distances(unit),
        false => GeoScores::Positions,
    };
    Ok(Reply::count(db.store_found(destination, found, scores, event)))
}

/// `key longitude latitude radius unit [option …]`.
fn by_point(db: &mut Database, args: Args<'_>, searcher: Searcher) -> Answer {
    run(db, args, args[1], searcher, |options, _| {
        options.centre = Some(point(args[2], args[3], options.rules)?);
        options.shape = Some(circle(args[4], args[5], options.rules)?);
        Ok(&args[6..])
    })
}

/// `key member radius unit [option …]`. Without the key, member and radius are not read.
fn by_member(db: &mut Database, args: Args<'_>, searcher: Searcher) -> Answer {
    run(db, args, args[1], searcher, |options, set| {
        if let Some(set) = set {
            options.centre = Some(member_point(set, args[2], &options.texts)?);
            options.shape = Some(circle(args[3], args[4], options.rules)?);
        }
        Ok(&args[5..])
    })
}

fn georadius(db: &mut Database, args: Args<'_>) -> Answer {
    by_point(db, args, Searcher::Radius)
}

fn georadius_ro(db: &mut Database, args: Args<'_>) -> Answer {
    by_point(db, args, Searcher::RadiusRo)
}

fn georadiusbymember(db: &mut Database, args: Args<'_>) -> Answer {
    by_member(db, args, Searcher::Radius)
}

fn georadiusbymember_ro(db: &mut Database, args: Args<'_>) -> Answer {
    by_member(db, args, Searcher::RadiusRo)
}

/// `key option …`.
fn geosearch(db: &mut Database, args: Args<'_>) -> Answer {
    run(db, args, args[1], Searcher::Search, |_, _| Ok(&args[2..]))
}

/// `destination source option …`.
fn geosearchstore(db: &mut Database, args: Args<'_>) -> Answer {
    run(db, args, args[2], Searcher::SearchStore, |_, _| Ok(&args[3..]))
}
