// How fast the show is, and what its stages take.

import { byId, setText } from "./dom.js";
import { STAGES, TEXTS } from "./texts.js";

const PAUSE = 300; // ms between changes: numbers that flicker cannot be read

export class Numbers {
  constructor() {
    this.rows = new Map();
    this.told = 0;
  }

  tell(status) {
    const now = performance.now();
    if (now - this.told < PAUSE) return;
    this.told = now;
    setText(byId("rate-short"), status.rate === null ? "" : TEXTS.rateShort(status.rate));
    const values = {
      rate: status.rate?.toFixed(1),
      latency: milliseconds(status.latency[0]),
      "latency-most": milliseconds(status.latency[1]),
      dropped: TEXTS.droppedOf(status.dropped, status.frames),
      from: status.camera,
      size: status.size.join(" × "),
    };
    for (const [name, value] of Object.entries(values)) setText(byId(`number-${name}`), value ?? "–");
    this.bars(status.stages);
  }

  bars(stages) {
    const longest = Math.max(...Object.values(stages), 1);
    for (const [name, value] of Object.entries(stages)) {
      const row = this.rows.get(name) ?? this.row(name);
      row.bar.style.width = `${(100 * value) / longest}%`;
      setText(row.value, milliseconds(value));
    }
    for (const [name, row] of this.rows) row.element.hidden = !(name in stages);
  }

  row(name) {
    const element = document.createElement("li");
    const [label, value, track, bar] = ["span", "span", "div", "div"].map((tag) => document.createElement(tag));
    label.textContent = STAGES[name] ?? name;
    value.className = "value";
    track.className = "track";
    bar.className = "bar";
    track.append(bar);
    element.append(label, value, track);
    byId("stages").append(element);
    const row = { element, value, bar };
    this.rows.set(name, row);
    return row;
  }
}

function milliseconds(value) {
  return value === null ? "–" : TEXTS.milliseconds(value);
}
