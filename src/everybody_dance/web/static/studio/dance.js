// Dance: who, what and how; where it lands; the result.

import { announce, setText, show } from "../dom.js";
import { ask, at } from "./api.js";
import { Dances, Performers } from "./choices.js";
import { DropZone, UploadBox } from "./drop.js";
import { field, h, options, set } from "./elements.js";
import { JobBox } from "./jobs.js";
import { Landing } from "./landing.js";
import { Player } from "./player.js";
import { UNFINISHED, jobsOf } from "./store.js";
import { TEXTS } from "./texts.js";

const OWN = "own", COLOUR = "colour", NONE = "none";

export class Dance {
  constructor(section, { go, act }) {
    this.act = act;
    const changed = () => this.changed();
    this.empty = h(
      "div",
      { class: "nothing" },
      h("p", { text: TEXTS.danceEmpty }),
      h("button", { type: "button", class: "main", text: TEXTS.toPeople, on: { click: () => go("people") } }),
    );
    this.performers = new Performers(TEXTS.performer, "dance-performer", changed);
    this.dances = new Dances(TEXTS.whichDance, "dance-dance", changed);
    this.drop = new DropZone(TEXTS.dropDance, TEXTS.dropDanceMore, "video/*,.mkv,.avi,.ts,.mts", (file) => this.add(file));
    this.upload = new UploadBox();
    this.dances.element.append(this.drop.element, this.upload.element);

    const select = (entries) => {
      const element = options(h("select"), entries);
      element.addEventListener("change", changed);
      return element;
    };
    this.who = select(["largest", "left", "centre", "right"].map((who) => [who, TEXTS[who]]));
    this.background = select([[OWN, TEXTS.ownPlace], [COLOUR, TEXTS.colour], [NONE, TEXTS.transparent]]);
    this.colour = h("input", { type: "color", value: "#00b140", "aria-label": TEXTS.colour, on: { change: changed } });
    this.smoothing = select(Object.entries(TEXTS.smoothings));
    this.compare = h("input", { type: "checkbox", checked: true, on: { change: changed } });
    this.onlyPlace = h("small", { class: "soft", text: TEXTS.onlyOwnPlace });
    const background = field(TEXTS.background, this.background, this.onlyPlace);
    background.append(this.colour);
    const how = h(
      "fieldset",
      {},
      h("legend", { text: TEXTS.how }),
      h("div", { class: "fields" }, field(TEXTS.follow, this.who), background, field(TEXTS.smoothing, this.smoothing)),
      h("label", { class: "check" }, this.compare, h("span", { text: TEXTS.compare })),
    );

    this.place = new Landing(changed);
    this.land = h("button", { type: "button", class: "secondary", text: TEXTS.land, on: { click: () => this.ask("/results/landing") } });
    this.make = h("button", { type: "button", class: "main", text: TEXTS.make, on: { click: () => this.ask("/results") } });
    this.hint = h("p", { class: "soft", text: TEXTS.chooseBoth });
    this.command = new CommandLine();
    this.form = h(
      "div",
      { class: "card form" },
      this.performers.element,
      this.dances.element,
      how,
      this.place.element,
      h("div", { class: "buttons" }, this.make, this.land),
      this.hint,
      this.command.element,
    );

    this.jobs = { transfer: new JobBox(act, { titled: true }), preview: new JobBox(act, { titled: true }) };
    this.stageEmpty = h("p", { class: "nothing", text: TEXTS.stageEmpty });
    this.landing = h("video", { controls: true, loop: true, playsinline: true, "aria-label": TEXTS.landing });
    this.landing.muted = true;
    this.landing.autoplay = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.landingBox = h(
      "div",
      { class: "landing" },
      h("h3", { text: TEXTS.landing }),
      h("div", { class: "picture" }, this.landing, this.place.outline.element),
      h("p", { class: "soft", text: TEXTS.landingMore }),
    );
    this.player = new Player();
    this.stage = h(
      "div",
      { class: "card stage" },
      this.jobs.transfer.element,
      this.jobs.preview.element,
      this.stageEmpty,
      this.player.element,
      this.landingBox,
    );
    this.columns = h("div", { class: "columns" }, this.form, this.stage);
    section.append(this.empty, this.columns);
  }

  choose(person) {
    if (person) this.performers.choose(person);
    this.changed();
  }

  body() {
    const { value } = this.background;
    return {
      person: this.performers.value,
      dance: this.dances.value,
      who: this.who.value,
      background: value === COLOUR ? this.colour.value : value === NONE ? "none" : null,
      smoothing: this.smoothing.value,
      compare: this.compare.checked,
      ...this.place.value,
    };
  }

  ask(path) {
    this.act(ask("POST", path, this.body()));
  }

  async add(file) {
    show(this.drop.element, false);
    try {
      const made = await this.upload.run(file, (upload) => ask("POST", "/dances", { upload }));
      if (made) {
        this.wanted = made.id;
        announce(made.id);
        this.changed();
      }
    } catch (error) {
      this.act(Promise.reject(error));
    }
    show(this.drop.element, true);
  }

  changed() {
    if (this.state) this.tell(this.state);
    this.tellCommand();
  }

  async tellCommand() {
    const ready = Boolean(this.performers.value && this.dances.value);
    show(this.command.element, ready);
    const body = JSON.stringify(this.body());
    if (!ready || body === this.asked) return;
    this.asked = body;
    try {
      const { command } = await ask("POST", "/results/command", JSON.parse(body));
      if (body === this.asked) this.command.tell(command);
    } catch {
      this.asked = null; // what was chosen has gone; the next change asks again
    }
  }

  tell(state) {
    this.state = state;
    const who = this.performers.tell(state);
    this.dances.tell(state);
    if (this.wanted in state.dances) {
      this.dances.choose(this.wanted);
      this.wanted = null;
    }
    show(this.empty, who.length === 0);
    show(this.columns, who.length > 0);
    const person = state.people[this.performers.value];
    const dance = state.dances[this.dances.value];
    const free = person?.trained?.can_be_cut_out ?? true;
    if (!free) this.background.value = OWN;
    this.background.disabled = !free;
    show(this.onlyPlace, !free);
    show(this.colour, this.background.value === COLOUR);
    const pair = JSON.stringify([person?.id, dance?.id]);
    if (pair !== this.pair) this.place.reset(); // what was chosen was right for another pair
    this.pair = pair;
    const ready = Boolean(person && dance);
    for (const button of [this.make, this.land]) button.disabled = !ready;
    show(this.hint, !ready);
    this.tellStage(state, person, dance);
    this.tellCommand();
  }

  tellStage(state, person, dance) {
    const ofPair = (kind) =>
      jobsOf(state, (job) => job.kind === kind && job.person === person?.id && job.dance === dance?.id);
    for (const [kind, box] of Object.entries(this.jobs)) {
      const under = ofPair(kind).find((job) => UNFINISHED.includes(job.state));
      const newest = ofPair(kind)[0];
      box.tell(under ?? (newest?.state === "failed" ? newest : null));
    }
    const landed = ofPair("preview").find((job) => job.state === "done");
    show(this.landingBox, Boolean(landed));
    this.place.tell(landed);
    if (landed) set(this.landing, "src", `/api${at("jobs", String(landed.id), "landing")}`);
    else this.landing.removeAttribute("src");
    const [result] = Object.values(state.results)
      .filter((one) => one.person === person?.id && one.dance === dance?.id)
      .sort((one, other) => other.picture - one.picture);
    show(this.player.element, Boolean(result));
    if (result) this.player.tell(result, dance);
    else this.player.result.pause();
    const nothing = !landed && !result && Object.values(this.jobs).every((box) => !box.job);
    show(this.stageEmpty, nothing);
  }
}

export class CommandLine {
  constructor() {
    this.code = h("code");
    this.copy = h("button", { type: "button", class: "secondary small", text: TEXTS.copy });
    this.copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(this.code.textContent);
      setText(this.copy, TEXTS.copied);
      announce(TEXTS.copied);
      setTimeout(() => setText(this.copy, TEXTS.copy), 2000);
    });
    // Browsers give the clipboard to pages on localhost and over HTTPS only.
    show(this.copy, Boolean(navigator.clipboard));
    this.element = h(
      "details",
      { class: "command" },
      h("summary", { text: TEXTS.commandTitle }),
      h("div", {}, h("pre", {}, this.code), this.copy),
    );
  }

  tell(command) {
    setText(this.code, command);
  }
}
