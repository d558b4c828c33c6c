// Small helpers for the page's elements.

export const byId = (id) => document.getElementById(id);

// Elements name their texts: data-text is the content, data-label the name for screen readers.
export function fillTexts(texts) {
  document.title = texts.title;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = texts[element.dataset.text];
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", texts[element.dataset.label]);
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
