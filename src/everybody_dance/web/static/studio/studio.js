// The studio's page: its sections, and who hears of what.

import { announce, byId, fillTexts, setText, show } from "../dom.js";
import { Dance } from "./dance.js";
import { set } from "./elements.js";
import { WorkList } from "./jobs.js";
import { Library } from "./library.js";
import { People } from "./people.js";
import { LiveSection } from "./show.js";
import { Store } from "./store.js";
import { TEXTS, sizeInWords } from "./texts.js";

const SECTIONS = ["people", "dance", "live", "library"];
const NOTICE_FOR = 12_000; // ms

fillTexts(TEXTS);

let noticeTimer = null;
function notice(text) {
  clearTimeout(noticeTimer);
  setText(byId("notice"), text);
  show(byId("notice"), true);
  noticeTimer = setTimeout(() => show(byId("notice"), false), NOTICE_FOR);
}

// Waits for what was asked for, and says what goes wrong.
async function act(promise) {
  try {
    await promise;
    show(byId("notice"), false);
  } catch (error) {
    notice(error.message);
  }
}

function go(section, id = undefined) {
  if (id !== undefined) sections[section].choose?.(id);
  if (location.hash === `#${section}`) showSection();
  else location.hash = section;
}

const context = { go, act };
const sections = {
  people: new People(byId("section-people"), context),
  dance: new Dance(byId("section-dance"), context),
  live: new LiveSection(byId("section-live"), context),
  library: new Library(byId("section-library"), context),
};
const work = new WorkList(act);

function current() {
  const name = location.hash.slice(1);
  return SECTIONS.includes(name) ? name : SECTIONS[0];
}

function showSection() {
  for (const name of SECTIONS) {
    show(byId(`section-${name}`), name === current());
    set(document.querySelector(`nav a[href="#${name}"]`), "aria-current", name === current() ? "page" : null);
  }
  document.title = `${TEXTS[current()]} · ${TEXTS.title}`;
  if (store?.state) sections[current()].tell(store.state);
  scrollTo(0, 0);
}

// What the last message said of each job, to announce what changes.
let known = null;
function announceJobs(jobs) {
  for (const job of Object.values(jobs)) {
    if (known && known[job.id] !== job.state && job.state !== "waiting") {
      announce(TEXTS.announce(job.title, job.error ?? TEXTS.states[job.state]));
    }
  }
  known = Object.fromEntries(Object.values(jobs).map((job) => [job.id, job.state]));
}

function tell(state) {
  sections[current()].tell(state);
  work.tell(state);
  announceJobs(state.jobs);
  const disk = state.disk.disk;
  show(byId("disk-low"), Boolean(disk?.low));
  if (disk) setText(byId("disk-low"), TEXTS.diskLow(sizeInWords(disk.free)));
}

function connection(state) {
  document.body.dataset.connection = state;
  show(byId("connection"), state !== "open");
  if (state !== "open") setText(byId("connection"), TEXTS[state]);
}

const store = new Store(tell, connection);
addEventListener("hashchange", () => {
  showSection();
  byId("main").focus({ preventScroll: true });
});
showSection();

// A file that misses its place must not replace the page.
for (const event of ["dragover", "drop"]) addEventListener(event, (dropped) => dropped.preventDefault());

const menu = byId("work-list");
menu.addEventListener("beforetoggle", (event) => {
  set(byId("work"), "aria-expanded", String(event.newState === "open"));
  const box = byId("work").getBoundingClientRect();
  menu.style.top = `${box.bottom + 6}px`;
  menu.style.right = `${Math.max(8, innerWidth - box.right)}px`;
  menu.style.left = "auto";
});
