// Small helpers for the page's elements.

import { TEXTS } from "./texts.js";

export const byId = (id) => document.getElementById(id);

export function fillTexts() {
  document.title = TEXTS.title;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = TEXTS[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", TEXTS[element.dataset.label]);
  }
}

// Writes only what changes: screen readers and the layout are left alone otherwise.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function show(element, visible) {
  if (element.hidden === visible) element.hidden = !visible;
}

export function press(button, on) {
  button.setAttribute("aria-pressed", String(Boolean(on)));
}

// Says something to screen readers, once each time it changes.
export function announce(text) {
  setText(byId("announcer"), text);
}

export function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}
