// The show's pictures, one after the other, each with the show's status.

import { Connection } from "./connection.js";

export class Pictures {
  // on.picture(header, jpegs) may return a promise: the next picture is asked for when it is done.
  // on.status(header), on.error(message), on.state(state) as of Connection.
  constructor(on) {
    this.on = on;
    this.connection = new Connection("/show", {
      begin: () => (this.number = 0), // A program that was started again counts anew.
      ask: () => ({ next: this.number }),
      receive: (data) => this.receive(data),
      state: (state) => on.state(state),
    });
  }

  send(message) {
    this.connection.send(message);
  }

  async receive(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.status) this.on.status(message);
      if (message.error) this.on.error(message.error.message);
      return false;
    }
    const length = new DataView(data).getUint32(0);
    const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
    this.on.status(header);
    if (header.number === null) return true;
    const [first, second] = header.sizes;
    const begin = 4 + length;
    const jpegs = [
      new Blob([new Uint8Array(data, begin, first)], { type: "image/jpeg" }),
      new Blob([new Uint8Array(data, begin + first, second)], { type: "image/jpeg" }),
    ];
    const { socket } = this.connection;
    try {
      await this.on.picture(header, jpegs);
    } catch (error) {
      console.warn("A picture could not be drawn:", error);
    }
    if (socket === this.connection.socket) this.number = header.number;
    return true;
  }
}
