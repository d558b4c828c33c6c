// What the program says there is, kept in step by its events.

import { Connection } from "../connection.js";

export class Store {
  // onChange(state) when something changed, onConnection(state) as of Connection.
  constructor(onChange, onConnection) {
    this.state = null;
    this.connection = new Connection("/api/events", {
      begin: () => {},
      ask: () => ({ next: true }),
      receive: (text) => {
        const { whole, changed } = JSON.parse(text);
        if (whole || !this.state) {
          this.state = { people: {}, dances: {}, results: {}, jobs: {}, disk: {}, live: {} };
        }
        for (const [section, values] of Object.entries(changed)) {
          const known = { ...this.state[section] };
          for (const [id, value] of Object.entries(values)) {
            if (value === null) delete known[id];
            else known[id] = value;
          }
          this.state[section] = known;
        }
        if (whole || Object.keys(changed).length) onChange(this.state);
        // The next one is asked for when this one has been drawn.
        return new Promise((resolve) => requestAnimationFrame(() => resolve(true)));
      },
      state: onConnection,
    });
  }
}

export const UNFINISHED = ["waiting", "running", "paused"];

// Jobs that match, the newest first.
export function jobsOf(state, test) {
  return Object.values(state.jobs)
    .filter(test)
    .sort((one, other) => other.id - one.id);
}
