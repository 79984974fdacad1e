// Elements, made and filled. Text is only ever set as text.

export function element(tag, text = "", properties = {}) {
  const made = document.createElement(tag);
  made.textContent = text;
  return Object.assign(made, properties);
}

export function drawn(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Show a file's picture, and let go of it once it is shown. */
export function show(image, file) {
  const address = URL.createObjectURL(file);
  for (const end of ["load", "error"]) image.addEventListener(end, () => URL.revokeObjectURL(address), { once: true });
  image.src = address;
}

export function row(...cells) {
  const made = document.createElement("tr");
  made.append(...cells);
  return made;
}

export function bar(value) {
  const outer = element("span", "", { className: "bar" });
  const inner = element("span");
  inner.style.width = `${100 * value}%`;
  outer.append(inner);
  return outer;
}
