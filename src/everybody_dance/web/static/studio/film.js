// Filming oneself with the browser's camera: look, walk there, be recorded, watch it, then use it or film again.

import { clock, setText, show } from "../dom.js";
import { cameras, closeCamera, openCamera, settingsOf } from "../devices.js";
import { checklist, closing, open } from "./dialogs.js";
import { field, h, icon, options, set } from "./elements.js";
import { guide } from "./guide.js";
import { TEXTS } from "./texts.js";

const SIZE = { width: { ideal: 1920 }, height: { ideal: 1080 }, frameRate: { ideal: 30 } };
const BITS = 8_000_000; // a second
const PIECE = 1000; // ms after which the recorder hands over what it has
const COUNTDOWN = 5; // seconds
const ENOUGH = 60; // seconds
const PLENTY = 180;
const TYPES = [
  "video/mp4;codecs=avc1.640028",
  "video/mp4;codecs=avc1.42E01F",
  "video/webm;codecs=h264",
  "video/webm;codecs=vp9",
  "video/webm;codecs=vp8",
  "video/webm",
  "video/mp4",
];

export class Filming {
  // onFile(file) when what was filmed is to be used.
  constructor(onFile) {
    this.onFile = onFile;
    this.take = null; // {file, seconds, interrupted}: kept when the dialog closes, until it is uploaded or filmed again
    this.label = h("span", { text: TEXTS.film });
    this.button = h("button", { type: "button", class: "secondary", on: { click: () => this.open() } });
    this.button.append(icon("live"), this.label);
    this.wishes = 0; // as OwnCamera's
    addEventListener("beforeunload", (event) => {
      if (this.take || this.recorder) event.preventDefault();
    });
  }

  // What was filmed last, or null.
  keepTake(take) {
    this.take = take;
    setText(this.label, take ? TEXTS.filmKept : TEXTS.film);
  }

  // A file is uploaded: if it is the take, it need not be kept any longer.
  forget(file) {
    if (this.take?.file === file) this.keepTake(null);
  }

  open() {
    const button = (text, kind, click) => h("button", { type: "button", class: kind, text, on: { click } });
    this.video = h("video", { "aria-hidden": "true" });
    this.video.muted = true;
    this.video.playsInline = true;
    this.number = h("strong", { class: "film-number", "aria-hidden": "true" });
    this.guide = guide();
    this.finder = h("div", { class: "finder" }, this.video, this.guide, this.number);
    this.watched = h("video", { class: "film-watched", controls: true, "aria-label": TEXTS.filmWatch });
    this.watched.playsInline = true;
    this.said = h("p", { class: "film-said" });
    this.problem = h("p", { class: "failed" });
    this.time = h("b", { class: "film-time", role: "timer", "aria-label": TEXTS.filmTime });
    this.bar = h("progress", { max: ENOUGH, value: 0, "aria-hidden": "true" });
    this.running = h("div", { class: "film-running" }, h("i"), this.time, this.bar);
    // The page's own announcer is not heard while a dialog is open.
    this.announcer = h("p", { class: "unseen", role: "status", "aria-live": "polite" });
    this.device = h("select");
    this.devices = field(TEXTS.whichCamera, this.device);
    this.device.addEventListener("change", () => this.look(this.device.value));
    this.buttons = {
      start: button(TEXTS.filmStart, "main", () => this.countDown()),
      stop: button(TEXTS.filmStop, "danger", () => this.finish()),
      use: button(TEXTS.filmUse, "main", () => this.use()),
      again: button(TEXTS.filmAgain, "secondary", () => {
        this.keepTake(null);
        this.look();
      }),
      retry: button(TEXTS.tryAgain, "main", () => this.look()),
      cancel: button(TEXTS.cancel, "secondary", () => this.be("ready")),
    };
    const picture = h("div", { class: "film-picture" }, this.finder, this.watched, this.running, this.problem, this.said);
    const how = h("details", { class: "film-how" }, h("summary", { text: TEXTS.checklistTitle }), checklist());
    how.open = innerWidth > 860; // beside the picture there is room for it
    const content = h("div", { class: "film" }, picture, h("div", {}, this.devices, how), this.announcer);
    const close = closing();
    open(TEXTS.filmTitle, [content], [...Object.values(this.buttons), close], "wide", () => this.closed());
    this.dialog = close.closest("dialog");
    this.dialog.oncancel = (event) => {
      if (!this.recorder) return;
      event.preventDefault(); // Escape ends the recording first
      this.finish();
    };
    this.isOpen = true;
    if (this.take) this.be("review");
    else if (this.recorder) this.be("finishing"); // closed just now; what it recorded comes
    else this.look();
  }

  // Shows the camera's picture.
  async look(deviceId = null) {
    this.release();
    const wish = this.wishes;
    this.be("asking");
    if (!window.MediaRecorder) return this.fail(TEXTS.filmUnable);
    try {
      const stream = await openCamera(SIZE, deviceId);
      if (wish !== this.wishes) return closeCamera(stream);
      this.stream = stream;
    } catch (error) {
      if (wish === this.wishes) this.fail(TEXTS[error.why]);
      return;
    }
    this.stream.getVideoTracks()[0].addEventListener("ended", () => this.lost(wish));
    this.video.srcObject = this.stream;
    const settings = settingsOf(this.stream);
    this.finder.classList.toggle("mirrored", settings.facingMode !== "environment");
    this.video.play().catch(() => {}); // it was closed
    const found = await cameras();
    if (wish !== this.wishes) return;
    options(this.device, found.map((one, index) => [one.deviceId, one.label || TEXTS.camerasName(index + 1)]));
    this.device.value = settings.deviceId;
    this.be("ready");
  }

  lost(wish) {
    if (wish !== this.wishes) return;
    this.interrupted = true;
    if (this.recorder) this.finish();
    else this.fail(TEXTS.cameraLost);
  }

  fail(text) {
    this.release();
    this.be("problem", text);
  }

  countDown() {
    this.be("countdown");
    let left = COUNTDOWN;
    const tick = () => {
      if (left === 0) {
        this.record();
        return;
      }
      setText(this.number, String(left));
      setText(this.announcer, left === COUNTDOWN ? TEXTS.filmIn(left) : String(left));
      left -= 1;
    };
    tick();
    this.timer = setInterval(tick, 1000);
  }

  record() {
    const type = TYPES.find((one) => MediaRecorder.isTypeSupported(one));
    const pieces = [];
    this.interrupted = false;
    try {
      this.recorder = new MediaRecorder(this.stream, { mimeType: type, videoBitsPerSecond: BITS });
      this.recorder.ondataavailable = ({ data }) => data.size && pieces.push(data);
      this.recorder.onerror = () => (this.interrupted = true); // it stops by itself
      this.recorder.onstop = () => this.recorded(pieces);
      this.recorder.start(PIECE);
    } catch {
      this.recorder = null;
      this.fail(TEXTS.filmUnable);
      return;
    }
    this.began = performance.now();
    this.be("recording");
    // Whoever dances does not touch the device, which would fall asleep.
    this.awake = navigator.wakeLock?.request("screen").catch(() => null);
    this.timer = setInterval(() => this.tellTime(), 200);
    this.tellTime();
  }

  tellTime() {
    const seconds = (performance.now() - this.began) / 1000;
    setText(this.time, clock(seconds));
    this.bar.value = seconds;
    const said = seconds < ENOUGH ? TEXTS.filmShort : seconds < PLENTY ? TEXTS.filmEnough : TEXTS.filmPlenty;
    setText(this.said, said);
    setText(this.announcer, `${TEXTS.filmRecording}. ${said}`);
  }

  finish() {
    if (this.recorder?.state !== "inactive") this.recorder?.stop();
  }

  recorded(pieces) {
    const interrupted = this.interrupted || this.stream.getVideoTracks()[0].readyState === "ended";
    const type = this.recorder.mimeType.split(";")[0] || "video/webm";
    const seconds = (performance.now() - this.began) / 1000;
    this.recorder = null;
    this.release();
    if (!pieces.length) {
      if (this.isOpen) this.be("problem", TEXTS.filmNothing);
      return;
    }
    const now = new Date();
    const time = [now.getHours(), now.getMinutes()].map((part) => String(part).padStart(2, "0")).join(".");
    const file = new File(pieces, `${TEXTS.filmName(time)}.${type === "video/mp4" ? "mp4" : "webm"}`, { type });
    this.keepTake({ file, seconds, interrupted });
    if (this.isOpen) this.be("review");
  }

  use() {
    const { file } = this.take;
    this.dialog.close();
    this.onFile(file);
  }

  // Shows what belongs to a state.
  be(state, problem = "") {
    clearInterval(this.timer);
    this.finder.dataset.state = state;
    const { take } = this;
    const review = state === "review";
    const problems = { problem, review: take?.interrupted ? TEXTS.filmInterrupted : "" }[state] ?? "";
    setText(this.problem, problems);
    show(this.problem, Boolean(problems));
    const said = {
      asking: TEXTS.filmAsking,
      ready: `${TEXTS.filmReady} ${this.finder.classList.contains("mirrored") ? TEXTS.filmMirror : ""}`,
      countdown: TEXTS.filmReady,
      review: take && (take.seconds < ENOUGH ? TEXTS.filmReviewShort : TEXTS.filmReview)(clock(take.seconds)),
    }[state];
    setText(this.said, said ?? "");
    if (state !== "countdown") setText(this.announcer, [problems, said].filter(Boolean).join(" "));
    show(this.finder, !review && state !== "problem");
    show(this.guide, state !== "asking");
    show(this.number, state === "countdown");
    show(this.running, state === "recording");
    show(this.devices, state === "ready" && this.device.length > 1);
    show(this.watched, review);
    if (review) this.watch(take.file);
    else this.stopWatching();
    const shown = {
      ready: ["start"], countdown: ["cancel"], recording: ["stop"], review: ["use", "again"], problem: ["retry"],
    }[state] ?? [];
    for (const [name, button] of Object.entries(this.buttons)) show(button, shown.includes(name));
    if (shown.length) this.buttons[shown[0]].focus();
  }

  watch(file) {
    this.stopWatching();
    this.address = URL.createObjectURL(file);
    // A recording does not say how long it is: players find out at its end.
    this.watched.onloadedmetadata = () => {
      if (this.watched.duration !== Infinity) return;
      this.watched.currentTime = Number.MAX_SAFE_INTEGER;
      this.watched.ondurationchange = () => (this.watched.currentTime = 0);
    };
    this.watched.src = this.address;
  }

  stopWatching() {
    if (!this.address) return;
    set(this.watched, "src", null);
    this.watched.load();
    URL.revokeObjectURL(this.address);
    this.address = null;
  }

  // The camera's light goes off.
  release() {
    this.wishes += 1;
    clearInterval(this.timer);
    this.awake?.then((lock) => lock?.release());
    this.awake = null;
    this.video.srcObject = null;
    if (this.stream) closeCamera(this.stream);
    this.stream = null;
  }

  closed() {
    this.isOpen = false;
    this.stopWatching();
    if (this.recorder) this.finish(); // and the recording is there when the dialog is opened again
    else this.release();
  }
}
