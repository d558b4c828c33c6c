// People: who there is, and for each of them footage, training and what now.

import { clock, setText, show } from "../dom.js";
import { ask, at, pictureOf } from "./api.js";
import { showPicture } from "./dialogs.js";
import { field, h, icon, keep, set } from "./elements.js";
import { JobBox } from "./jobs.js";
import { NewPerson } from "./new_person.js";
import { UNFINISHED, jobsOf } from "./store.js";
import { TEXTS } from "./texts.js";

const FIRST_MINUTES = 5;

// The job of a kind about a person that counts now: one that is under way, or else the last.
export function currentJob(state, person, ...kinds) {
  const jobs = jobsOf(state, (job) => job.person === person && kinds.includes(job.kind));
  return jobs.find((job) => UNFINISHED.includes(job.state)) ?? jobs[0] ?? null;
}

export function stateOf(state, person) {
  const job = jobsOf(state, (one) => one.person === person.id && UNFINISHED.includes(one.state))[0];
  if (job?.kind === "prepare") return TEXTS.personPreparing;
  if (job?.kind === "train") return job.state === "paused" ? TEXTS.states.paused : TEXTS.personTraining;
  if (person.trained?.can_dance) return TEXTS.personTrained;
  return person.prepared ? TEXTS.personPrepared : TEXTS.personNew;
}

export class People {
  // go(section, person) shows another section, act(promise) shows what goes wrong.
  constructor(section, { go, act }) {
    this.act = act;
    this.chosen = null; // null: the newest; "": a new one
    this.list = h("div", { class: "people-list", role: "group", "aria-label": TEXTS.people });
    this.add = h("button", { type: "button", class: "person add", on: { click: () => this.choose("") } });
    this.add.append(h("span", { class: "frame" }, icon("plus")), h("span", {}, h("strong", { text: TEXTS.newPerson })));
    this.fresh = new NewPerson(act, (person) => this.choose(person));
    this.detail = new Person(go, act);
    this.side = h("div", { class: "side" }, this.list, this.add);
    section.append(this.side, this.fresh.element, this.detail.element);
    this.section = section;
  }

  choose(person) {
    this.chosen = person;
    if (this.state) this.tell(this.state);
  }

  tell(state) {
    this.state = state;
    const people = Object.values(state.people);
    if (this.chosen && !state.people[this.chosen] && this.fresh.made !== this.chosen) this.chosen = null;
    if (this.chosen === null && people.length) {
      const last = jobsOf(state, (job) => job.person in state.people)[0];
      this.chosen = last?.person ?? people[0].id;
    }
    const person = state.people[this.chosen];
    const empty = people.length === 0;
    this.section.classList.toggle("empty", empty);
    show(this.side, !empty);
    show(this.fresh.element, !person);
    show(this.detail.element, Boolean(person));
    set(this.add, "aria-pressed", String(!person));
    this.fresh.tell(empty);
    if (person) this.detail.tell(state, person);
    keep(
      this.list,
      people.map((one) => [one.id, one]),
      (id) => {
        const picture = h("img", { alt: "" });
        const name = h("strong", { text: id });
        const more = h("small");
        const button = h("button", { type: "button", class: "person", on: { click: () => this.choose(id) } });
        button.append(h("span", { class: "frame" }, icon("people"), picture), h("span", {}, name, more));
        return Object.assign(button, { picture, more });
      },
      (button, one) => {
        set(button, "aria-pressed", String(one.id === this.chosen));
        setText(button.more, stateOf(state, one));
        show(button.picture, one.portrait > 0);
        set(button.picture, "src", one.portrait > 0 ? pictureOf("people", one.id, "portrait", one.portrait) : null);
      },
    );
  }
}

class Person {
  constructor(go, act) {
    const button = (text, kind, click) => h("button", { type: "button", class: kind, text, on: { click } });
    const ours = (what, body) => act(ask("POST", at("people", this.person.id, what), body));
    this.title = h("h2");
    this.state = h("span", { class: "pill" });

    // Footage
    this.prepareJob = new JobBox(act);
    this.facts = h("p", { class: "soft" });
    this.sheet = h("img", { alt: TEXTS.sheet });
    this.sheetButton = h("button", { type: "button", class: "picture", "aria-label": TEXTS.sheetOpen }, this.sheet);
    this.sheetButton.addEventListener("click", () => showPicture(this.sheet.src, TEXTS.sheet));
    this.report = h("ul", { class: "report" });
    this.poses = h("ul", { class: "poses" });
    this.posesBox = h("details", {}, h("summary", { text: TEXTS.seen }), this.poses);
    this.problem = h("p", { class: "failed" });
    this.unprepared = h("p", { class: "soft", text: TEXTS.notPrepared });
    this.prepareAgain = button(TEXTS.prepareAgain, "secondary small", () => ours("prepare", { who: "largest" }));
    this.footage = h(
      "section",
      { class: "card", "aria-label": TEXTS.footage },
      h("h3", { text: TEXTS.footage }),
      this.problem,
      this.unprepared,
      this.facts,
      this.prepareJob.element,
      this.sheetButton,
      this.report,
      this.posesBox,
      h("div", { class: "buttons" }, this.prepareAgain),
    );

    // Training
    this.trainJob = new JobBox(act);
    this.trainMore = h("p", { class: "soft" });
    this.minutes = h("input", { type: "number", min: "0.01", max: "10000", step: "any", value: FIRST_MINUTES, required: true });
    this.minutesField = field(TEXTS.minutes, this.minutes);
    this.trainButton = h("button", { type: "submit", class: "main", text: TEXTS.train });
    this.form = h("form", { class: "row" }, this.minutesField, this.trainButton);
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      ours("train", { minutes: (this.person.trained?.minutes ?? 0) + Number(this.minutes.value) });
    });
    this.preview = h("img", { alt: TEXTS.preview });
    const enlarge = h("button", { type: "button", class: "picture", "aria-label": TEXTS.previewOpen }, this.preview);
    enlarge.addEventListener("click", () => showPicture(this.preview.src, TEXTS.preview));
    this.previewBox = h(
      "figure",
      { class: "preview" },
      h("figcaption", {}, ...["pose", "painted", "real"].map((name) => h("span", { text: TEXTS[name] }))),
      enlarge,
    );
    this.likeness = h("p", { class: "soft" });
    this.bars = h("dl", { class: "bars" });
    this.quality = h(
      "div",
      { class: "quality" },
      h("h4", { text: TEXTS.likenessTitle }),
      this.bars,
      h("p", { class: "soft", text: TEXTS.likenessMore }),
    );
    this.training = h(
      "section",
      { class: "card", "aria-label": TEXTS.training },
      h("h3", { text: TEXTS.training }),
      this.trainMore,
      this.form,
      this.trainJob.element,
      this.previewBox,
      this.likeness,
      this.quality,
    );

    // What now
    this.evaluateJob = new JobBox(act);
    this.evaluate = button(TEXTS.evaluate, "secondary", () => ours("evaluate"));
    this.openReport = h("a", { class: "button secondary", text: TEXTS.openReport, target: "_blank" });
    this.next = h(
      "section",
      { class: "card", "aria-label": TEXTS.next },
      h("h3", { text: TEXTS.next }),
      h(
        "div",
        { class: "buttons" },
        button(TEXTS.toDance, "main", () => go("dance", this.person.id)),
        button(TEXTS.toLive, "secondary", () => go("live", this.person.id)),
        this.evaluate,
        this.openReport,
      ),
      this.evaluateJob.element,
    );
    this.element = h(
      "div",
      { class: "detail" },
      h("div", { class: "heading" }, this.title, this.state),
      this.next,
      this.training,
      this.footage,
    );
  }

  tell(state, person) {
    this.person = person;
    setText(this.title, person.id);
    setText(this.state, stateOf(state, person));
    const busy = jobsOf(state, (job) => job.person === person.id && UNFINISHED.includes(job.state));
    this.tellFootage(state, person, busy);
    this.tellTraining(state, person, busy);
    const dances = Boolean(person.trained?.can_dance);
    show(this.next, dances);
    const measuring = currentJob(state, person.id, "evaluate");
    this.evaluateJob.tell(measuring && measuring.state !== "done" ? measuring : null);
    show(this.evaluate, Boolean(person.prepared));
    this.evaluate.disabled = busy.length > 0;
    show(this.openReport, person.evaluation > 0);
    set(this.openReport, "href", `/api${at("people", person.id, "evaluation")}?v=${person.evaluation}`);
  }

  tellFootage(state, person, busy) {
    const { prepared } = person;
    const job = currentJob(state, person.id, "prepare");
    const under = job && job.state !== "done";
    this.prepareJob.tell(under ? job : null);
    setText(this.problem, person.problem ?? "");
    show(this.problem, Boolean(person.problem));
    show(this.unprepared, !prepared && !under && !person.problem && person.footage.length > 0);
    const imported = !prepared && !person.footage.length && Boolean(person.trained);
    show(this.facts, Boolean(prepared) || imported);
    setText(
      this.facts,
      prepared ? TEXTS.footageFacts(prepared.seconds, prepared.width, prepared.height) : imported ? TEXTS.imported : "",
    );
    show(this.sheetButton, person.sheet > 0);
    set(this.sheet, "src", person.sheet > 0 ? pictureOf("people", person.id, "sheet", person.sheet) : null);
    const found = job?.state === "done" && job.findings.length ? job.findings : (prepared?.report ?? []);
    const said = found.length || !prepared ? found : [{ severity: "good", message: TEXTS.footageGood }];
    show(this.report, Boolean(prepared) && said.length > 0);
    keep(
      this.report,
      said.map((finding) => [finding.message, finding]),
      (message, { severity }) => {
        const moment = h("img", { loading: "lazy" });
        const enlarge = h("button", { type: "button", class: "picture", hidden: true }, moment);
        enlarge.addEventListener("click", () => showPicture(moment.src, moment.alt));
        moment.addEventListener("error", () => show(enlarge, false)); // prepared anew since then
        return Object.assign(h("li", { class: severity }, icon(severity), h("span", { text: message }), enlarge), { moment });
      },
      (item, { moment = null }) => {
        const wanted = moment === null ? null : pictureOf("people", person.id, ["moments", moment.toFixed(3)], person.sheet);
        if (item.moment.getAttribute("src") === wanted) return;
        show(item.moment.parentElement, wanted !== null);
        set(item.moment, "alt", moment === null ? "" : TEXTS.moment(clock(moment)));
        set(item.moment, "src", wanted);
      },
    );
    show(this.posesBox, Boolean(prepared));
    keep(
      this.poses,
      Object.entries(prepared?.poses ?? {}),
      (pose) => h("li", {}, h("span", { text: pose }), h("b")),
      (item, seconds) => {
        setText(item.querySelector("b"), seconds ? TEXTS.seconds(seconds) : TEXTS.never);
        item.classList.toggle("missing", seconds < 1);
      },
    );
    show(this.prepareAgain, person.footage.length > 0 && !under && (!prepared || Boolean(person.problem)));
    this.prepareAgain.disabled = busy.length > 0;
  }

  tellTraining(state, person, busy) {
    const { trained } = person;
    const job = currentJob(state, person.id, "train");
    const under = job && job.state !== "done";
    show(this.training, Boolean(person.prepared));
    this.trainJob.tell(under ? job : null);
    setText(this.trainMore, trained?.can_dance ? TEXTS.trainedFor(trained.minutes, trained.steps) : TEXTS.trainingMore);
    show(this.form, !under || job.state === "cancelled" || job.state === "failed");
    this.trainButton.disabled = busy.length > 0;
    setText(this.trainButton, trained ? TEXTS.trainMore : TEXTS.train);
    setText(this.minutesField.querySelector("label"), trained ? TEXTS.minutesMore : TEXTS.minutes);
    const running = job && UNFINISHED.includes(job.state);
    show(this.previewBox, person.preview > 0);
    set(this.preview, "src", person.preview > 0 ? pictureOf("people", person.id, "preview", person.preview) : null);
    const likeness = trained?.likeness ?? null;
    const waits = running && !person.preview;
    setText(this.likeness, waits ? TEXTS.previewWait : likeness === null ? "" : TEXTS.likeness(likeness));
    show(this.likeness, waits || likeness !== null);
    const quality = trained?.quality;
    show(this.quality, Boolean(quality));
    if (!quality) return;
    const rows = [
      [TEXTS.thisPerson, quality.result],
      [TEXTS.nearest, quality.nearest],
      [TEXTS.place, quality.place],
    ];
    keep(
      this.bars,
      rows,
      (name) => h("div", {}, h("dt", { text: name }), h("dd", {}, h("div", { class: "track" }, h("i")), h("b"))),
      (row, value) => {
        row.querySelector("i").style.width = `${100 * value}%`;
        setText(row.querySelector("b"), value.toFixed(3));
      },
    );
  }
}
