"use strict";
// Slices by a slider: the frames are in the page, one is shown.
for (const stack of document.querySelectorAll(".stack")) {
  const [image, slider, label] = [stack.querySelector("img"), stack.querySelector("input"), stack.querySelector("output")];
  const frames = JSON.parse(stack.querySelector("script").textContent);
  slider.addEventListener("input", () => {
    image.src = frames[Number(slider.value)];
    label.textContent = `${Number(slider.value) + 1} / ${frames.length}`;
  });
}
// Before and after: the slider says how much of the later picture covers the earlier one.
for (const wiper of document.querySelectorAll(".wiper")) {
  const [slider, after] = [wiper.querySelector("input"), wiper.querySelectorAll("img")[1]];
  const wipe = () => { after.style.clipPath = `inset(0 0 0 ${100 - Number(slider.value)}%)`; };
  slider.addEventListener("input", wipe);
  wipe();
}
// Tables sort by a column: by its first number, or as text.
for (const table of document.querySelectorAll("table")) {
  const heads = [...table.querySelectorAll("thead th")], body = table.tBodies[0];
  if (body.rows.length < 3) continue;
  const key = (row, column) => {
    const text = row.cells[column].textContent.trim(), number = parseFloat(text.replace(",", ""));
    return Number.isNaN(number) ? text : number;
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent || "name";
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows].map((row) => [key(row, column), row]);
      rows.sort(([a], [b]) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
      if (down) rows.reverse();
      body.append(...rows.map(([, row]) => row));
    });
    head.replaceChildren(button);
  });
}
