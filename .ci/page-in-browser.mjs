// The checks of `.ci/page-in-browser`. The browser is driven through its own protocol over a pipe,
// so that no package is needed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const out = resolve(process.argv[2]);
const profile = mkdtempSync(join(tmpdir(), 'page-in-browser-'));
const browser = spawn('chromium', ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic',
  '--no-first-run', '--disable-background-networking', '--disable-component-update',
  '--disable-sync', '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank'],
{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });

let number = 0, received = '';
const answers = new Map();
let problems = [], requests = [], onLoad = () => {};
const hear = ({ id, result, error, method, params }) => {
  if (id) {
    const { done, fail } = answers.get(id);
    answers.delete(id);
    return error ? fail(new Error(error.message)) : done(result);
  }
  if (method === 'Runtime.exceptionThrown') problems.push(params.exceptionDetails);
  if (method === 'Runtime.consoleAPICalled' && params.type === 'error') problems.push(params.args);
  if (method === 'Log.entryAdded' && params.entry.level === 'error') problems.push(params.entry);
  if (method === 'Network.requestWillBeSent') requests.push(params.request.url);
  if (method === 'Page.loadEventFired') onLoad();
};
browser.stdio[4].setEncoding('utf8').on('data', (text) => {
  const parts = (received + text).split('\0');
  received = parts.pop();
  parts.forEach((part) => hear(JSON.parse(part)));
});
let sessionId;
const ask = (method, params = {}) => new Promise((done, fail) => {
  number += 1;
  answers.set(number, { done, fail });
  browser.stdio[3].write(`${JSON.stringify({ id: number, method, params, sessionId })}\0`);
});

const run = async (expression) => {
  const { result, exceptionDetails } =
    await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  assert.equal(exceptionDetails, undefined, JSON.stringify(exceptionDetails));
  return result.value;
};
// Two frames, after which everything that was planned is drawn.
const frames = () =>
  run('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done())))');
const key = async (name, text) => {
  const code = { Enter: 13, Escape: 27, Tab: 9, End: 35, Home: 36, ArrowUp: 38, ArrowDown: 40,
    PageDown: 34 }[name] ?? name.toUpperCase().charCodeAt(0);
  const all = { key: name, windowsVirtualKeyCode: code, text };
  await ask('Input.dispatchKeyEvent', { type: text ? 'keyDown' : 'rawKeyDown', ...all });
  await ask('Input.dispatchKeyEvent', { type: 'keyUp', ...all });
  await frames();
};
const click = async (selector) => {
  // The first of them that is not covered.
  const place = await run(`(() => {
    for (const element of document.querySelectorAll(${JSON.stringify(selector)})) {
      const r = element.getBoundingClientRect(), x = r.x + r.width - 30, y = r.y + r.height / 2;
      if (element.contains(document.elementFromPoint(x, y))) return [x, y];
    }
  })()`);
  assert.ok(place, `nothing to click: ${selector}`);
  for (const type of ['mousePressed', 'mouseReleased']) {
    const [x, y] = place;
    await ask('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
  }
  await frames();
};
const open = async (name, scripts = true) => {
  problems = [];
  requests = [];
  const loaded = new Promise((done) => { onLoad = done; });
  const url = pathToFileURL(join(out, name)).href;
  await ask('Page.navigate', { url });
  await loaded;
  if (scripts) await frames();
  return () => {
    assert.deepEqual(problems, [], `${name}: the console shows errors`);
    assert.deepEqual(requests.filter((other) => other !== url && !other.startsWith('data:')), [],
      `${name}: it asks for something`);
  };
};
const picture = async (name) => {
  await frames();
  const { data } = await ask('Page.captureScreenshot', { format: 'png' });
  writeFileSync(join(out, name), Buffer.from(data, 'base64'));
};
const text = (selector) => run(`document.querySelector(${JSON.stringify(selector)}).textContent`);
const nodes = () => run('document.querySelectorAll("*").length');
const searchFor = async (words) => {
  await run(`(() => { const s = document.getElementById('search');
    s.value = ${JSON.stringify(words)}; s.dispatchEvent(new Event('input')); })()`);
  await run('new Promise((done) => setTimeout(done, 200))');
  await frames();
};

const check = async () => {
  const { targetInfos } = await ask('Target.getTargets');
  const { targetId } = targetInfos.find(({ type }) => type === 'page');
  ({ sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await ask(`${domain}.enable`);
  await ask('Emulation.setDeviceMetricsOverride',
    { width: 1500, height: 900, deviceScaleFactor: 1, mobile: false });

  let done = await open('thousand.html');
  assert.match(await text('#title'), /^seed \d+ failed$/);
  assert.match(await text('.choice.decisive'), /worker killed/);
  assert.equal(await run('getComputedStyle(document.getElementById("plain")).display'), 'none');
  assert.match(await text('.row.active'), /worker killed/, 'it begins at the decisive choice');
  await picture('light.png');
  // The story that explains it is open, beside what the passing run tells.
  assert.equal(await run('document.getElementById("story").hidden'), false, 'a story is open');
  assert.match(await text('#story h3'), /^#\d+ "order \d+"$/);
  assert.match(await text('#story'), /acknowledged: it has left queue orders/);
  assert.match(await text('#story'), /The run that passes tells the same/);
  assert.match(await text('#cause'), /only in the passing run: .* shipped order/);
  await key('Escape');
  // A click on a message shows its story.
  await click('.row.c2');
  assert.equal(await run('document.getElementById("story").hidden'), false, 'a story opens');
  const clicked = await text('.row.active .what');
  assert.ok(clicked.includes(await text('#story h3')), 'it is that of the message');
  assert.ok(await run('document.querySelectorAll("#story li").length') > 1);
  await picture('story.png');
  await key('Escape');
  assert.equal(await run('document.getElementById("story").hidden'), true, 'Escape closes');
  // What an account tells of a message comes first.
  await searchFor('"order 7"');
  await click('.row.c2');
  assert.equal(await text('#story h3'), '#8 "order 7"');
  await key('Escape');
  // Search finds what is there, only that, and nothing for what is not.
  await searchFor('shipped order');
  const found = await run('[...document.querySelectorAll(".row:not([hidden]):not(.gap) .what")].map((e) => e.textContent)');
  assert.ok(found.length > 5 && found.every((line) => line.includes('shipped order')), `${found}`);
  await searchFor('no such words');
  assert.match(await text('#count'), /Nothing matches/);
  assert.equal(await run('document.querySelectorAll(".row:not([hidden])").length'), 0);
  await searchFor('');
  // The keyboard alone.
  await run('document.activeElement.blur()');
  await key('/', '/');
  assert.equal(await run('document.activeElement.id'), 'search', '/ goes to the search');
  const stops = new Set();
  for (let i = 0; i < 60; i++) {
    await key('Tab');
    stops.add(await run('document.activeElement.id || document.activeElement.className || document.activeElement.parentElement.id'));
  }
  for (const stop of ['as-text', 'theme', 'search', 'scroller', 'heads', 'choice decisive']) {
    assert.ok([...stops].some((other) => other === stop), `Tab reaches ${stop}: ${[...stops]}`);
  }
  await run('document.getElementById("scroller").focus()');
  await key('Home');
  const first = await text('.row.active');
  await key('ArrowDown');
  assert.notEqual(await text('.row.active'), first, 'arrows step');
  const named = await run('document.getElementById(document.getElementById("scroller").getAttribute("aria-activedescendant"))?.getAttribute("aria-selected")');
  assert.equal(named, 'true', 'a screen reader is told of the row');
  await key('Enter', '\r');
  assert.equal(await run('document.activeElement.id'), 'story', 'Enter opens');
  await key('Escape');
  assert.equal(await run('document.activeElement.id'), 'scroller', 'and Escape goes back');
  await key('End');
  assert.match(await text('.row.active'), /of 240 orders were shipped/, 'the failure is last');
  await key('d', 'd');
  assert.match(await text('.row.active'), /worker killed/, 'd goes to the decisive choice');
  // A lane alone.
  await run('document.querySelector("#heads button:last-child").click()');
  assert.match(await text('#count'), / of /);
  await key('Escape');
  await click('#theme');
  assert.equal(await run('document.documentElement.dataset.theme'), 'dark');
  await picture('dark.png');
  done();

  done = await open('hundred-thousand.html');
  const count = Number((await text('#count')).replace(/\D/g, ''));
  assert.ok(count >= 100_000, `${count} events`);
  let most = 0;
  for (let share = 0; share <= 1; share += 0.01) {
    await run(`(() => { const s = document.getElementById('scroller'); s.scrollTop = s.scrollHeight * ${share}; })()`);
    await frames();
    most = Math.max(most, await nodes());
  }
  assert.ok(most < 600, `${most} elements for ${count} events`);
  assert.ok(await run('document.querySelectorAll(".row:not([hidden])").length') > 10);
  await searchFor('order 25099');
  assert.match(await text('#count'), /^\d+ of/);
  console.log(`${count} events, at most ${most} elements`);
  done();

  // On a narrow screen the events stay in view beside an open story.
  await ask('Emulation.setDeviceMetricsOverride',
    { width: 800, height: 900, deviceScaleFactor: 1, mobile: false });
  done = await open('thousand.html');
  assert.equal(await run('document.getElementById("story").hidden'), false);
  const height = await run('document.getElementById("scroller").clientHeight');
  assert.ok(height > 200, `the events have ${height} pixels`);
  await picture('narrow.png');
  done();
  await ask('Emulation.setDeviceMetricsOverride',
    { width: 1500, height: 900, deviceScaleFactor: 1, mobile: false });

  done = await open('empty.html');
  assert.equal(await text('#count'), 'No events were kept');
  done();
  done = await open('one.html');
  assert.equal(await text('#count'), '1 event');
  done();

  done = await open('nasty.html');
  assert.match(await text('#title'), /<\/script><img/);
  assert.equal(await run('document.querySelectorAll("img").length'), 0);
  done();

  // Without scripts the text is there.
  await ask('Emulation.setScriptExecutionDisabled', { value: true });
  done = await open('thousand.html', false);
  done();
  await ask('Emulation.setScriptExecutionDisabled', { value: false });
  assert.equal(await run('document.getElementById("app").hidden'), true);
  assert.notEqual(await run('getComputedStyle(document.getElementById("plain")).display'), 'none');
  assert.match(await text('#plain'), /of 240 orders were shipped/);
  await picture('plain.png');

  // The same trace as trace events: what every viewer needs of each.
  const { traceEvents } = JSON.parse(readFileSync(join(out, 'trace.json'), 'utf8'));
  const flows = new Map();
  for (const { name, ph, pid, tid, ts, id } of traceEvents) {
    assert.ok(typeof name === 'string' && Number.isInteger(pid) && Number.isInteger(tid));
    assert.ok(ph === 'M' || typeof ts === 'number', name);
    if (ph === 's') flows.set(id, ts);
    if (ph === 'f') assert.ok(flows.get(id) <= ts, `arrow ${id} goes forward`);
  }
  console.log(`${traceEvents.length} trace events, ${flows.size} arrows`);
};

// A page that hangs must not hang the gate.
setTimeout(() => {
  console.error('it takes longer than three minutes');
  browser.kill('SIGKILL');
  process.exit(1);
}, 180_000).unref();

try {
  await check();
} finally {
  const ended = new Promise((done) => browser.once('exit', done));
  browser.kill();
  await ended;
  rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
}
