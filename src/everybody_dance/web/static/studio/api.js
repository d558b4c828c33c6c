// The program's HTTP API. Every failure becomes an Error with a sentence to show.

import { TEXTS } from "./texts.js";

export class Refused extends Error {
  constructor(error, status) {
    super(error.message);
    this.code = error.code;
    this.status = status;
  }
}

export async function ask(method, path, body = undefined) {
  const request = { method };
  if (body instanceof Blob) request.body = body;
  else if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { "Content-Type": "application/json" };
  }
  let response;
  try {
    response = await fetch(`/api${path}`, request);
  } catch {
    throw new Error(TEXTS.unreachable);
  }
  const text = await response.text();
  let answer = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    throw new Error(text); // a sentence of the guard
  }
  if (!response.ok) throw new Refused(answer?.error ?? { message: `${response.status}` }, response.status);
  return answer;
}

export const at = (...parts) => `/${parts.map(encodeURIComponent).join("/")}`;

// The address of a picture, by its name or the parts of it; the number makes it another one when the picture changes.
export const pictureOf = (kind, id, name, number) => `/api${at(kind, id, ...[name].flat())}?v=${number}`;
