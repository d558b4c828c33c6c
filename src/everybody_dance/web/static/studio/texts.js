// Every text of the studio's page. Elements name theirs: data-text is the content, data-label the name for screen
// readers. Sentences about footage and errors come from the program.

const plural = (count, one, many) => `${count} ${count === 1 ? one : many}`;

export const TEXTS = {
  title: "Studio · Everybody Dance",
  brand: "Everybody Dance",
  studio: "Studio",
  sections: "Sections",
  skip: "Skip to the content",
  people: "People",
  dance: "Dance",
  live: "Live",
  library: "Library",

  // What is under way
  work: "Work",
  noWork: "Nothing under way",
  working: (count) => plural(count, "job", "jobs"),
  workEmpty: "Nothing is under way. You can close this page or the program whenever you like: work goes on where it was.",
  states: {
    waiting: "Waiting its turn",
    running: "Working",
    paused: "Paused",
    done: "Done",
    failed: "Failed",
    cancelled: "Stopped",
  },
  stopping: "Stopping at the next safe point",
  starting: "Starting",
  pause: "Pause",
  goOn: "Go on",
  stop: "Stop",
  tryAgain: "Try again",
  dismiss: "Dismiss",
  secondsLeft: (seconds) => {
    if (seconds < 60) return "less than a minute left";
    const minutes = Math.round(seconds / 60);
    if (minutes < 60) return `about ${plural(minutes, "minute", "minutes")} left`;
    return `about ${(minutes / 60).toFixed(1)} hours left`;
  },
  announce: (title, state) => `${title}: ${state}`,

  // Connection and disk
  again: "The connection was lost. Trying again by itself.",
  silent: "The program does not answer. If it was started again, open the address that it printed. This page keeps trying.",
  full: "The studio is open on too many pages. Close one; this page keeps trying.",
  ended: "The program has ended. Start it again with “dance studio”: work goes on where it was.",
  diskLow: (free) => `The disk is nearly full: ${free} are free. Delete results or people that you no longer need.`,
  unreachable: "The program cannot be reached.",

  // Uploads
  choose: "Choose a file",
  uploading: "Uploading",
  uploaded: (done, size) => `${done} of ${size}`,
  checking: "Looking at it",
  uploadAgain: "The connection broke off. Trying again.",
  cancel: "Cancel",

  // People
  welcome: "Film a person for a minute or two, and let them dance any dance",
  welcomeMore:
    "Drop a video of one person below, or film yourself: the program finds them in every frame, and tells you what to film better. " +
    "Then train a small model of them, which takes some minutes. " +
    "After that they dance whatever anybody dances in another video, or you in front of the camera.",
  checklistLink: "How to film",
  consent: "Train only people who agreed to it. Everything stays on this computer.",
  newPerson: "New person",
  dropPerson: "Drop a video of one person here",
  dropMore: "One to three minutes, the whole body, camera still",
  name: "Name",
  who: "Who is it, if several people are in it?",
  largest: "The largest",
  left: "On the left",
  centre: "In the centre",
  right: "On the right",
  uploadAndPrepare: "Upload and prepare",
  back: "Back",
  personNew: "Not prepared",
  personPreparing: "Preparing",
  personPrepared: "Prepared",
  personTraining: "Training",
  personTrained: "Can dance",

  // Filming with this camera
  film: "Film with this camera",
  filmKept: "Watch what you filmed",
  filmTitle: "Film with this camera",
  filmAsking: "Waiting for the camera. The browser may ask whether this page may use it.",
  filmReady:
    "Stand where your whole body fits the outline, head to feet, with room for your arms. " +
    "After five seconds, in which to walk there, the recording begins.",
  filmMirror: "Shown as in a mirror, recorded as others see you, without sound.",
  filmStart: "Start in 5 seconds",
  filmIn: (seconds) => `Recording begins in ${plural(seconds, "second", "seconds")}`,
  filmRecording: "Recording",
  filmStop: "Stop recording",
  filmTime: "Recorded",
  filmShort: "Go on for a minute at least: two are better.",
  filmEnough: "That is enough. Up to three minutes make it better.",
  filmPlenty: "That is plenty: stop whenever you like.",
  filmReview: (time) => `Recorded ${time}. Watch it: is the whole body in the picture at every moment?`,
  filmReviewShort: (time) => `Recorded ${time}, which is short: a minute or more gives a better result.`,
  filmWatch: "What was recorded",
  filmUse: "Use this",
  filmAgain: "Film again",
  filmName: (time) => `Filmed at ${time}`,
  filmInterrupted: "The camera stopped in the middle. What was recorded until then is kept.",
  filmNothing: "Nothing was recorded. Try again.",
  filmUnable: "This browser cannot record. Film with another program, and drop the video.",
  whichCamera: "Which camera",
  camerasName: (number) => `Camera ${number}`,
  cameraRefused: "The browser did not give its camera: allow it for this page, then try again.",
  cameraMissing: "This device has no camera that the browser can use. Film with another one, and drop the video.",
  cameraBusy: "The camera is in use by another program. Close that, then try again.",
  cameraLost: "The camera is gone. Connect it again, then try again.",
  cameraInsecure:
    "Browsers give their camera to pages on localhost and over HTTPS only. " +
    "Open the studio on the computer that runs it, or start it with --certificate and --key.",

  footage: "Footage",
  footageFacts: (seconds, width, height) =>
    `Seen for ${seconds.toFixed(seconds < 10 ? 1 : 0)} seconds, at ${width} × ${height}`,
  sheet: "The person cut out at some moments, and the empty place behind them",
  sheetOpen: "Show the cut-outs in full size",
  moment: (time) => `The footage at ${time}`,
  footageGood: "Nothing is missing: this is good footage.",
  seen: "Seconds seen of each movement",
  never: "never",
  seconds: (value) => `${value.toFixed(value < 10 ? 1 : 0)} s`,
  imported: "Imported. The footage stayed with whoever filmed it, so this person can dance, but not be trained further.",
  prepareAgain: "Prepare again",
  notPrepared: "The footage is not prepared yet.",

  training: "Training",
  trainingMore: "The longer, the sharper. You can dance after a few minutes, and train on at any time.",
  minutes: "Minutes",
  train: "Train",
  trainMore: "Train on",
  trainedFor: (minutes, steps) =>
    minutes === null ? plural(steps, "step", "steps") : `Trained for ${minutes < 1 ? "less than 1" : +minutes.toFixed(1)} min`,
  minutesMore: "More minutes",
  preview: "Preview: on the left what was asked for, then what is painted, on the right what is real",
  previewOpen: "Show the preview in full size",
  previewWait: "The first preview comes after about a minute.",
  pose: "Asked for",
  painted: "Painted",
  real: "Real",
  likeness: (value) => `Likeness of this preview: ${value.toFixed(3)}, where 1 would be equal.`,
  likenessTitle: "Likeness to moments it never saw",
  likenessMore: "1 would be equal. The bar to beat: its own nearest frame, and the empty place alone.",
  thisPerson: "This person",
  nearest: "Nearest frame",
  place: "Empty place",
  next: "What now?",
  toDance: "Let them dance",
  toLive: "Dance live",
  evaluate: "Evaluate",
  openReport: "Open the evaluation report",

  // Dance
  danceEmpty: "Nobody can dance yet. Train somebody first.",
  toPeople: "Go to People",
  performer: "Who dances?",
  whichDance: "Which dance?",
  dropDance: "Drop a dance here",
  dropDanceMore: "Any video of somebody dancing",
  how: "How?",
  follow: "Follow",
  background: "Background",
  ownPlace: "Their own place",
  colour: "A colour",
  transparent: "None (transparent WebM)",
  smoothing: "Smoothing",
  smoothings: { both: "Steady (default)", gaussian: "A little", median: "Outliers only", none: "None: sharp and sudden" },
  compare: "Also make a video of source, pose and result side by side",
  onlyOwnPlace: "This person was trained to paint the whole picture, so the place stays.",
  where: "Where?",
  whereMore: "Whatever the size, the feet stay on the floor. Once you have seen where it lands, drag the outline there.",
  landings: { scale: "Size", shift: "Sideways", floor: "Floor" },
  landingWords: {
    scale: (percent) => (percent === 100 ? "As fitted" : `${percent} % of the fitted size`),
    shift: (percent) =>
      percent === 0 ? "As fitted" : `${Math.abs(percent)} % of the width to the ${percent < 0 ? "left" : "right"}`,
    floor: (percent) =>
      percent === 0 ? "As fitted" : `${Math.abs(percent)} % of the height ${percent < 0 ? "higher" : "lower"}`,
  },
  resetLanding: "Reset",
  land: "See where it lands",
  make: "Make it dance",
  chooseBoth: "Choose who dances, and what.",
  commandTitle: "The same on the command line",
  copy: "Copy",
  copied: "Copied",
  landing: "Where it will land: the pose in the source, over the empty place, over a true frame",
  landingMore: "The feet should stand on the floor, and the head should be about as high as the person’s own. All of the dance" +
    " is within the outline, as the sliders say; to draw it there, see again where it lands.",
  stageEmpty: "The result will be here. See first where the dance will land: that takes a moment.",
  source: "Source",
  result: "Result",
  sideBySide: "Side by side",
  sourceUnplayable: "This browser cannot play the source, which changes nothing about the result.",
  play: "Play both",
  pausePlaying: "Pause both",
  download: "Download",
  downloadComparison: "Download the comparison",
  madeBy: "Made by AI, which the file says too. Please say so where you show it.",

  // Live
  liveTitle: "Dance live",
  liveMore: "Stand in front of a camera, and the person does what you do. The show has a page of its own.",
  camera: "Camera",
  cameraBrowser: "Of the device on which the page is open",
  cameraComputer: "Of the computer that runs the studio, number",
  startShow: "Start the show",
  showStarting: "The show is starting. This takes some seconds.",
  showRunning: (person) => `${person} is on stage.`,
  openShow: "Open the show",
  stopShow: "End the show",
  showEnded: "The show has ended. What was recorded is in the library.",
  liveBusy: "A training is under way: pause it for a smoother show.",

  // Library
  dances: "Dances",
  results: "Results",
  importPerson: "Import a person",
  noPeople: "Nobody yet.",
  noDances: "No dances yet. Add one in the section Dance.",
  noResults: "No results yet.",
  open: "Open",
  rename: "Rename",
  remove: "Delete",
  exportPerson: "Export as one file",
  watch: "Watch",
  more: (name) => `More about ${name}`,
  renameTitle: (name) => `Rename ${name}`,
  newName: "New name",
  removeTitle: (name) => `Delete ${name}?`,
  removePerson:
    "This deletes the footage that was uploaded, what was prepared, the trained model, and the evaluation. Results stay.",
  removeDance: "This deletes the video of the dance. What was made of it stays.",
  removeResult: "This deletes the video, and its comparison.",
  removeCount: (files, size) => `${plural(files, "file", "files")}, ${size}. This cannot be undone.`,
  removeStays: (names) =>
    `These files in the folder were not made by the program, and stay: ${names.slice(0, 5).join(", ")}` +
    (names.length > 5 ? ` and ${names.length - 5} more.` : "."),
  close: "Close",
  free: (size, folder) => `${size} free. Everything is in the folder ${folder}.`,
  whoDancesWhat: (person, dance) => `${person} dances ${dance}`,
  danceFacts: (seconds, width, height) => `${seconds ? `${seconds.toFixed(0)} s, ` : ""}${width} × ${height}`,

  // The filming checklist
  checklistTitle: "How to film",
  checklistIntro: "What the model has never seen it cannot paint: a good minute of footage is worth an hour of training.",
  checklist: [
    ["Camera still", "on a tripod or a shelf, focus and exposure locked if it can do that"],
    ["One to three minutes", "of one person, best alone, in the clothes they are to dance in"],
    ["The whole body", "feet and raised hands included, at every moment, with room above the head"],
    ["Step aside once", "out of the picture if you can: what is behind the person has to be seen some time"],
    ["Varied movement", "turn around, raise and cross the arms, bend the knees, step to and from the camera, jump"],
    ["Good, even light", "and no mirror or screen in view"],
  ],
};

export function sizeInWords(bytes) {
  let value = bytes;
  for (const unit of ["bytes", "kB", "MB"]) {
    if (value < 1000) return `${value < 10 && unit !== "bytes" ? value.toFixed(1) : Math.round(value)} ${unit}`;
    value /= 1000;
  }
  return `${value.toFixed(1)} GB`;
}
