// The framing guide: the frame that holds arms and hands, and in it the outline of a body from head to feet.

import { h } from "./elements.js";

const SVG = "http://www.w3.org/2000/svg";
const BODY =
  "M21 28C13 29 10 33 9 39L5 57C4.5 60 8 61 9 58L14.5 43 16 58 14 91C14 94 21.5 94 22 91L26 66C26.4 64.5 27.6 64.5 " +
  "28 66L32 91C32.5 94 40 94 40 91L38 58 39.5 43 45 58C46 61 49.5 60 49 57L45 39C44 33 41 29 33 28Z";

function shape(name, properties) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  return element;
}

export function guide() {
  const body = shape("svg", { viewBox: "0 0 54 100", "aria-hidden": "true" });
  body.append(shape("circle", { cx: 27, cy: 18.5, r: 6.5 }), shape("path", { d: BODY }));
  return h("div", { class: "film-guide" }, h("span"), body);
}
