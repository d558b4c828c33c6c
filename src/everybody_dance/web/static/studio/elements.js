// Building elements, and keeping lists of them in step with values without touching what has not changed.

// h("button", { class: "main", text: "Train", on: { click } }, child, ...)
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "on") for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    else if (name === "text") element.textContent = value;
    else if (name === "class") element.className = value;
    else set(element, name, value);
  }
  element.append(...children.filter(Boolean));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#icon-${name}`);
  svg.append(use);
  return svg;
}

// An attribute, written only if it changes; null, false and undefined take it away.
export function set(element, name, value) {
  const wanted = value === null || value === undefined || value === false ? null : value === true ? "" : String(value);
  if (element.getAttribute(name) === wanted) return;
  if (wanted === null) element.removeAttribute(name);
  else element.setAttribute(name, wanted);
}

// Keeps the children of a container in step with [key, value] pairs: make(key) for a new one, update(child, value).
export function keep(container, entries, make, update) {
  const have = (container.kept ??= new Map());
  const wanted = new Map(entries);
  for (const [key, child] of have) {
    if (wanted.has(key)) continue;
    child.remove();
    have.delete(key);
  }
  let before = null;
  for (const [key, value] of entries) {
    let child = have.get(key);
    if (!child) {
      child = make(key, value);
      have.set(key, child);
    }
    const place = before ? before.nextSibling : container.firstChild;
    if (place !== child) container.insertBefore(child, place);
    update(child, value);
    before = child;
  }
}

let ids = 0;
// A label around a control, with the text above it.
export function field(text, control, hint = null) {
  control.id ||= `field-${(ids += 1)}`;
  const label = h("label", { for: control.id, text });
  return h("div", { class: "field" }, label, control, hint);
}

export function options(select, entries) {
  select.replaceChildren(...entries.map(([value, text]) => new Option(text, value)));
  return select;
}

// A card that stands for one of several choices of a radio group.
export function radioCard(group, value, onChange) {
  const input = h("input", { type: "radio", name: group, value, on: { change: onChange } });
  const picture = h("img", { alt: "", loading: "lazy" });
  const name = h("strong");
  const more = h("small");
  const card = h("label", { class: "pick" }, input, h("span", { class: "frame" }, picture), h("span", {}, name, more));
  return Object.assign(card, { input, picture, name, more });
}

// A file's name without its suffix.
export const stem = (name) => name.replace(/\.[A-Za-z0-9]{1,5}$/, "");
