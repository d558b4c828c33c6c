// The page of `dance live`: buttons and keys, and who hears of what.

import { OwnCamera } from "./camera.js";
import { byId, fillTexts, press, setText, show } from "./dom.js";
import { Numbers } from "./numbers.js";
import { Pictures } from "./pictures.js";
import { Stage } from "./stage.js";
import { TEXTS } from "./texts.js";

const GREEN = "#00B140"; // the one that studios use
const PEOPLE = ["largest", "left", "centre", "right"];
const NOTICE_FOR = 8_000; // ms

fillTexts(TEXTS);
const stage = new Stage();
const numbers = new Numbers();
let status = null;
let recordings = null; // names of the finished ones; null before the first status

const connection = new Pictures({
  picture: (header, jpegs) => stage.draw(header, jpegs),
  status: tell,
  error: (text) => notice(text),
  state: (state) => {
    stage.connect(state);
    for (const button of document.querySelectorAll("[data-needs-show]")) button.disabled = state !== "open";
    if (state === "ended") camera.stop();
  },
});

const camera = new OwnCamera({
  change: async (running) => {
    press(byId("send-camera"), running);
    stage.offer(!running);
    const devices = running ? await camera.devices() : [];
    show(byId("devices"), devices.length > 1);
    byId("device").replaceChildren(
      ...devices.map((device, index) => new Option(device.label || TEXTS.camerasName(index + 1), device.deviceId)),
    );
    if (running) byId("device").value = camera.deviceId;
  },
  error: (text) => notice(text),
});

function tell(header) {
  status = header.status;
  stage.tell(status);
  numbers.tell(status);
  press(byId("calibrate"), status.calibrating !== null);
  press(byId("mirror"), status.mirror);
  press(byId("freeze"), status.frozen);
  press(byId("record"), status.recording !== null);
  setText(byId("record").querySelector(".name"), status.recording === null ? TEXTS.record : TEXTS.stopRecording);
  for (const who of PEOPLE) press(byId(`follow-${who}`), status.follows === who);
  const chosen = backgroundKind(status.background);
  for (const kind of ["place", "green", "colour", "picture"]) press(byId(`over-${kind}`), kind === chosen);
  if (byId("send-camera").hidden && header.asks_camera) {
    show(byId("send-camera"), true);
    stage.offer(true);
  }
  tellRecordings(header.recordings);
}

function backgroundKind(background) {
  if (background === null) return "place";
  if (!background.startsWith("#")) return "picture";
  return background.toUpperCase() === GREEN ? "green" : "colour";
}

function tellRecordings(names) {
  const known = recordings;
  recordings = names;
  if (known !== null && known.length === names.length) return;
  const links = names.map((name, number) => downloadLink(name, number, name));
  byId("recordings").replaceChildren(
    ...links.map((link) => {
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  show(byId("recordings-part"), names.length > 0);
  if (known !== null && names.length > known.length) {
    const number = names.length - 1;
    notice(TEXTS.saved(names[number]), downloadLink(TEXTS.download, number, names[number]));
  }
}

function downloadLink(text, number, name) {
  const link = document.createElement("a");
  link.href = `/recordings/${number}`;
  link.download = name;
  link.textContent = text;
  return link;
}

// A message that goes by itself, unless there is something to click in it.
let noticeTimer = null;
function notice(text, link = null) {
  clearTimeout(noticeTimer);
  byId("notice-text").textContent = text;
  byId("notice-link").replaceChildren(...(link ? [link] : []));
  show(byId("notice"), true);
  if (!link) noticeTimer = setTimeout(() => show(byId("notice"), false), NOTICE_FOR);
}

async function sendBackground(file) {
  notice(TEXTS.uploading);
  try {
    const response = await fetch("/background", { method: "POST", body: file });
    const { error } = await response.json();
    if (error) notice(error.message);
    else show(byId("notice"), false);
  } catch {
    notice(TEXTS.uploadFailed);
  }
}

function toggleFullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else byId("stage").requestFullscreen?.();
}

function toggleInset() {
  const hidden = document.body.classList.toggle("no-inset");
  press(byId("view"), !hidden);
}

function toggleNumbers() {
  const hidden = document.body.classList.toggle("no-numbers");
  press(byId("toggle-numbers"), !hidden);
}

function follow(who) {
  connection.send({ do: "follow", who });
}

function over(colour) {
  connection.send({ do: "background", colour });
}

const actions = {
  calibrate: () => connection.send({ do: "calibrate" }),
  mirror: () => connection.send({ do: "mirror", on: !status?.mirror }),
  freeze: () => connection.send({ do: "freeze", on: !status?.frozen }),
  record: () => connection.send({ do: "record", on: status?.recording === null }),
  view: toggleInset,
  "hide-inset": toggleInset,
  "toggle-numbers": toggleNumbers,
  "full-screen": toggleFullScreen,
  help: () => byId("help-dialog").showModal(),
  "close-help": () => byId("help-dialog").close(),
  "close-notice": () => show(byId("notice"), false),
  "send-camera": () => (camera.running ? camera.stop() : camera.start()),
  "start-camera": () => camera.start(),
  "over-place": () => over(null),
  "over-green": () => over(GREEN),
  "over-colour": () => byId("colour").click(),
  "over-picture": () => byId("file").click(),
};
for (const who of PEOPLE) actions[`follow-${who}`] = () => follow(who);
for (const [id, action] of Object.entries(actions)) byId(id).addEventListener("click", action);

// Whoever drags over the colours passes many of them.
let colourTimer = null;
byId("colour").addEventListener("input", () => {
  colourTimer ??= setTimeout(() => {
    colourTimer = null;
    over(byId("colour").value);
  }, 100);
});
byId("file").addEventListener("change", () => {
  const [file] = byId("file").files;
  if (file) sendBackground(file);
  byId("file").value = ""; // The same file can be chosen again.
});
byId("device").addEventListener("change", () => camera.start(byId("device").value));
document.addEventListener("fullscreenchange", () => press(byId("full-screen"), document.fullscreenElement));

const keys = {
  c: () => byId("calibrate").click(),
  m: () => byId("mirror").click(),
  f: () => byId("freeze").click(),
  r: () => byId("record").click(),
  b: () => byId("background").click(),
  p: () => status && follow(PEOPLE[(PEOPLE.indexOf(status.follows) + 1) % PEOPLE.length]),
  v: toggleInset,
  n: toggleNumbers,
  x: toggleFullScreen,
  "?": actions.help,
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || byId("help-dialog").open) return;
  if (event.target.closest("select, input:not([type=button])")) return;
  const action = keys[event.key.toLowerCase()];
  if (!action) return;
  event.preventDefault();
  action();
});

// A menu opens above its button, inside the window.
for (const menu of document.querySelectorAll("[popover]")) {
  const button = document.querySelector(`[popovertarget=${menu.id}]`);
  menu.addEventListener("beforetoggle", (event) => {
    button.setAttribute("aria-expanded", String(event.newState === "open"));
    const box = button.getBoundingClientRect();
    const width = 272;
    const left = box.left + box.width / 2 - width / 2;
    menu.style.left = `${Math.max(8, Math.min(left, innerWidth - width - 8))}px`;
    menu.style.bottom = `${Math.max(8, innerHeight - box.top + 8)}px`;
  });
  menu.addEventListener("click", (event) => {
    if (event.target.closest("button")) menu.hidePopover();
  });
}

if (!document.fullscreenEnabled) show(byId("full-screen"), false);
