// Making elements: text is always text, never HTML.
"use strict";
bench.make = (tag, attributes = {}, ...inner) => {
  const element = tag === "svg" || bench.make.inSvg.has(tag)
    ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...inner.flat().filter((one) => one !== null && one !== undefined));
  return element;
};
bench.make.inSvg = new Set(["rect", "text", "line", "g", "title"]);
bench.button = (word, act, more = {}) => bench.make("button", { type: "button", onclick: act, ...more }, bench.say(word));
bench.field = (word, control, id) => {
  control.id = id;
  return [bench.make("label", { for: id }, bench.say(word)), control];
};
bench.choice = (options, chosen, act) => bench.make("select", { onchange: (event) => act(event.target.value) },
  options.map(([value, text]) => bench.make("option", { value, selected: String(value) === String(chosen) }, text)));
bench.number = (value) => Math.abs(value) >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
bench.table = (rows) => bench.make("table", {}, bench.make("tbody", {}, rows.map(([name, value]) =>
  bench.make("tr", {}, bench.make("th", { scope: "row" }, name), bench.make("td", {}, value)))));
