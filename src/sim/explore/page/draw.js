// The two canvases: lanes with arrows beside the rows, and the overview above them.

const colours = {};
const NAMES = ['text', 'soft', 'line', 'lane', 'message', 'note', 'life', 'connection', 'choice',
  'fault', 'failure', 'lost', 'risk', 'focus', 'card'];
const CLASSES = ['life', 'choice', 'message', 'note', 'life', 'connection', 'fault', 'failure',
  'lost', 'lost'];
const readColours = () => {
  const style = getComputedStyle(document.documentElement);
  for (const name of NAMES) colours[name] = style.getPropertyValue(`--${name}`).trim();
};

const prepared = (canvas, width, height) => {
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.style.height = `${height}px`;
    if (canvas.id === 'arrows') canvas.style.width = `${width}px`;
  }
  const pen = canvas.getContext('2d');
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, width, height);
  return pen;
};

const line = (pen, x, y, toX, toY) => {
  pen.beginPath();
  pen.moveTo(x, y);
  pen.lineTo(toX, toY);
  pen.stroke();
};

// The state of a lane before a row, and its changes after it.
const lifeline = (pen, lane, x, first, last, yOf) => {
  const stroke = (state, y, toY) => {
    pen.strokeStyle = state === 'paused' ? colours.fault : colours.lane;
    pen.lineWidth = state === 'paused' ? 4 : isService(lane) ? 3 : 2;
    pen.setLineDash(state === 'gone' ? [1, 6] : []);
    if (toY > y) line(pen, x, y, x, toY);
  };
  let state = 'alive', y = yOf(first);
  for (const [event, next] of states.get(lane) || []) {
    const row = view.rowOf.get(event);
    if (row === undefined || row > last) continue;
    if (row > first) {
      stroke(state, y, yOf(row));
      y = yOf(row);
    }
    state = next;
  }
  stroke(state, y, yOf(last + 1));
  pen.setLineDash([]);
};

const arrow = (pen, x, y, toX, toY, colour, weight, lost) => {
  pen.strokeStyle = pen.fillStyle = colour;
  pen.lineWidth = weight;
  pen.setLineDash(lost ? [5, 3] : []);
  if (lost) {
    toX = x + (toX - x) * 0.7;
  }
  line(pen, x, y, toX, toY);
  pen.setLineDash([]);
  if (lost) {
    line(pen, toX - 5, toY - 5, toX + 5, toY + 5);
    line(pen, toX - 5, toY + 5, toX + 5, toY - 5);
    return;
  }
  const angle = Math.atan2(toY - y, toX - x);
  pen.beginPath();
  pen.moveTo(toX, toY);
  for (const side of [-0.4, 0.4]) {
    pen.lineTo(toX - 9 * Math.cos(angle + side), toY - 9 * Math.sin(angle + side));
  }
  pen.fill();
};

const mark = (pen, kind, x, y) => {
  pen.fillStyle = pen.strokeStyle = colours[CLASSES[kind]];
  pen.lineWidth = 2.5;
  pen.beginPath();
  if (kind === CHOICE) {
    pen.moveTo(x, y - 7);
    pen.lineTo(x + 7, y);
    pen.lineTo(x, y + 7);
    pen.lineTo(x - 7, y);
    pen.fill();
  } else if (kind === FAULT || kind === FAILURE) {
    line(pen, x - 6, y - 6, x + 6, y + 6);
    line(pen, x - 6, y + 6, x + 6, y - 6);
  } else {
    pen.arc(x, y, kind === LIFE ? 3 : 4, 0, 7);
    pen.fill();
  }
};

// Draws the rows from `first` to `last`. Arrows that only cross them are found by blocks.
const drawArrows = (canvas, { first, last, top, width, height, xOf, related }) => {
  const pen = prepared(canvas, width, height);
  const yOf = (row) => (row + 0.5) * ROW - top;
  for (const lane of lanesInUse) lifeline(pen, lane, xOf(lane), first, last, yOf);
  const draw = (row) => {
    const event = view.rows[row];
    if (event < 0) return;
    const kind = events.kind[event];
    if (isMessage(kind)) {
      const lost = kind !== MESSAGE, told = related.has(event);
      pen.globalAlpha = related.size && !told ? 0.25 : 1;
      arrow(pen, xOf(events.from[event]), yOf(view.sent[row]), xOf(events.lane[event]), yOf(row),
        lost ? colours.lost : colours.message, told ? 3 : 1.5, lost);
      pen.globalAlpha = 1;
    } else {
      mark(pen, kind, xOf(events.lane[event]), yOf(row));
    }
  };
  for (let row = last + 1; row < view.rows.length;) {
    const block = Math.floor(row / BLOCK), end = Math.min((block + 1) * BLOCK, view.rows.length);
    if (view.early[block] <= last) {
      for (let i = row; i < end; i++) if (view.sent[i] <= last) draw(i);
    }
    row = end;
  }
  for (let row = first; row <= last; row++) draw(row);
};

// The overview: risk, faults and choices over the rows, and the part that is in view.
const drawOverview = (canvas, { first, last }) => {
  const width = canvas.clientWidth, height = 64, rows = Math.max(1, view.rows.length);
  const pen = prepared(canvas, width, height);
  const xOf = (row) => 4 + (row / rows) * (width - 8);
  const base = height - 14, yOf = (share) => base - share * (base - 8);
  pen.fillStyle = colours.soft;
  pen.font = '10px system-ui, sans-serif';
  if (data.risk.length) {
    const points = data.risk.map(([at, failed, of]) =>
      [xOf(firstAt(rows, (row) => view.at[row], at)), of ? failed / of : 0]);
    pen.beginPath();
    pen.moveTo(points[0][0], base);
    points.forEach(([x, share], i) => {
      pen.lineTo(x, yOf(share));
      pen.lineTo(i + 1 < points.length ? points[i + 1][0] : width - 4, yOf(share));
    });
    pen.lineTo(width - 4, base);
    pen.fillStyle = `rgba(${colours.risk}, 0.25)`;
    pen.fill();
    pen.strokeStyle = `rgb(${colours.risk})`;
    pen.lineWidth = 1.5;
    pen.stroke();
    pen.fillStyle = colours.soft;
    pen.fillText('share of fresh seeds that fail from here on: 0 to 100 %', 8, 12);
  } else {
    pen.fillText('overview: faults, choices and failures', 8, 12);
  }
  let before = -1;
  view.rows.forEach((event, row) => {
    if (event < 0) return;
    const kind = events.kind[event];
    const told = kind === CHOICE || kind === FAULT || kind === FAILURE || kind >= LOST;
    const x = Math.round(xOf(row));
    if (!told || (x === before && kind !== FAILURE && kind !== CHOICE)) return;
    before = x;
    pen.fillStyle = colours[CLASSES[kind]];
    pen.fillRect(x - 1, base, 2.5, 12);
  });
  pen.fillStyle = `color-mix(in srgb, ${colours.focus} 12%, transparent)`;
  pen.strokeStyle = colours.focus;
  pen.lineWidth = 1;
  const from = xOf(first), to = Math.max(xOf(last + 1), from + 3);
  pen.fillRect(from, 1, to - from, height - 2);
  pen.strokeRect(from, 1, to - from, height - 2);
};
