// The stage: the two pictures, and what is laid over them.

import { announce, byId, clock, setText, show } from "./dom.js";
import { TEXTS } from "./texts.js";

const VEILS = {
  connecting: [TEXTS.connecting, TEXTS.connectingMore, true],
  open: [TEXTS.waiting, TEXTS.waitingMore, true],
  again: [TEXTS.again, TEXTS.againMore, true],
  silent: [TEXTS.noAnswer, TEXTS.noAnswerMore, true],
  full: [TEXTS.full, TEXTS.fullMore, true],
  ended: [TEXTS.ended, TEXTS.endedMore, false],
};

export class Stage {
  constructor() {
    this.picture = byId("picture");
    this.camera = byId("camera");
    this.connection = "connecting";
    this.drawn = false;
    this.status = null;
    this.update();
  }

  async draw(header, jpegs) {
    const bitmaps = await Promise.all(jpegs.map((jpeg) => createImageBitmap(jpeg)));
    [this.picture, this.camera].forEach((canvas, index) => {
      const bitmap = bitmaps[index];
      if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
        canvas.width = bitmap.width;
        canvas.height = bitmap.height;
      }
      canvas.getContext("2d", { alpha: false }).drawImage(bitmap, 0, 0);
      bitmap.close();
    });
    byId("stage").style.setProperty("--aspect", `${this.picture.width} / ${this.picture.height}`);
    this.picture.dataset.number = header.number;
    if (!this.drawn) {
      this.drawn = true;
      this.update();
    }
  }

  connect(state) {
    this.connection = state;
    this.update();
  }

  // Whether this device's camera is offered in the middle of the stage.
  offer(camera) {
    this.offers = camera;
    this.update();
  }

  tell(status) {
    this.status = status;
    this.update();
  }

  update() {
    const status = this.status;
    const open = this.connection === "open";
    const offers = open && this.offers && (!this.drawn || status?.state === "lost");
    const veiled = !offers && !(open && this.drawn);
    document.body.dataset.connection = this.connection;
    show(byId("offer"), offers);
    show(byId("veil"), veiled);
    const [title, more, busy] = VEILS[this.connection];
    setText(byId("veil-title"), title);
    setText(byId("veil-more"), more);
    show(byId("spinner"), busy);
    show(this.picture, this.drawn);
    byId("inset").classList.toggle("empty", !this.drawn);

    const live = open && status !== null;
    // Nobody is looked at while the camera is lost: how to get it back is what is to be read then.
    const counting = live && status.state !== "lost" && status.calibrating !== null;
    show(byId("countdown"), counting);
    if (counting) setText(byId("count"), status.calibrating > 0 ? String(Math.ceil(status.calibrating)) : TEXTS.holdStill);
    byId("countdown").classList.toggle("words", counting && !(status.calibrating > 0));
    show(byId("frozen"), live && status.frozen);
    show(byId("recording"), live && status.recording !== null);
    if (live && status.recording !== null) setText(byId("recorded"), clock(status.recorded_seconds));

    const message = live && this.drawn && !offers ? this.message(status) : "";
    setText(byId("message"), message);
    show(byId("message"), message !== "" && !counting);

    const state = this.state();
    document.body.dataset.state = state;
    setText(byId("state"), TEXTS[`state${state[0].toUpperCase()}${state.slice(1)}`]);
    announce(counting ? TEXTS.calibrating : message || (veiled ? `${title}. ${more}` : TEXTS.picture));
  }

  state() {
    if (this.connection === "ended") return "ended";
    if (this.connection !== "open" || this.status === null) return "connecting";
    if (this.status.state === "lost" && this.status.frames === 0) return "waiting"; // for the page's own camera
    if (this.status.state !== "working") return this.status.state;
    return this.status.frozen ? "frozen" : "working";
  }

  // The one sentence that is to be read now.
  message(status) {
    if (status.message) return status.message;
    if (status.state === "lost") return TEXTS.lost;
    if (status.state === "ended") return TEXTS.over;
    return status.seen || status.frozen ? "" : TEXTS.unseen;
  }
}
