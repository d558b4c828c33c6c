// The connection to the show. It asks for one picture at a time, and comes back by itself with a growing pause.

const FIRST_PAUSE = 500; // ms
const LONGEST_PAUSE = 10_000;
const SILENCE = 8_000; // The program answers within a second, even if it has no picture.
const SERVER_ENDED = [1001, 1012];
const TOO_MANY = 1013;

export function socketAddress(path) {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
}

export class Connection {
  // on.picture(header, jpegs) may return a promise: the next picture is asked for when it is done.
  // on.status(header), on.error(message), on.state("open" | "again" | "silent" | "full" | "ended").
  constructor(on) {
    this.on = on;
    this.failures = 0;
    this.number = 0;
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
    this.number = 0; // A program that was started again counts anew.
    const socket = new WebSocket(socketAddress("/show"));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.on.state("open");
      this.ask();
    };
    socket.onmessage = (event) => this.receive(event.data);
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
    this.send({ next: this.number });
    clearTimeout(this.watch);
    const socket = this.socket;
    this.watch = setTimeout(() => {
      // A dead connection may take minutes to close properly.
      socket.onclose = null;
      socket.close();
      this.lost();
    }, SILENCE);
  }

  async receive(data) {
    this.failures = 0;
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.status) this.on.status(message);
      if (message.error) this.on.error(message.error.message);
      return;
    }
    const socket = this.socket;
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.on.status(header);
    if (header.number !== null) {
      const [first, second] = header.sizes;
      const begin = 4 + length;
      const jpegs = [
        new Blob([new Uint8Array(data, begin, first)], { type: "image/jpeg" }),
        new Blob([new Uint8Array(data, begin + first, second)], { type: "image/jpeg" }),
      ];
      try {
        await this.on.picture(header, jpegs);
      } catch (error) {
        console.warn("A picture could not be drawn:", error);
      }
      if (socket !== this.socket) return;
      this.number = header.number;
    }
    this.ask();
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
