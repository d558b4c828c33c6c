// The one dialog: the checklist, renaming, deleting, a picture in full size, a result to watch.

import { byId } from "../dom.js";
import { ask, at } from "./api.js";
import { field, h, set, stem } from "./elements.js";
import { TEXTS, sizeInWords } from "./texts.js";

const dialog = () => byId("dialog");

// onClose() when it was closed, before its content goes.
export function open(title, content, buttons, kind = "", onClose = () => {}) {
  const heading = h("h2", { id: "dialog-title", text: title });
  const element = dialog();
  set(element, "aria-labelledby", "dialog-title");
  element.className = kind;
  element.replaceChildren(heading, ...content, h("div", { class: "buttons end" }, ...buttons));
  element.showModal();
  element.oncancel = null;
  element.onclose = () => {
    onClose();
    element.replaceChildren(); // videos stop
  };
}

export const closing = (text = TEXTS.close, kind = "secondary") =>
  h("button", { type: "button", class: kind, text, on: { click: () => dialog().close() } });

export function checklist() {
  const items = TEXTS.checklist.map(([what, how]) => h("li", {}, h("strong", { text: what }), ` ${how}`));
  return h("ul", { class: "checklist" }, ...items);
}

export function showChecklist() {
  open(TEXTS.checklistTitle, [h("p", { text: TEXTS.checklistIntro }), checklist()], [closing(TEXTS.close, "main")]);
}

export function showPicture(source, text) {
  open(text, [h("img", { src: source, alt: text })], [closing()], "wide");
}

export function showContent(title, element, buttons) {
  open(title, [element], [...buttons, closing()], "wide");
}

// kind: "people", "dances" or "results"; done(id) is told the new name.
export function rename(kind, id, done, fail) {
  const input = h("input", { type: "text", maxlength: 200, required: true, value: kind === "people" ? id : stem(id) });
  const form = h("form", { method: "dialog" }, field(TEXTS.newName, input));
  const save = h("button", { type: "submit", class: "main", text: TEXTS.rename });
  const buttons = h("div", { class: "buttons end" }, save, closing(TEXTS.cancel));
  form.append(buttons);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      const answer = await ask("PATCH", at(kind, id), { name: input.value });
      dialog().close();
      done(answer.id);
    } catch (error) {
      dialog().close();
      fail(error);
    }
  });
  open(TEXTS.renameTitle(id), [form], []);
  input.select();
}

const REMOVES = { people: TEXTS.removePerson, dances: TEXTS.removeDance, results: TEXTS.removeResult };

export async function remove(kind, id, fail) {
  try {
    const found = await ask("GET", at(kind, id, "deletion"));
    const button = h("button", { type: "button", class: "danger", text: TEXTS.remove });
    button.addEventListener("click", async () => {
      button.disabled = true;
      try {
        await ask("DELETE", at(kind, id));
      } catch (error) {
        fail(error);
      }
      dialog().close();
    });
    const content = [
      h("p", { text: REMOVES[kind] }),
      h("p", { class: "soft", text: TEXTS.removeCount(found.files, sizeInWords(found.size)) }),
      found.stays.length ? h("p", { class: "soft", text: TEXTS.removeStays(found.stays) }) : null,
    ].filter(Boolean);
    const cancel = closing(TEXTS.cancel);
    set(cancel, "autofocus", true);
    open(TEXTS.removeTitle(id), content, [button, cancel]);
  } catch (error) {
    fail(error);
  }
}
