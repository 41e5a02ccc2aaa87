// A cohort: what is rare, its faults, small pictures of all cases, and one case in full.
"use strict";
bench.Cohort = class {
  constructor(number) {
    this.number = number;
    this.view = { attribute: "", falling: false, origin: "all", text: "", other: "" };
  }

  async show(main) {
    this.main = main;
    this.known ??= await bench.ask(`cohorts/${this.number}`);
    this.view.attribute ||= this.known.attributes[0] ?? "";
    this.#all();
  }

  #all() {
    this.side = bench.make("section", { class: "panel", "aria-label": this.known.name });
    this.grid = bench.make("section", { class: "panel" });
    this.main.replaceChildren(this.side, this.grid);
    this.#panel();
    this.#cases();
  }

  #panel() {
    const { known, view } = this;
    const changed = (name) => (value) => { view[name] = value; this.#panel(); this.#cases(); };
    const others = bench.opened.cohorts.map((one, row) => [row, one.name]).filter(([row]) => row !== this.number);
    this.side.replaceChildren(
      bench.make("h2", {}, `${known.name}: ${known.cases.length} ${bench.say("cases")}`),
      ...bench.field("sort", bench.choice([["", bench.say("name")], ...known.attributes.map((one) => [one, one])], view.attribute, changed("attribute")), "sort"),
      ...bench.field("order", bench.choice([["", bench.say("rising")], ["1", bench.say("falling")]], view.falling, changed("falling")), "order"),
      ...bench.field("show", bench.choice(["all", "real", "made", "rareOnly"].map((one) => [one, bench.say(one)]), view.origin, changed("origin")), "origin"),
      ...bench.field("find", bench.make("input", { type: "search", value: view.text, oninput: (event) => { view.text = event.target.value; this.#cases(); } }), "find"),
      ...(others.length ? bench.field("compare", bench.choice([["", bench.say("nothing")], ...others], view.other, async (value) => { view.other = value; this.beside = value === "" ? null : await bench.ask(`cohorts/${value}`); this.#panel(); }), "compare") : []),
      this.#histogram(),
      this.#compared(),
      this.#faults(),
    );
  }

  #histogram() {
    const own = this.known.histograms.find((one) => one.attribute === this.view.attribute);
    if (!own) return null;
    const values = this.beside ? this.beside.cases.map((one) => one.attributes[own.attribute]).filter((one) => one !== undefined) : [];
    const low = Math.min(own.edges[0], ...values), high = Math.max(own.edges.at(-1), ...values);
    const width = 300, height = 110, all = Math.max(...own.counts, 1);
    const x = (value) => (value - low) / (high - low || 1) * width;
    const bars = own.counts.map((count, row) => {
      const [from, to] = [own.edges[row], own.edges[row + 1]];
      const tall = count / all * height;
      const rare = own.rare.some(([a]) => Math.abs(a - from) < 1e-9);
      const said = `${bench.number(from)} – ${bench.number(to)}: ${count}${rare ? ", " + bench.say("rare") : ""}`;
      return [
        rare ? bench.make("rect", { class: "thin", x: x(from) + 1, y: 0, width: Math.max(1, x(to) - x(from) - 2), height }, bench.make("title", {}, said)) : null,
        bench.make("rect", { x: x(from) + 1, y: height - tall, width: Math.max(1, x(to) - x(from) - 2), height: tall }, bench.make("title", {}, said)),
      ];
    });
    const step = own.edges[1] - own.edges[0] || 1;
    const counts = new Map();
    for (const value of values) counts.set(Math.floor((value - low) / step), (counts.get(Math.floor((value - low) / step)) ?? 0) + 1);
    const most = Math.max(1, ...counts.values());
    const beside = [...counts].map(([row, count]) => bench.make("rect", {
      class: "other", x: x(low + row * step) + (x(low + step) - x(low)) / 3, width: (x(low + step) - x(low)) / 3,
      y: height - count / most * height, height: count / most * height,
    }, bench.make("title", {}, `${this.beside.name}: ${count}`)));
    const rare = own.rare.map(([a, b]) => `${bench.number(a)} – ${bench.number(b)}`).join(", ");
    return bench.make("div", {},
      bench.make("h3", {}, own.attribute),
      bench.make("svg", { viewBox: `0 0 ${width} ${height + 16}`, role: "img", width: "100%",
        "aria-label": `${own.attribute}, ${bench.number(low)} – ${bench.number(high)}` },
        bars.flat(), beside,
        bench.make("text", { x: 0, y: height + 13 }, bench.number(low)),
        bench.make("text", { x: width, y: height + 13, "text-anchor": "end" }, bench.number(high))),
      rare ? bench.make("p", { class: "rare" }, `${bench.say("rare")}: ${rare}`) : null);
  }

  // How far the images of the other cohort are from this one's, measured on request.
  #compared() {
    if (!this.beside) return null;
    const place = bench.make("div", { role: "status" }), other = this.view.other;
    const measure = bench.button("measure", () => this.#apart(other, place).catch((error) => { measure.disabled = false; bench.report(error); }));
    measure.addEventListener("click", () => { measure.disabled = true; });
    return bench.make("div", {}, bench.make("div", { class: "row" }, measure), place);
  }

  async #apart(other, place) {
    bench.reported();
    const found = await bench.awaited(`cohorts/${this.number}/beside/${other}`, place);
    const shown = (one) => one ? bench.make("span", { title: one.size }, one.value) : "–";
    place.replaceChildren(
      bench.make("div", { class: "scroll", tabindex: "0" }, bench.make("table", {},
        bench.make("thead", {}, bench.make("tr", {}, ["", this.beside.name, bench.say("otherHalf")].map((head) => bench.make("th", { scope: "col" }, head)))),
        bench.make("tbody", {}, found.rows.map((row) => bench.make("tr", {},
          bench.make("th", { scope: "row" }, bench.say(row.name)), bench.make("td", {}, shown(row.found)), bench.make("td", {}, shown(row.reference))))))),
      bench.make("p", { class: "soft" }, `${found.rows[0].found.size}. ${bench.say("halves")}`),
      found.copies === null ? bench.make("p", { class: "soft" }, bench.say("noSynthetic"))
        : bench.make("p", { class: found.copies.length ? "rare" : "good" }, `${bench.say("copies")}: ${found.copies.length}`),
      found.copies?.length ? bench.make("ul", {}, found.copies.map((one) => bench.make("li", {}, one))) : "");
  }

  #faults() {
    const { faults } = this.known;
    return bench.make("details", { open: faults.length > 0 },
      bench.make("summary", {}, `${bench.say("faults")}: ${faults.length}`),
      faults.length ? bench.make("ul", {}, faults.map((one) => bench.make("li", {},
        `${one.file}: ${one.fault}. `, bench.make("strong", {}, `${bench.say("remedy")}: ${one.remedy}`))))
        : bench.make("p", { class: "soft" }, bench.say("noFaults")));
  }

  #chosen() {
    const { attribute, falling, origin, text } = this.view;
    const rare = this.known.histograms.find((one) => one.attribute === attribute)?.rare ?? [];
    const isRare = (one) => rare.some(([low, high]) => one.attributes[attribute] >= low && one.attributes[attribute] <= high);
    const wanted = { all: () => true, real: (one) => !one.synthetic, made: (one) => one.synthetic, rareOnly: isRare }[origin];
    const rows = this.known.cases.map((one, row) => ({ ...one, row }))
      .filter(wanted)
      .filter((one) => one.name.toLowerCase().includes(text.toLowerCase()));
    const value = (one) => one.attributes[attribute];
    rows.sort((a, b) => {
      if (!attribute) return a.name.localeCompare(b.name, undefined, { numeric: true });
      if (value(a) === undefined || value(b) === undefined) return (value(a) === undefined) - (value(b) === undefined);
      return value(a) - value(b);
    });
    return falling ? rows.reverse() : rows;
  }

  #cases() {
    const { attribute } = this.view;
    const cards = this.#chosen().map((one) => bench.make("button", {
      type: "button", class: "case", onclick: () => this.#case(one.row).catch(bench.report),
    },
      bench.picture(`cohorts/${this.number}/cases/${one.row}/small.png`, ""),
      bench.make("span", {}, one.name),
      bench.make("span", { class: one.synthetic ? "synthetic" : "soft" },
        [one.synthetic ? bench.say("synthetic") : one.split, attribute && one.attributes[attribute] !== undefined ? bench.number(one.attributes[attribute]) : ""].filter(Boolean).join(" · "))));
    this.grid.replaceChildren(bench.make("div", { class: "cases" }, cards));
    bench.reported(`${cards.length} ${bench.say("cases")}`);
  }

  async #case(row) {
    const one = this.known.cases[row], path = `cohorts/${this.number}/cases/${row}`;
    const viewer = new bench.Viewer();
    const rows = [[bench.say("subject"), one.subject], [bench.say("visit"), one.visit], [bench.say("split"), one.split],
      ...Object.entries(one.attributes).map(([name, value]) => [name, bench.number(value)]), ...Object.entries(one.categories)];
    const side = bench.make("section", { class: "panel" },
      bench.button("back", () => this.#all()),
      bench.make("h2", {}, one.name),
      one.labelled ? bench.make("div", {}, bench.field("labels", bench.make("input", { type: "range", min: 0, max: 1, step: 0.05, value: 0.4, oninput: (event) => viewer.opacity("labels", Number(event.target.value)) }), "labels")) : null,
      bench.make("h3", {}, bench.say("attributes")),
      bench.table(rows.filter(([, value]) => value !== "")));
    this.main.replaceChildren(side, bench.make("section", { class: "panel" }, viewer.element));
    if (one.synthetic) await this.#origin(side, path, viewer);
    const volumes = [[await bench.ask(`${path}/images/0`, { as: "bytes" }), "image.nii", "image"]];
    if (one.labelled) volumes.push([await bench.ask(`${path}/labels`, { as: "bytes" }), "labels.nii", "labels"]);
    this.current = volumes;
    await viewer.show(volumes);
    bench.reported(one.name);
  }

  async #origin(side, path, viewer) {
    const said = await bench.ask(`${path}/provenance`);
    const place = bench.make("div", { role: "status" });
    side.append(
      bench.make("h3", {}, bench.say("provenance")),
      bench.make("div", { class: "scroll" }, bench.table(Object.entries(said).map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]))),
      bench.make("div", { class: "row" }, bench.button("nearest", () => this.#nearest(path, place, viewer).catch(bench.report))),
      place);
  }

  async #nearest(path, place, viewer) {
    const found = await bench.awaited(`${path}/nearest`, place);
    const content = await bench.ask(`cohorts/${found.cohort}/cases/${found.case}/images/0`, { as: "bytes" });
    await viewer.show([this.current[0], [content, "nearest.nii", "other"]]);
    let timer = null;
    const blink = bench.button("blink", () => {
      if (timer) { clearInterval(timer); timer = null; viewer.opacity("other", 0); blink.setAttribute("aria-pressed", "false"); return; }
      let on = false;
      timer = setInterval(() => { on = !on; viewer.opacity("other", on ? 1 : 0); if (!viewer.element.isConnected) clearInterval(timer); }, 600);
      blink.setAttribute("aria-pressed", "true");
    }, { "aria-pressed": "false" });
    place.replaceChildren(
      bench.make("p", {}, `${found.name}, ${bench.say("similarity")} ${found.similarity.toFixed(2)}: `,
        bench.make("span", { class: found.copy ? "rare" : "good" }, bench.say(found.copy ? "copy" : "noCopy"))),
      blink);
    blink.focus();
  }
};
