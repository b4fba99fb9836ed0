// The data as arrays, and what is derived from it once: rows, arrows, stories, states of lanes.

const ROW = 24;
const CHOICE = 1, MESSAGE = 2, LIFE = 4, FAULT = 6, FAILURE = 7, LOST = 8, IN_FLIGHT = 9;
const data = JSON.parse(document.getElementById('data').textContent);
const isMessage = (kind) => kind === MESSAGE || kind === LOST || kind === IN_FLIGHT;

// Every event, one array for each of its fields. Times are nanoseconds.
const events = (() => {
  const all = { kind: [], lane: [], at: [], text: [], from: [], label: [], wire: [], sent: [] };
  const flat = data.events;
  let at = 0;
  for (let i = 0; i < flat.length;) {
    const kind = flat[i];
    at += flat[i + 2];
    all.kind.push(kind);
    all.lane.push(flat[i + 1]);
    all.at.push(at);
    all.text.push(flat[i + 3]);
    const more = isMessage(kind);
    all.from.push(more ? flat[i + 4] : -1);
    all.label.push(more ? flat[i + 5] : kind === CHOICE ? flat[i + 4] : -1);
    all.wire.push(more ? flat[i + 6] : -1);
    all.sent.push(more ? at - flat[i + 7] : at);
    i += more ? 8 : kind === CHOICE ? 5 : 4;
  }
  all.count = all.kind.length;
  return all;
})();

const laneName = (lane) => data.lanes[lane][0];
const isService = (lane) => data.lanes[lane][1] === 1;
const textOf = (event) => data.texts[events.text[event]];
const whoOf = (event) => isMessage(events.kind[event])
  ? `${data.texts[events.label[event]]} → ${laneName(events.lane[event])}`
  : laneName(events.lane[event]);

// Microseconds are shown only if there are any.
const decimals = events.at.some((at) => at % 1e6 >= 1) ? 6 : 3;
const time = (at) => `${(at / 1e9).toFixed(decimals)} s`;
const span = (nanos) => {
  const trim = (n) => String(Number(n.toPrecision(3)));
  if (nanos >= 3600e9) return `${trim(nanos / 3600e9)} h`;
  if (nanos >= 1e9) return `${trim(nanos / 1e9)} s`;
  return nanos >= 1e6 ? `${trim(nanos / 1e6)} ms` : `${trim(nanos / 1e3)} µs`;
};

// The lanes that have something to show.
const lanesInUse = (() => {
  const used = new Set();
  for (let i = 0; i < events.count; i++) {
    used.add(events.lane[i]);
    if (events.from[i] >= 0) used.add(events.from[i]);
  }
  if (used.size > 1 && !events.lane.some((lane, i) => lane === 0 && events.kind[i] !== FAILURE)) {
    used.delete(0);
  }
  return [...used].sort((a, b) => a - b);
})();
const columnOf = new Map(lanesInUse.map((lane, column) => [lane, column]));

// A process is alive, paused or gone from an event on.
const states = (() => {
  const found = new Map();
  const gone = /^(killed|exited|lost power|stopped|failed)/;
  for (let i = 0; i < events.count; i++) {
    const kind = events.kind[i];
    if (kind !== LIFE && kind !== FAULT && kind !== FAILURE) continue;
    const text = textOf(i);
    const state = /^(started|resumed)/.test(text) ? 'alive'
      : text === 'paused' ? 'paused' : gone.test(text) ? 'gone' : null;
    if (!state) continue;
    if (!found.has(events.lane[i])) found.set(events.lane[i], []);
    found.get(events.lane[i]).push([i, state]);
  }
  return found;
})();

// The connection of a message: its number is unique within its service.
const wireOf = (event) => {
  const service = isService(events.lane[event]) ? events.lane[event] : events.from[event];
  return `${service}/${events.wire[event]}`;
};
let wires = null;
const onSameWire = (event) => {
  if (!wires) {
    wires = new Map();
    for (let i = 0; i < events.count; i++) {
      if (!isMessage(events.kind[i])) continue;
      const wire = wireOf(i);
      if (!wires.has(wire)) wires.set(wire, []);
      wires.get(wire).push(i);
    }
  }
  return wires.get(wireOf(event));
};

// The first event at or after a time, among those that `at` tells the times of.
const firstAt = (count, at, moment) => {
  let low = 0, high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (at(middle) < moment) low = middle + 1; else high = middle;
  }
  return low;
};
const eventAt = (i) => events.at[i];

// The event that a step of a story is, if it has one.
const eventOfStep = ([at, who]) => {
  const names = (i) => laneName(events.lane[i]) === who
    || (events.from[i] >= 0 && laneName(events.from[i]) === who);
  for (let i = firstAt(events.count, eventAt, at); i < events.count && events.at[i] === at; i++) {
    if (events.kind[i] !== CHOICE && names(i)) return i;
  }
  return -1;
};
let told = null;
const storiesOf = (event) => {
  if (!told) {
    told = new Map();
    data.stories.forEach((story, number) => story.steps.forEach((step) => {
      const at = eventOfStep(step);
      if (at < 0) return;
      if (!told.has(at)) told.set(at, new Set());
      told.get(at).add(number);
    }));
  }
  return [...(told.get(event) || [])];
};

// What is shown: rows are events, or gaps (-1) in which time passes.
const view = { rows: [], at: [], gap: [], sent: [], early: [], rowOf: new Map(), cut: 0, gaps: 0 };

const threshold = (chosen) => {
  const gaps = [];
  for (let i = 1; i < chosen.length; i++) {
    const gap = events.at[chosen[i]] - events.at[chosen[i - 1]];
    if (gap > 0) gaps.push(gap);
  }
  gaps.sort((a, b) => a - b);
  return gaps.length < 3 ? Infinity : 5 * gaps[Math.floor(gaps.length * 0.75)];
};

// Where a message left: beside the last thing that its sender did at that moment.
const rowOfSending = (event, arrival) => {
  const sent = events.sent[event], from = events.from[event];
  const next = firstAt(arrival, (row) => view.at[row], sent);
  let row = firstAt(arrival, (r) => view.at[r], sent + 0.5);
  for (let i = row - 1, tries = 0; i >= next && tries < 64; i--, tries++) {
    const other = view.rows[i];
    if (other >= 0 && (events.lane[other] === from || events.from[other] === from)) return i;
  }
  if (row > next) return Math.min(row - 1, arrival - 0.4);
  if (row === 0) return 0;
  const before = view.at[row - 1], after = row < arrival ? view.at[row] : events.at[event];
  row = row - 1 + (after > before ? (sent - before) / (after - before) : 0);
  return Math.min(row, arrival - 0.4);
};

const BLOCK = 256;
const show = (chosen) => {
  const cut = threshold(chosen);
  Object.assign(view, { rows: [], at: [], gap: [], sent: [], early: [], cut: 0, gaps: 0 });
  view.rowOf = new Map();
  let before = 0;
  chosen.forEach((event, i) => {
    const at = events.at[event];
    if (i > 0 && at - before > cut) {
      view.rows.push(-1);
      view.at.push(before);
      view.gap.push(at - before);
      view.cut += at - before;
      view.gaps++;
    }
    view.rowOf.set(event, view.rows.length);
    view.rows.push(event);
    view.at.push(at);
    view.gap.push(0);
    before = at;
  });
  view.rows.forEach((event, row) => {
    const sent = event >= 0 && isMessage(events.kind[event]) ? rowOfSending(event, row) : row;
    view.sent.push(sent);
    const block = Math.floor(row / BLOCK);
    view.early[block] = Math.min(view.early[block] ?? Infinity, sent);
  });
};

// The events that touch one of these lanes, if any are given, and have the words.
const choose = (lanes, words) => {
  const wanted = words.toLowerCase();
  const has = wanted ? data.texts.map((text) => text.toLowerCase().includes(wanted)) : null;
  const named = data.lanes.map(([name]) => name.toLowerCase().includes(wanted));
  const chosen = [];
  for (let i = 0; i < events.count; i++) {
    const lane = events.lane[i], from = events.from[i];
    if (lanes.size && !lanes.has(lane) && !lanes.has(from)) continue;
    const label = isMessage(events.kind[i]) && has && has[events.label[i]];
    if (has && !has[events.text[i]] && !named[lane] && !label) continue;
    chosen.push(i);
  }
  return chosen;
};
