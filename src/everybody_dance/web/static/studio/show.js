// Live: starts the show of `dance live`, which has a page of its own.

import { setText, show } from "../dom.js";
import { ask, at } from "./api.js";
import { Performers } from "./choices.js";
import { field, h, set } from "./elements.js";
import { UNFINISHED, jobsOf } from "./store.js";
import { TEXTS } from "./texts.js";

const BROWSER = "browser";

export class LiveSection {
  constructor(section, { go, act }) {
    this.empty = h(
      "div",
      { class: "nothing" },
      h("p", { text: TEXTS.danceEmpty }),
      h("button", { type: "button", class: "main", text: TEXTS.toPeople, on: { click: () => go("people") } }),
    );
    this.performers = new Performers(TEXTS.performer, "live-performer");
    const radio = (value, checked) => h("input", { type: "radio", name: "camera", value, checked });
    this.number = h("input", { type: "number", min: 0, max: 99, value: 0, class: "short", "aria-label": TEXTS.cameraComputer });
    this.browser = radio(BROWSER, true);
    this.computer = radio("computer", false);
    const cameras = h(
      "fieldset",
      {},
      h("legend", { text: TEXTS.camera }),
      h("label", { class: "check" }, this.browser, h("span", { text: TEXTS.cameraBrowser })),
      h("label", { class: "check" }, this.computer, h("span", { text: TEXTS.cameraComputer }), this.number),
    );
    this.number.addEventListener("focus", () => (this.computer.checked = true));
    this.start = h("button", { type: "button", class: "main", text: TEXTS.startShow });
    this.start.addEventListener("click", () => {
      const camera = this.browser.checked ? BROWSER : String(Number(this.number.value));
      act(ask("POST", at("people", this.performers.value, "live"), { camera }));
    });
    this.stop = h("button", { type: "button", class: "secondary", text: TEXTS.stopShow, on: { click: () => act(ask("DELETE", "/live")) } });
    this.open = h("a", { class: "button main", text: TEXTS.openShow, target: "_blank", rel: "noreferrer" });
    this.text = h("p", { role: "status" });
    this.busy = h("p", { class: "soft", text: TEXTS.liveBusy });
    this.card = h(
      "div",
      { class: "card form" },
      h("h2", { text: TEXTS.liveTitle }),
      h("p", { text: TEXTS.liveMore }),
      this.performers.element,
      cameras,
      this.busy,
      h("div", { class: "buttons" }, this.start, this.open, this.stop),
      this.text,
    );
    section.append(this.empty, this.card);
  }

  choose(person) {
    if (person) this.performers.choose(person);
  }

  tell(state) {
    const who = this.performers.tell(state);
    show(this.empty, who.length === 0);
    show(this.card, who.length > 0);
    show(this.busy, jobsOf(state, (job) => job.kind === "train" && job.state === "running").length > 0);
    const live = state.live.live;
    const running = live?.state === "running";
    const starting = live?.state === "starting";
    show(this.start, !running && !starting);
    show(this.open, running);
    show(this.stop, running || starting);
    set(this.open, "href", running ? live.address : null);
    const texts = {
      starting: TEXTS.showStarting,
      running: running ? TEXTS.showRunning(live.person) : "",
      ended: TEXTS.showEnded,
      failed: live?.error ?? "",
    };
    setText(this.text, live ? texts[live.state] : "");
    this.text.classList.toggle("failed", live?.state === "failed");
  }
}
