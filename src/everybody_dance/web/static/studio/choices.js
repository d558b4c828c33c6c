// Cards with pictures, of which one is chosen: who dances, and what.

import { setText, show } from "../dom.js";
import { pictureOf } from "./api.js";
import { h, icon, keep, radioCard, set, stem } from "./elements.js";
import { TEXTS } from "./texts.js";

class Choices {
  constructor(kind, title, name, onChange) {
    this.value = null;
    this.name = name;
    this.onChange = onChange;
    this.cards = h("div", { class: `picks ${kind}` });
    this.element = h("fieldset", {}, h("legend", { text: title }), this.cards);
  }

  choose(value) {
    this.value = value;
    for (const [key, card] of this.cards.kept ?? []) card.input.checked = key === value;
  }

  // entries: [[id, item], ...]; the first is chosen if what was chosen is not there.
  keep(entries, draw) {
    keep(
      this.cards,
      entries,
      (id) =>
        radioCard(this.name, id, () => {
          this.value = id;
          this.onChange();
        }),
      (card, item) => draw(card, item),
    );
    const there = entries.some(([id]) => id === this.value);
    this.choose(there ? this.value : (entries[0]?.[0] ?? null));
  }
}

// name: of the radio group, which must be its own.
export class Performers extends Choices {
  constructor(title, name, onChange = () => {}) {
    super("performers", title, name, onChange);
  }

  tell(state) {
    const who = Object.values(state.people).filter((person) => person.trained?.can_dance);
    this.keep(
      who.map((person) => [person.id, person]),
      (card, person) => {
        setText(card.name, person.id);
        setText(card.more, TEXTS.trainedFor(person.trained.minutes, person.trained.steps));
        show(card.picture, person.portrait > 0);
        set(card.picture, "src", person.portrait > 0 ? pictureOf("people", person.id, "portrait", person.portrait) : null);
        if (!card.querySelector("svg")) card.querySelector(".frame").prepend(icon("people"));
      },
    );
    return who;
  }
}

export class Dances extends Choices {
  constructor(title, name, onChange) {
    super("dances", title, name, onChange);
  }

  tell(state) {
    this.keep(
      Object.values(state.dances).map((dance) => [dance.id, dance]),
      (card, dance) => {
        setText(card.name, stem(dance.id));
        setText(card.more, dance.width ? TEXTS.danceFacts(dance.seconds, dance.width, dance.height) : "");
        set(card.picture, "src", pictureOf("dances", dance.id, "picture", dance.picture));
      },
    );
  }
}
