// A connection to the program. It asks for one message at a time, and comes back by itself with a growing pause.

const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 10_000;
const SILENCE = 8_000; // The program answers within seconds, even if it has nothing new.
const SERVER_ENDED = [1001, 1012];
const TOO_MANY = 1013;

export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

export class Connection {
  // on.begin(): a connection is opened, perhaps to a program that was started again.
  // on.ask(): the message that asks for the next one.
  // on.receive(data): whether that was the answer, or a promise of it; then the next one is asked for.
  // on.state("open" | "again" | "silent" | "full" | "ended").
  constructor(path, on) {
    this.path = path;
    this.on = on;
    this.failures = 0;
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      if (this.waiting) this.open();
      else if (this.held) this.ask();
    });
    this.open();
  }

  open() {
    clearTimeout(this.waiting);
    this.waiting = null;
    this.on.begin();
    const socket = new WebSocket(socketAddress(this.path));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.on.state("open");
      this.ask();
    };
    socket.onmessage = async (event) => {
      this.failures = 0;
      if ((await this.on.receive(event.data)) && socket === this.socket) this.ask();
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.lost(event.code);
    };
    this.socket = socket;
  }

  send(message) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify(message));
  }

  ask() {
    // Nobody looks at a hidden page: it asks again when it is shown.
    this.held = document.hidden;
    if (this.held) {
      clearTimeout(this.watch);
      return;
    }
    this.send(this.on.ask());
    clearTimeout(this.watch);
    const socket = this.socket;
    this.watch = setTimeout(() => {
      // A dead connection may take minutes to close properly.
      socket.onclose = null;
      socket.close();
      this.lost();
    }, SILENCE);
  }

  lost(code) {
    clearTimeout(this.watch);
    if (SERVER_ENDED.includes(code)) {
      this.on.state("ended");
      return;
    }
    this.failures += 1;
    this.on.state(code === TOO_MANY ? "full" : this.failures > 3 ? "silent" : "again");
    const pause = Math.min(FIRST_PAUSE * 1.7 ** (this.failures - 1), LONGEST_PAUSE);
    this.waiting = setTimeout(() => this.open(), pause * (0.8 + 0.4 * Math.random()));
  }
}
