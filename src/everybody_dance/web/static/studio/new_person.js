// A new person: filmed or dropped, named, uploaded and prepared.

import { setText, show } from "../dom.js";
import { ask } from "./api.js";
import { showChecklist } from "./dialogs.js";
import { DropZone, UploadBox } from "./drop.js";
import { field, h, options } from "./elements.js";
import { Filming } from "./film.js";
import { TEXTS } from "./texts.js";

const VIDEO = "video/*,.mkv,.avi,.ts,.mts";
const WHO = ["largest", "left", "centre", "right"].map((who) => [who, TEXTS[who]]);

// A file's name without its ending, for a person.
const nameOf = (file) => file.name.replace(/\.[^.]*$/, "").replaceAll(/[_.]+/g, " ").trim();

export class NewPerson {
  // act(promise) shows what goes wrong; onMade(person) when there is a new one.
  constructor(act, onMade) {
    this.act = act;
    this.onMade = onMade;
    this.drop = new DropZone(TEXTS.dropPerson, TEXTS.dropMore, VIDEO, (file) => this.choose(file));
    this.filming = new Filming((file) => this.choose(file, ""));
    this.drop.offer(this.filming.button);
    this.name = h("input", { type: "text", maxlength: 200, required: true, autocomplete: "off" });
    this.who = options(h("select"), WHO);
    this.chosen = h("strong");
    this.upload = new UploadBox();
    const back = h("button", { type: "button", class: "secondary", text: TEXTS.back, on: { click: () => this.choose(null) } });
    this.form = h(
      "form",
      { class: "card form", hidden: true },
      this.chosen,
      field(TEXTS.name, this.name),
      field(TEXTS.who, this.who),
      h("div", { class: "buttons" }, h("button", { type: "submit", class: "main", text: TEXTS.uploadAndPrepare }), back),
    );
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.send();
    });
    const link = h("button", { type: "button", class: "link", text: TEXTS.checklistLink, on: { click: showChecklist } });
    this.title = h("h2", { text: TEXTS.welcome });
    this.text = h("p", { text: TEXTS.welcomeMore });
    this.element = h(
      "div",
      { class: "fresh" },
      this.title,
      this.text,
      this.drop.element,
      this.form,
      this.upload.element,
      h("p", { class: "soft" }, link, ` · ${TEXTS.consent}`),
    );
  }

  tell(empty) {
    setText(this.title, empty ? TEXTS.welcome : TEXTS.newPerson);
    show(this.text, empty);
  }

  // name: proposed for the person.
  choose(file, name = file && nameOf(file)) {
    this.file = file;
    show(this.form, Boolean(file));
    show(this.drop.element, !file);
    if (!file) return;
    setText(this.chosen, file.name);
    this.name.value = name;
    this.name.focus();
    this.name.select();
  }

  async send() {
    const { file } = this;
    const name = this.name.value;
    show(this.form, false);
    try {
      const made = await this.upload.run(file, (upload) =>
        ask("POST", "/people", { name, upload, who: this.who.value }),
      );
      this.choose(null);
      if (made) {
        this.filming.forget(file);
        this.made = made.person;
        this.onMade(made.person);
      }
    } catch (error) {
      this.choose(file, name);
      this.act(Promise.reject(error));
    }
  }
}
