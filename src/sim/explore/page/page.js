// The document: the cause, the windowed list, the story, and the keyboard.

const $ = (id) => document.getElementById(id);
const make = (tag, words, className) => {
  const element = document.createElement(tag);
  if (words !== undefined) element.textContent = words;
  if (className) element.className = className;
  return element;
};
const press = (words, act, className) => {
  const button = make('button', words, className);
  button.type = 'button';
  button.addEventListener('click', act);
  return button;
};
const root = document.documentElement;
root.classList.add('js');
$('app').hidden = false;
$('title').textContent = data.title;
const scroller = $('scroller'), search = $('search'), story = $('story');
const lanes = new Set();
let active = -1, opened = -1, related = new Set(), pool = [], planned = false;

// Windowing: only the rows in view have elements.
const room = () => {
  const wanted = lanesInUse.length * 120;
  return Math.max(60, Math.min(wanted, (scroller.clientWidth - 110) * 0.5));
};
const xOf = (lane) => ((columnOf.get(lane) ?? 0) + 0.5) * (room() / lanesInUse.length);
const riskAt = (at) => {
  const next = firstAt(data.risk.length, (i) => data.risk[i][0], at + 0.5);
  const point = data.risk[next - 1];
  return point && point[2] ? point[1] / point[2] : 0;
};
const marked = (element, words) => {
  const wanted = search.value.trim().toLowerCase(), lower = words.toLowerCase();
  let at = 0;
  for (let next; wanted && (next = lower.indexOf(wanted, at)) >= 0; at = next + wanted.length) {
    element.append(words.slice(at, next), make('mark', words.slice(next, next + wanted.length)));
  }
  element.append(words.slice(at));
  return element;
};
const fill = (element, row) => {
  const event = view.rows[row];
  const [at, space, what] = element.children;
  space.style.width = `${room()}px`;
  element.dataset.row = row;
  what.textContent = '';
  if (event < 0) {
    element.className = 'row gap';
    element.setAttribute('role', 'presentation');
    element.removeAttribute('id');
    at.textContent = '';
    what.textContent = `⋯ ${span(view.gap[row])}`;
    return;
  }
  const kind = events.kind[event], risk = riskAt(events.at[event]);
  element.className = `row c${kind}`;
  element.classList.toggle('active', row === active);
  element.classList.toggle('related', related.has(event));
  element.style.borderLeftColor = risk ? `rgba(${colours.risk}, ${risk})` : '';
  element.id = `row-${row}`;
  element.setAttribute('role', 'option');
  element.setAttribute('aria-selected', row === active);
  element.setAttribute('aria-posinset', row + 1);
  element.setAttribute('aria-setsize', view.rows.length);
  at.textContent = time(events.at[event]);
  const fate = kind === LOST ? ' (never arrived)' : kind === IN_FLIGHT ? ' (still on its way)' : '';
  const prefix = kind === CHOICE ? '◆ ' : '';
  what.append(marked(make('span', undefined, 'who'), whoOf(event)));
  marked(what, prefix + textOf(event).replace(/\s*\n\s*/g, ' ⏎ ') + fate);
};
const render = () => {
  planned = false;
  const height = scroller.clientHeight, top = scroller.scrollTop;
  const first = Math.max(0, Math.floor(top / ROW));
  const last = Math.min(view.rows.length - 1, Math.ceil((top + height) / ROW));
  const count = Math.max(0, last - first + 1);
  while (pool.length < count) {
    const row = make('div');
    row.append(make('span', '', 'at mono'), make('span', '', 'room'), make('span', '', 'what'));
    pool.push(row);
    $('rows').append(row);
  }
  pool.forEach((element, i) => {
    element.hidden = i >= count;
    if (i >= count) return element.removeAttribute('id');
    fill(element, first + i);
    element.style.top = `${(first + i) * ROW - top}px`;
  });
  $('arrows').style.left = '109px';
  const width = room();
  drawArrows($('arrows'), { first, last, top, width, height, xOf, related });
  drawOverview($('overview'), { first, last });
  const shown = active >= first && active <= last;
  if (shown) scroller.setAttribute('aria-activedescendant', `row-${active}`);
  else scroller.removeAttribute('aria-activedescendant');
};
const plan = () => {
  if (planned) return;
  planned = true;
  requestAnimationFrame(render);
};
const reveal = (row, middle) => {
  const top = row * ROW, height = scroller.clientHeight;
  if (middle) scroller.scrollTop = top - height / 3;
  else if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + ROW > scroller.scrollTop + height) scroller.scrollTop = top + ROW - height;
};
const activate = (row, middle) => {
  active = row;
  if (row >= 0) reveal(row, middle);
  render();
};
const jump = (event) => {
  if (!view.rowOf.has(event)) clear();
  activate(view.rowOf.get(event), true);
};
const step = (by) => {
  const end = view.rows.length - 1;
  let row = Math.max(0, Math.min(end, (active < 0 ? (by > 0 ? -1 : 1) : active) + by));
  if (view.rows[row] < 0) row += by > 0 ? 1 : -1;
  if (view.rows[row] >= 0) activate(row);
};

// Filters.
const filter = () => {
  const kept = active >= 0 ? view.rows[active] : -1;
  show(choose(lanes, search.value.trim()));
  $('spacer').style.height = `${view.rows.length * ROW}px`;
  const count = view.rows.length - view.gaps, all = events.count;
  const words = search.value.trim();
  $('count').textContent = all === 0 ? 'No events were kept'
    : count === 0 ? `Nothing matches${words ? ` “${words}”` : ''}`
    : count === all ? `${all.toLocaleString('en')} event${all === 1 ? '' : 's'}`
      : `${count.toLocaleString('en')} of ${all.toLocaleString('en')} events`;
  $('cut').textContent = view.gaps === 0 ? 'no time is cut'
    : `${span(view.cut)} in which nothing happens are cut, in ${view.gaps} place${view.gaps === 1 ? '' : 's'}`;
  $('all').hidden = lanes.size === 0;
  active = view.rowOf.get(kept) ?? -1;
  if (active >= 0) reveal(active, true);
  for (const button of $('heads').children) {
    button.setAttribute('aria-pressed', lanes.has(Number(button.dataset.lane)));
  }
  subjects();
  render();
};
const clear = () => {
  lanes.clear();
  search.value = '';
  filter();
};
const layHeads = () => {
  const width = room() / lanesInUse.length;
  for (const button of $('heads').children) {
    const lane = Number(button.dataset.lane);
    button.style.left = `${109 + xOf(lane) - width / 2 + 2}px`;
    button.style.width = `${Math.max(10, width - 4)}px`;
  }
};
for (const lane of lanesInUse) {
  const button = press(laneName(lane), () => {
    if (!lanes.delete(lane)) lanes.add(lane);
    filter();
  }, isService(lane) ? 'service' : '');
  button.dataset.lane = lane;
  button.title = laneName(lane);
  $('heads').append(button);
}

// Stories.
const close = () => {
  story.hidden = true;
  opened = -1;
  related = new Set();
  layHeads();
  render();
  scroller.focus();
};
const steps = (list, here) => {
  const items = make('ol');
  for (const [event, at, who, words] of list) {
    const item = make('li', undefined, event === here ? 'here' : '');
    const button = press('', () => event >= 0 && jump(event));
    button.append(make('small', `${time(at)}  ${who}`), words);
    item.append(button);
    items.append(item);
  }
  return items;
};
const begin = (title, kind) => {
  story.textContent = '';
  const button = press('✕', close, 'close');
  button.setAttribute('aria-label', 'Close the story');
  story.append(button, make('h3', title));
  if (kind) story.append(make('small', kind));
};
const finish = (event, withFocus) => {
  story.hidden = false;
  opened = event;
  layHeads();
  if (active >= 0) reveal(active);
  render();
  story.querySelector('.here')?.scrollIntoView({ block: 'nearest' });
  if (withFocus) story.focus({ preventScroll: true });
};
const tell = (number, event, withFocus) => {
  const { subject, kind, steps: all, there, apart, same } = data.stories[number];
  begin(subject, all.length ? kind : `${kind} · only in the run that passes`);
  const list = all.map((each) => [eventOfStep(each), each[0], each[1], each[2]]);
  related = new Set(list.map(([each]) => each).filter((each) => each >= 0));
  story.append(steps(list, event));
  // What the run that passes tells instead, from the first step that is not the same.
  if (there) {
    story.append(make('h2', apart ? 'In the run that passes, instead' : 'In the run that passes'));
    story.append(steps(there.map((each) => [-1, ...each]), null));
  } else if (same) {
    story.append(make('p', 'The run that passes tells the same.', 'difference'));
  } else if (data.passing && all.length) {
    story.append(make('p', 'In the run that passes there is none.', 'difference'));
  }
  finish(event, withFocus);
};
const MOST = 200;
const open = (event, withFocus) => {
  const told = storiesOf(event);
  if (told.length) {
    tell(told[0], event, withFocus);
    if (told.length > 1) {
      story.append(make('h2', 'Also in'));
      told.slice(1).forEach((number) => story.append(
        press(data.stories[number].subject, () => tell(number, event, true), 'subject')));
    }
    return;
  }
  begin(textOf(event), whoOf(event));
  const facts = make('dl');
  const fact = (name, value) => facts.append(make('dt', name), make('dd', value));
  let all = [event];
  if (isMessage(events.kind[event])) {
    const kind = events.kind[event], arrived = kind === MESSAGE;
    fact('sent', time(events.sent[event]));
    fact(arrived ? 'arrived' : kind === LOST ? 'lost' : 'arrived', kind === IN_FLIGHT
      ? 'not yet, when the run ended' : time(events.at[event]));
    if (arrived) fact('took', span(events.at[event] - events.sent[event]));
    fact('connection', String(events.wire[event]));
    all = onSameWire(event);
  } else {
    fact('at', time(events.at[event]));
    const choice = events.kind[event] === CHOICE && data.choices[events.label[event]];
    if (choice) {
      fact('site', choice.site);
      fact('choice', `number ${choice.order}`);
    }
    const from = Math.max(0, event - 500), to = Math.min(events.count, event + 500);
    const lane = events.lane[event];
    all = [];
    for (let i = from; i < to; i++) {
      if (events.lane[i] === lane && !isMessage(events.kind[i])) all.push(i);
    }
  }
  related = new Set(all);
  const at = all.indexOf(event), from = Math.max(0, Math.min(at - MOST / 2, all.length - MOST));
  const part = all.slice(from, from + MOST);
  const title = isMessage(events.kind[event]) ? 'On the same connection' : 'Around it, in this lane';
  story.append(facts, make('h2', title));
  if (from > 0) story.append(make('small', `${from} earlier`));
  story.append(steps(part.map((i) => [i, events.at[i], whoOf(i), textOf(i)]), event));
  const later = all.length - from - part.length;
  if (later > 0) story.append(make('small', `${later} later`));
  finish(event, withFocus);
};

// The cause.
const cause = $('cause'), list = make('div');
const subjects = () => {
  const words = search.value.trim().toLowerCase();
  const found = data.stories.map(({ subject }, i) => [subject, i])
    .filter(([subject]) => subject.toLowerCase().includes(words));
  list.textContent = '';
  found.slice(0, 20).forEach(([subject, i]) =>
    list.append(press(subject, () => tell(i, -1, true), 'subject')));
  if (found.length > 20) list.append(make('small', `${found.length - 20} more: search for them`));
};
const choiceEvent = (number) =>
  events.kind.findIndex((kind, i) => kind === CHOICE && events.label[i] === number);
const ordered = data.choices.map((choice, i) => [choice, i])
  .sort(([a], [b]) => b.decisive - a.decisive || a.order - b.order);
const tellCause = () => {
  if (data.message) cause.append(make('pre', data.message, 'message'));
  const facts = make('dl');
  data.facts.forEach(([name, value]) => facts.append(make('dt', name), make('dd', value)));
  cause.append(facts);
  ordered.forEach(([choice, i], place) => {
    if (place === 0) cause.append(make('h2', choice.decisive ? 'What makes it fail' : 'Choices'));
    if (place === 1 && ordered[0][0].decisive) cause.append(make('h2', 'What else it needs'));
    const button = press(choice.words, () => jump(choiceEvent(i)), 'choice');
    button.classList.toggle('decisive', choice.decisive);
    const facts = [time(choice.at), choice.who, choice.without].filter((fact) => fact);
    button.append(make('small', facts.join(' · ')));
    cause.append(button);
  });
  if (data.replay) {
    const code = make('code', data.replay), box = make('div', undefined, 'replay');
    const copy = press('Copy', () => {
      getSelection().selectAllChildren(code);
      const done = () => { copy.textContent = 'Copied'; };
      if (navigator.clipboard) navigator.clipboard.writeText(data.replay).then(done, () => {});
      else if (document.execCommand('copy')) done();
    });
    box.append(code, copy);
    cause.append(make('h2', 'Replay'), box);
  }
  if (data.passing) {
    const { difference, effects, ends } = data.passing;
    cause.append(make('h2', 'Nearest run that passes'));
    cause.append(make('p', 'Only the choice above is calm in it. The first thing to differ:', 'hint'));
    const sides = (failing, passing) => {
      const table = make('table'), head = make('tr'), body = make('tr');
      head.append(make('th', 'failing'), make('th', 'passing'));
      body.append(make('td', failing || '—'), make('td', passing || '—'));
      table.append(head, body);
      return table;
    };
    if (difference[0] || difference[1]) cause.append(sides(...difference));
    if (effects.length) {
      cause.append(make('p', 'What the program did in one of them only:', 'hint'));
      cause.append(make('p', effects.join('\n'), 'difference'));
    }
    for (const { service, failing, passing } of ends) {
      cause.append(make('p', `What ${service} holds at the end of one of them only:`, 'hint'));
      cause.append(sides(failing.join('\n'), passing.join('\n')));
    }
  }
  if (data.stories.length) cause.append(make('h2', 'Stories'), list);
  if (data.settings) cause.append(make('h2', 'Settings'), make('p', data.settings, 'difference'));
  cause.hidden = !data.message && !data.choices.length && !data.replay && !data.stories.length;
};

// Themes.
const setTheme = (theme) => {
  root.dataset.theme = theme;
  $('theme').textContent = theme === 'dark' ? 'Light' : 'Dark';
  readColours();
  plan();
};
const preference = matchMedia('(prefers-color-scheme: dark)');
let chosen = false;
const follow = () => chosen || setTheme(preference.matches ? 'dark' : 'light');
preference.addEventListener('change', follow);
$('theme').addEventListener('click', () => {
  chosen = true;
  setTheme(root.dataset.theme === 'dark' ? 'light' : 'dark');
});
$('as-text').addEventListener('click', () => {
  const on = root.classList.toggle('as-text');
  $('as-text').setAttribute('aria-pressed', on);
});

// Mouse and keyboard.
$('rows').addEventListener('click', ({ target }) => {
  const element = target.closest('.row');
  const row = element ? Number(element.dataset.row) : -1;
  if (row < 0 || view.rows[row] < 0) return;
  activate(row);
  open(view.rows[row], false);
});
$('overview').addEventListener('click', ({ offsetX }) => {
  const share = (offsetX - 4) / Math.max(1, $('overview').clientWidth - 8);
  scroller.scrollTop = share * view.rows.length * ROW - scroller.clientHeight / 2;
});
scroller.addEventListener('scroll', plan);
new ResizeObserver(() => { layHeads(); plan(); }).observe(scroller);
let waiting = 0;
search.addEventListener('input', () => {
  clearTimeout(waiting);
  waiting = setTimeout(filter, 80);
});
$('all').addEventListener('click', clear);
scroller.addEventListener('keydown', (event) => {
  const page = Math.max(1, Math.floor(scroller.clientHeight / ROW) - 1);
  const by = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
    End: view.rows.length, Home: -view.rows.length }[event.key];
  if (by) step(by);
  else if (event.key === 'Enter' && active >= 0) open(view.rows[active], true);
  else return;
  event.preventDefault();
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') {
    if (root.classList.contains('as-text')) $('as-text').click();
    else if (!story.hidden) close();
    else if (search.value || lanes.size) { clear(); scroller.focus(); }
    else scroller.focus();
  } else if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
  else if (event.key === '/') search.focus();
  else if (event.key === 'd' && ordered.length) { jump(choiceEvent(ordered[0][1])); scroller.focus(); }
  else return;
  event.preventDefault();
});

$('overview').setAttribute('aria-label', data.risk.length
  ? `Risk: ${data.risk.map(([at, failed, of]) => `${time(at)}: ${failed} of ${of} fail`).join('; ')}`
  : 'Faults, choices and failures over time');
tellCause();
readColours();
follow();
filter();
layHeads();
if (ordered.length) jump(choiceEvent(ordered[0][1]));
if (data.open !== null) tell(data.open, -1, false);
