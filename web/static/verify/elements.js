// Making elements: children are text unless they are elements, so nothing that a stranger wrote becomes markup.

/** Return an element of `tag` (with classes as tag.one.two), its attributes set and its children appended. */
export function make(tag, attributes = {}, ...children) {
  const [name, ...classes] = tag.split(".");
  const element = document.createElement(name);
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(key, value);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** Return text of a stranger, isolated: its writing direction cannot disturb what stands around it. */
export const isolated = (text) => make("bdi", {}, text);

/** Return the element of that id. */
export const byId = (id) => document.getElementById(id);
