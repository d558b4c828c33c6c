// A place to drop a file on, or to choose one by; and an upload with its progress.

import { announce, setText, show } from "../dom.js";
import { h, icon, set } from "./elements.js";
import { TEXTS, sizeInWords } from "./texts.js";
import { upload } from "./upload.js";

export class DropZone {
  // onFile(file) when one was dropped or chosen.
  constructor(title, more, accept, onFile) {
    this.input = h("input", { type: "file", accept, class: "unseen", tabindex: "-1", "aria-hidden": "true" });
    this.button = h("button", { type: "button", class: "secondary", text: TEXTS.choose });
    this.element = h(
      "div",
      { class: "drop" },
      icon("upload"),
      h("strong", { text: title }),
      more && h("span", { text: more }),
      (this.ways = h("div", { class: "buttons" }, this.button)),
      this.input,
    );
    set(this.button, "aria-label", `${TEXTS.choose}: ${title}`);
    this.button.addEventListener("click", () => this.input.click());
    this.input.addEventListener("change", () => {
      const [file] = this.input.files;
      this.input.value = ""; // the same file can be chosen again
      if (file) onFile(file);
    });
    let inside = 0;
    const over = (by) => {
      inside = Math.max(0, inside + by);
      this.element.classList.toggle("over", inside > 0);
    };
    this.element.addEventListener("dragenter", (event) => {
      event.preventDefault();
      over(1);
    });
    this.element.addEventListener("dragleave", () => over(-1));
    this.element.addEventListener("dragover", (event) => event.preventDefault());
    this.element.addEventListener("drop", (event) => {
      event.preventDefault();
      over(-inside);
      const [file] = event.dataTransfer.files;
      if (file) onFile(file);
    });
  }

  // Another way to get a file: its button.
  offer(button) {
    this.ways.append(button);
  }
}

export class UploadBox {
  constructor() {
    this.title = h("strong");
    this.bar = h("progress", { max: 1, value: 0 });
    this.text = h("span", { class: "soft" });
    this.cancel = h("button", { type: "button", class: "quiet", text: TEXTS.cancel });
    this.cancel.addEventListener("click", () => this.giveUp?.abort());
    this.element = h("div", { class: "uploading", hidden: true }, this.title, this.bar, this.text, this.cancel);
  }

  get busy() {
    return Boolean(this.giveUp);
  }

  // Uploads a file and gives its id to then(); returns what that does. Null where it was given up.
  async run(file, then) {
    this.giveUp = new AbortController();
    setText(this.title, file.name);
    set(this.bar, "aria-label", `${TEXTS.uploading} ${file.name}`);
    show(this.element, true);
    show(this.cancel, true);
    announce(`${TEXTS.uploading} ${file.name}`);
    try {
      const id = await upload(
        file,
        (done, sentence) => {
          this.bar.value = done / file.size;
          setText(this.text, sentence ?? TEXTS.uploaded(sizeInWords(done), sizeInWords(file.size)));
        },
        this.giveUp.signal,
      );
      this.bar.removeAttribute("value"); // nobody knows how long
      setText(this.text, TEXTS.checking);
      show(this.cancel, false);
      return await then(id);
    } catch (error) {
      if (error.name === "AbortError") return null;
      throw error;
    } finally {
      this.giveUp = null;
      show(this.element, false);
    }
  }
}
