// Jobs: how far one is, with its buttons; and the list of all that is under way.

import { byId, setText, show } from "../dom.js";
import { ask } from "./api.js";
import { h, keep, set } from "./elements.js";
import { UNFINISHED, jobsOf } from "./store.js";
import { TEXTS } from "./texts.js";

export function progressText(job) {
  if (job.stopping) return TEXTS.stopping;
  if (job.state !== "running") return TEXTS.states[job.state];
  if (!job.progress) return TEXTS.starting;
  const left = job.progress.seconds_left;
  return left === null || left === undefined ? job.progress.stage : `${job.progress.stage}, ${TEXTS.secondsLeft(left)}`;
}

export class JobBox {
  // act(promise) shows what goes wrong with a button.
  constructor(act, { titled = false, forgets = false } = {}) {
    this.forgets = forgets;
    const button = (text, action) =>
      h("button", { type: "button", class: "secondary small", text, on: { click: () => act(action(this.job.id)) } });
    this.title = titled ? h("strong") : null;
    this.text = h("span", { class: "job-text" });
    this.bar = h("progress", { max: 1 });
    this.error = h("p", { class: "failed" });
    this.pause = button(TEXTS.pause, (id) => ask("POST", `/jobs/${id}/pause`));
    this.goOn = button(TEXTS.goOn, (id) => ask("POST", `/jobs/${id}/continue`));
    this.stop = button(TEXTS.stop, (id) => ask("POST", `/jobs/${id}/cancel`));
    this.again = button(TEXTS.tryAgain, (id) => ask("POST", `/jobs/${id}/retry`));
    this.dismiss = button(TEXTS.dismiss, (id) => ask("DELETE", `/jobs/${id}`));
    const buttons = h("div", { class: "buttons" }, this.pause, this.goOn, this.stop, this.again, this.dismiss);
    this.element = h("div", { class: "job" }, this.title, this.text, this.bar, this.error, buttons);
  }

  tell(job) {
    this.job = job;
    show(this.element, Boolean(job));
    if (!job) return;
    const { state, progress } = job;
    set(this.element, "data-state", state);
    if (this.title) setText(this.title, job.title);
    setText(this.text, progressText(job));
    const active = state === "running" || state === "paused";
    show(this.bar, active);
    set(this.bar, "aria-label", job.title);
    if (active && progress?.total) this.bar.value = Math.min(progress.done / progress.total, 1);
    else this.bar.removeAttribute("value");
    show(this.error, state === "failed");
    setText(this.error, state === "failed" ? (job.error ?? "") : "");
    show(this.pause, (state === "running" || state === "waiting") && !job.stopping);
    show(this.goOn, state === "paused");
    show(this.stop, UNFINISHED.includes(state) && job.stopping !== "cancelled");
    show(this.again, state === "failed" || state === "cancelled");
    setText(this.again, state === "failed" ? TEXTS.tryAgain : TEXTS.goOn);
    show(this.dismiss, this.forgets && !UNFINISHED.includes(state));
  }
}

// The button at the top, and its list: everything under way, and the last that failed.
export class WorkList {
  constructor(act) {
    this.act = act;
    this.list = h("div", { class: "jobs" });
    this.empty = h("p", { text: TEXTS.workEmpty });
    byId("work-list").append(this.empty, this.list);
  }

  tell(state) {
    const unfinished = jobsOf(state, (job) => UNFINISHED.includes(job.state));
    const failed = jobsOf(state, (job) => job.state === "failed").slice(0, 3);
    const running = unfinished.find((job) => job.state === "running");
    let text = unfinished.length ? TEXTS.working(unfinished.length) : TEXTS.noWork;
    if (running?.progress?.total) {
      text += ` · ${Math.floor((100 * running.progress.done) / running.progress.total)} %`;
    }
    setText(byId("work-text"), text);
    byId("work").classList.toggle("busy", Boolean(running));
    byId("work").classList.toggle("has-failed", failed.length > 0);
    show(this.empty, unfinished.length + failed.length === 0);
    keep(
      this.list,
      [...unfinished, ...failed].map((job) => [job.id, job]),
      () => {
        const box = new JobBox(this.act, { titled: true, forgets: true });
        return Object.assign(box.element, { box });
      },
      (element, job) => element.box.tell(job),
    );
  }
}
