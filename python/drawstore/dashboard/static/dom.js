// Making elements. Text is only ever set as text.

// Makes an element; properties are attributes, but for `class` lists and functions, which listen.
export function el(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") made.addEventListener(name, value);
    else if (value !== null && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

const SVG = "http://www.w3.org/2000/svg";

// Makes an element of a drawing.
export function drawn(tag, properties = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(properties)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// Makes a name an element that keeps its direction of writing to itself.
export function isolated(name) {
  return el("bdi", {}, name);
}

// Sets a text where it is another one, so that a selection survives.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Replaces children where they look different from those before.
export function setChildren(element, ...children) {
  const made = el("div", {}, ...children);
  if (made.childNodes.length === element.childNodes.length
      && [...made.childNodes].every((node, i) => node.isEqualNode(element.childNodes[i]))) return;
  element.replaceChildren(...made.childNodes);
}
