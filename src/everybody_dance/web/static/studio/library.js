// The library: people, dances and results as pictures.

import { announce, byId, setText, show } from "../dom.js";
import { ask, at, pictureOf } from "./api.js";
import { remove, rename, showContent } from "./dialogs.js";
import { UploadBox } from "./drop.js";
import { h, icon, keep, set, stem } from "./elements.js";
import { stateOf } from "./people.js";
import { Player } from "./player.js";
import { TEXTS, sizeInWords } from "./texts.js";

export class Library {
  constructor(section, { go, act }) {
    this.go = go;
    this.act = act;
    this.fail = (error) => act(Promise.reject(error));
    this.upload = new UploadBox();
    this.input = h("input", { type: "file", accept: ".zip", class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    this.input.addEventListener("change", () => {
      const [file] = this.input.files;
      this.input.value = "";
      if (file) this.import(file);
    });
    const importButton = h("button", { type: "button", class: "secondary", text: TEXTS.importPerson });
    importButton.addEventListener("click", () => this.input.click());
    this.people = new Shelf("people", TEXTS.people, TEXTS.noPeople, this, importButton);
    this.dances = new Shelf("dances", TEXTS.dances, TEXTS.noDances, this);
    this.results = new Shelf("results", TEXTS.results, TEXTS.noResults, this);
    this.disk = h("p", { class: "soft" });
    section.append(
      this.results.element,
      this.people.element,
      this.upload.element,
      this.input,
      this.dances.element,
      this.disk,
    );
    const menu = byId("card-menu");
    menu.addEventListener("click", (event) => event.target.closest("button, a") && menu.hidePopover());
    menu.addEventListener("toggle", (event) => {
      if (event.newState === "open") menu.querySelector("button, a").focus();
      else set(this.opener, "aria-expanded", "false");
    });
  }

  async import(file) {
    const name = file.name.replace(/(\.performer)?\.zip$/i, "");
    try {
      const made = await this.upload.run(file, (upload) => ask("POST", "/people/import", { upload, name }));
      if (made) announce(made.id);
    } catch (error) {
      this.fail(error);
    }
  }

  watch(result) {
    const player = new Player();
    player.tell(result, this.state.dances[result.dance]);
    showContent(stem(result.id), player.element, []);
  }

  // The menu of a card, below its button.
  menu(button, kind, item) {
    const menu = byId("card-menu");
    const entry = (text, action) => h("button", { type: "button", class: "choice", text, on: { click: action } });
    const link = (text, href, more = {}) => h("a", { class: "choice", text, href, ...more });
    const entries = [];
    if (kind === "people") {
      entries.push(entry(TEXTS.open, () => this.go("people", item.id)));
      if (item.trained?.can_dance) {
        entries.push(entry(TEXTS.toDance, () => this.go("dance", item.id)));
        entries.push(entry(TEXTS.toLive, () => this.go("live", item.id)));
      }
      if (item.evaluation) {
        entries.push(link(TEXTS.openReport, `/api${at("people", item.id, "evaluation")}`, { target: "_blank" }));
      }
      if (item.trained?.can_dance) {
        entries.push(link(TEXTS.exportPerson, `/api${at("people", item.id, "export")}`, { download: true }));
      }
    }
    if (kind === "results") {
      entries.push(entry(TEXTS.watch, () => this.watch(item)));
      entries.push(link(TEXTS.download, `/api${at("results", item.id, "video")}?download=true`));
    }
    entries.push(entry(TEXTS.rename, () => rename(kind, item.id, announce, this.fail)));
    entries.push(entry(TEXTS.remove, () => remove(kind, item.id, this.fail)));
    menu.replaceChildren(...entries);
    set(menu, "aria-label", TEXTS.more(item.id));
    this.opener = button;
    set(button, "aria-expanded", "true");
    const box = button.getBoundingClientRect();
    menu.showPopover();
    const { width, height } = menu.getBoundingClientRect();
    const below = box.bottom + 6 + height < innerHeight;
    menu.style.left = `${Math.max(8, Math.min(box.right - width, innerWidth - width - 8))}px`;
    menu.style.top = `${below ? box.bottom + 6 : Math.max(8, box.top - 6 - height)}px`;
  }

  tell(state) {
    this.state = state;
    this.people.tell(
      Object.values(state.people),
      (person) => stateOf(state, person),
      (person) => person.portrait && pictureOf("people", person.id, "portrait", person.portrait),
    );
    this.dances.tell(
      Object.values(state.dances),
      (dance) => (dance.width ? TEXTS.danceFacts(dance.seconds, dance.width, dance.height) : ""),
      (dance) => pictureOf("dances", dance.id, "picture", dance.picture),
    );
    this.results.tell(
      Object.values(state.results).sort((one, other) => other.picture - one.picture),
      (result) => (result.person ? TEXTS.whoDancesWhat(result.person, stem(result.dance)) : ""),
      (result) => pictureOf("results", result.id, "picture", result.picture),
    );
    const disk = state.disk.disk;
    if (disk) setText(this.disk, TEXTS.free(sizeInWords(disk.free), disk.folder));
  }
}

class Shelf {
  constructor(kind, title, empty, library, ...buttons) {
    this.kind = kind;
    this.library = library;
    this.empty = h("p", { class: "soft", text: empty });
    this.cards = h("ul", { class: `shelf ${kind}` });
    this.element = h(
      "section",
      { "aria-label": title },
      h("div", { class: "heading" }, h("h2", { text: title }), ...buttons),
      this.empty,
      this.cards,
    );
  }

  tell(items, describe, picture) {
    show(this.empty, items.length === 0);
    keep(
      this.cards,
      items.map((item) => [item.id, item]),
      (id) => this.card(id),
      (card, item) => {
        card.item = item;
        setText(card.more, describe(item));
        const source = picture(item);
        show(card.picture, Boolean(source));
        set(card.picture, "src", source || null);
      },
    );
  }

  card(id) {
    const picture = h("img", { alt: "", loading: "lazy" });
    const more = h("small");
    const main = h("button", { type: "button", class: "cover", "aria-label": id });
    main.append(icon(this.kind === "people" ? "people" : "dance"), picture);
    const dots = h("button", { type: "button", class: "quiet dots", "aria-label": TEXTS.more(id), "aria-haspopup": "true", "aria-expanded": "false" });
    dots.append(icon("more"));
    const text = h("div", {}, h("strong", { text: this.kind === "people" ? id : stem(id) }), more);
    const card = h("li", {}, main, h("div", { class: "caption" }, text, dots));
    main.addEventListener("click", () => {
      if (this.kind === "people") this.library.go("people", id);
      else if (this.kind === "results") this.library.watch(card.item);
      else this.library.go("dance");
    });
    dots.addEventListener("click", () => this.library.menu(dots, this.kind, card.item));
    return Object.assign(card, { picture, more });
  }
}
