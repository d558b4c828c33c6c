// Where a dance lands: three sliders, and the outline of the whole dance in the preview, which can be dragged.

import { setText } from "../dom.js";
import { field, h, set } from "./elements.js";
import { TEXTS } from "./texts.js";

// In percent: of the fitted size, of the picture's width and of its height.
const RANGES = { scale: [50, 200, 100], shift: [-50, 50, 0], floor: [-50, 50, 0] };

const svg = (tag, properties = {}) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(properties)) set(element, name, value);
  return element;
};

export class Landing {
  // onChange() when a value has been chosen, not while a slider or the outline is still moving.
  constructor(onChange) {
    this.onChange = onChange;
    this.sliders = {};
    this.words = {};
    this.outline = new Outline((shift, floor) => this.move({ shift, floor }), onChange);
    const fields = Object.entries(RANGES).map(([name, [min, max, value]]) => {
      const on = { input: () => this.draw(), change: onChange };
      const slider = (this.sliders[name] = h("input", { type: "range", min, max, value, on }));
      this.words[name] = h("small", { class: "soft", "aria-hidden": "true" }); // the slider says it itself
      return field(TEXTS.landings[name], slider, this.words[name]);
    });
    const reset = h("button", { type: "button", class: "secondary small", text: TEXTS.resetLanding });
    reset.addEventListener("click", () => {
      this.reset();
      onChange();
    });
    this.element = h(
      "fieldset",
      { class: "placing" },
      h("legend", { text: TEXTS.where }),
      h("div", { class: "fields" }, ...fields),
      h("div", { class: "row" }, reset),
      h("p", { class: "soft", text: TEXTS.whereMore }),
    );
    this.reset();
  }

  // As the API takes it.
  get value() {
    return Object.fromEntries(Object.entries(this.sliders).map(([name, slider]) => [name, slider.valueAsNumber / 100]));
  }

  // Values as of `value`; what is out of a slider's range ends there.
  move(values) {
    for (const [name, value] of Object.entries(values)) this.sliders[name].value = Math.round(100 * value);
    this.draw();
  }

  reset() {
    for (const [name, [, , value]] of Object.entries(RANGES)) this.sliders[name].value = value;
    this.draw();
  }

  // The preview that is shown, a job that is done; or nothing.
  tell(job) {
    this.outline.tell(job?.fitted ? job : null);
    this.draw();
  }

  draw() {
    for (const [name, slider] of Object.entries(this.sliders)) {
      const words = TEXTS.landingWords[name](slider.valueAsNumber);
      set(slider, "aria-valuetext", words);
      setText(this.words[name], words);
    }
    this.outline.draw(this.value);
  }
}

// Laid over the preview's video. The video keeps its shape in its element as the view box does in this one.
class Outline {
  constructor(onMove, onMoved) {
    this.onMove = onMove;
    this.element = svg("svg", { class: "outline", "aria-hidden": "true" });
    this.element.addEventListener("pointerdown", (event) => this.begin(event));
    this.element.addEventListener("pointermove", (event) => this.drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      this.element.addEventListener(end, (event) => {
        if (event.pointerId !== this.held?.pointer) return;
        this.held = null;
        onMoved();
      });
    }
    this.boxes = [];
  }

  tell(job) {
    if (job?.id === this.job?.id) return;
    this.job = job;
    this.held = null;
    this.boxes = [];
    this.element.replaceChildren();
    if (!job) return;
    const [width, height] = job.fitted.size;
    set(this.element, "viewBox", `0 0 ${width * job.pictures} ${height}`);
    // The first picture is the source's. Each of the others hides what reaches into its neighbour.
    for (let picture = 1; picture < job.pictures; picture += 1) {
      const frame = svg("svg", { x: picture * width, y: 0, width, height });
      const box = svg("rect", { rx: 0.02 * height });
      frame.append(box);
      this.element.append(frame);
      this.boxes.push(box);
    }
  }

  // The same similarity as the program's: about the feet, and then moved.
  draw({ scale, shift, floor }) {
    this.value = { shift, floor };
    if (!this.job) return;
    const { size, box, feet } = this.job.fitted;
    const [left, top, right, bottom] = box.map(
      (at, index) => feet[index % 2] + scale * (at - feet[index % 2]) + size[index % 2] * [shift, floor][index % 2],
    );
    for (const drawn of this.boxes) {
      for (const [name, value] of Object.entries({ x: left, y: top, width: right - left, height: bottom - top })) {
        set(drawn, name, value.toFixed(1));
      }
    }
  }

  begin(event) {
    if (event.button !== 0 || this.held) return;
    event.preventDefault();
    this.element.setPointerCapture(event.pointerId);
    // Pixels of the page for one of the picture's, as they are now.
    const pixels = this.element.getScreenCTM().a;
    this.held = { pointer: event.pointerId, x: event.clientX, y: event.clientY, pixels, ...this.value };
  }

  drag(event) {
    if (event.pointerId !== this.held?.pointer) return;
    const { x, y, pixels, shift, floor } = this.held;
    const [width, height] = this.job.fitted.size;
    this.onMove(shift + (event.clientX - x) / (pixels * width), floor + (event.clientY - y) / (pixels * height));
  }
}
