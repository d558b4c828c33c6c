// A result next to its source, in step; the result has the sound.

import { setText, show } from "../dom.js";
import { at } from "./api.js";
import { h, set } from "./elements.js";
import { TEXTS } from "./texts.js";

const APART = 0.12; // seconds that the two may differ

export class Player {
  constructor() {
    this.result = h("video", { playsinline: true, controls: true, preload: "auto", "aria-label": TEXTS.result });
    this.source = h("video", { playsinline: true, preload: "auto", "aria-label": TEXTS.source });
    this.source.muted = true;
    this.note = h("p", { class: "soft", text: TEXTS.sourceUnplayable, hidden: true });
    this.toggle = h("button", { type: "button", class: "secondary", text: TEXTS.play });
    this.beside = h("button", { type: "button", class: "secondary", text: TEXTS.sideBySide, "aria-pressed": "false" });
    this.download = h("a", { class: "button main", text: TEXTS.download });
    this.downloadComparison = h("a", { class: "button secondary", text: TEXTS.downloadComparison });
    this.left = h("figure", {}, this.source, h("figcaption", { text: TEXTS.source }));
    this.right = h("figure", {}, this.result, h("figcaption", { text: TEXTS.result }));
    this.element = h(
      "div",
      { class: "player" },
      h("div", { class: "pair" }, this.left, this.right),
      this.note,
      h("div", { class: "buttons" }, this.toggle, this.beside, this.download, this.downloadComparison),
      h("p", { class: "soft", text: TEXTS.madeBy }),
    );
    const { result, source } = this;
    const follow = () => {
      if (Math.abs(source.currentTime - result.currentTime) > APART) source.currentTime = result.currentTime;
    };
    result.addEventListener("play", () => {
      follow();
      source.play().catch(() => {}); // it cannot be played, which the note says
      setText(this.toggle, TEXTS.pausePlaying);
    });
    result.addEventListener("pause", () => {
      source.pause();
      follow();
      setText(this.toggle, TEXTS.play);
    });
    result.addEventListener("seeked", follow);
    result.addEventListener("timeupdate", follow);
    result.addEventListener("ratechange", () => (source.playbackRate = result.playbackRate));
    source.addEventListener("error", () => this.lacksSource());
    this.toggle.addEventListener("click", () => (result.paused ? result.play() : result.pause()));
    this.beside.addEventListener("click", () => this.compare(this.beside.getAttribute("aria-pressed") !== "true"));
  }

  // A result, and the dance if it is still here.
  tell(result, dance) {
    const key = `${result.id} ${result.picture} ${dance?.id}`;
    if (this.key === key) return;
    this.key = key;
    this.shown = result;
    this.hasSource = Boolean(dance);
    show(this.note, false);
    show(this.beside, result.comparison);
    show(this.downloadComparison, result.comparison);
    set(this.download, "href", `/api${at("results", result.id, "video")}?download=true`);
    set(this.downloadComparison, "href", `/api${at("results", result.id, "comparison")}?download=true`);
    if (dance) set(this.source, "src", `/api${at("dances", dance.id, "video")}`);
    else this.source.removeAttribute("src");
    this.compare(false);
  }

  compare(on) {
    const { id, picture } = this.shown;
    set(this.beside, "aria-pressed", String(on));
    set(this.result, "src", `/api${at("results", id, on ? "comparison" : "video")}?v=${picture}`);
    show(this.left, this.hasSource && !on);
    this.element.classList.toggle("alone", !this.hasSource || on);
  }

  lacksSource() {
    if (!this.source.getAttribute("src")) return;
    this.hasSource = false;
    show(this.left, false);
    show(this.note, true);
    this.element.classList.add("alone");
  }
}
