// A run: what it can be asked for, a preview that follows the sliders, that of another run beside it,
// and the full case.
"use strict";
bench.Asking = class {
  constructor(number) {
    this.number = number;
    this.question = { run: number, target: {}, seed: 1 };
    this.queue = new bench.Queue(number);
  }

  async show(main) {
    bench.reported(bench.say("opening"));
    this.form ??= await bench.ask(`runs/${this.number}`);
    this.side = bench.make("section", { class: "panel", "aria-label": this.form.name });
    this.view = bench.make("section", { class: "panel" });
    this.list = bench.make("section", { class: "panel wide" });
    main.replaceChildren(this.side, this.view, this.list);
    this.#controls();
    await this.queue.show(this.list, this.view);
    bench.reported("");
    if (this.form.preview) this.#preview();
    else this.view.replaceChildren(bench.make("p", { class: "soft" }, bench.say("noPreview")));
  }

  #controls() {
    const parts = [bench.make("h2", {}, `${this.form.name} · ${this.form.method}`)];
    if (this.form.attributes) for (const one of this.form.attributes) parts.push(...this.#slider(one));
    else if (this.form.findings && bench.opened.cohorts.length) parts.push(...this.#finding());
    else if (this.form.years && bench.opened.cohorts.length) parts.push(...this.#scan());
    else parts.push(bench.make("p", {}, bench.say(this.form.findings || this.form.years ? "needsCohort" : "cannotAsk")));
    const seed = bench.make("input", { type: "number", min: 0, step: 1, value: this.question.seed, onchange: (event) => { this.question.seed = Math.max(0, Math.round(Number(event.target.value) || 0)); this.#preview(); } });
    const tolerance = bench.make("input", { type: "number", min: 0, step: "any", value: this.question.tolerance ?? (this.form.findings ? 1 : 0.1), onchange: (event) => { this.question.tolerance = Number(event.target.value) || null; } });
    parts.push(...bench.field("seed", seed, "seed"), ...bench.field(this.form.findings ? "toleranceMm" : "tolerance", tolerance, "tolerance"),
      bench.make("p", { class: "row" },
        bench.button("newSeed", () => { this.question.seed = Math.floor(Math.random() * 2 ** 31); seed.value = this.question.seed; this.#preview(); }),
        bench.button("generate", () => this.#generate().catch(bench.report), { class: "main", accesskey: "g" })));
    if (this.form.preview) parts.push(...this.#beside(), bench.make("p", { class: "soft" }, bench.say("previewNote")));
    parts.push(bench.make("p", { class: "soft" }, `${bench.say("keptIn")} ${bench.opened.kept}`));
    this.side.replaceChildren(...parts);
  }

  #slider(one) {
    const { target } = this.question;
    target[one.name] ??= Number(one.middle.toPrecision(3));
    const step = 10 ** Math.floor(Math.log10((one.high - one.low) / 100));
    const set = (value, other) => {
      target[one.name] = Math.min(one.high, Math.max(one.low, Number(value)));
      other.value = target[one.name];
      this.#preview();
    };
    const exact = bench.make("input", { type: "number", min: one.low, max: one.high, step: "any", value: target[one.name], "aria-label": one.name, onchange: (event) => set(event.target.value, slide) });
    const slide = bench.make("input", { type: "range", min: one.low, max: one.high, step, value: target[one.name], id: `ask-${one.name}`, oninput: (event) => set(event.target.value, exact) });
    return [bench.make("label", { for: slide.id }, one.name), slide, exact];
  }

  // Another run of the same method that is asked the same.
  #beside() {
    const others = bench.opened.runs.map((one, row) => [row, one]).filter(([row, one]) => row !== this.number && one.method === this.form.method);
    if (!others.length) return [];
    const names = [["", bench.say("none")], ...others.map(([row, one]) => [row, one.name])];
    return bench.field("beside", bench.choice(names, this.other ?? "", (value) => { this.other = value === "" ? null : Number(value); this.#preview(); }), "beside");
  }

  #finding() {
    const { question, form } = this;
    const chosen = form.findings.find((one) => one.name === question.pathology) ?? form.findings[0];
    question.pathology = chosen.name;
    if (!chosen.levels.includes(question.level)) question.level = chosen.levels[0];
    question.size_mm = Math.min(chosen.high, Math.max(chosen.low, question.size_mm ?? chosen.middle));
    const again = (name, cast) => (value) => { question[name] = cast(value); this.#controls(); };
    const size = bench.make("span", {}, `${bench.number(question.size_mm)} mm`);
    return [
      ...this.#scan(),
      ...bench.field("finding", bench.choice(form.findings.map((one) => [one.name, one.name]), chosen.name, again("pathology", String)), "finding"),
      ...bench.field("level", bench.choice(chosen.levels.map((one) => [one, one]), question.level, again("level", String)), "level"),
      ...bench.field("size", bench.make("input", { type: "range", min: chosen.low, max: chosen.high, step: "any", value: question.size_mm, oninput: (event) => { question.size_mm = Number(event.target.value); size.textContent = `${bench.number(question.size_mm)} mm`; } }), "size"),
      size,
      bench.make("p", { class: "row" }, bench.make("input", { type: "checkbox", id: "at-crosshair", checked: this.atCrosshair, onchange: (event) => { this.atCrosshair = event.target.checked; } }), bench.make("label", { for: "at-crosshair" }, bench.say("atCrosshair"))),
    ];
  }

  // Which scan is edited, or looked ahead from.
  #scan() {
    const { question, form } = this;
    const first = Math.max(0, bench.opened.cohorts.findIndex((one) => one.cases > one.synthetic));
    question.cohort ??= first;
    question.case ??= 0;
    const scans = bench.make("select", { onchange: (event) => { question.case = Number(event.target.value); this.#before().catch(bench.report); } });
    bench.ask(`cohorts/${question.cohort}`).then((known) => {
      scans.replaceChildren(...known.cases.map((one, row) => bench.make("option", { value: row, selected: row === question.case, disabled: Boolean(form.findings) && !one.labelled }, one.name)));
      this.#before().catch(bench.report);
    }, bench.report);
    const cohorts = bench.choice(bench.opened.cohorts.map((one, row) => [row, one.name]), question.cohort, (value) => { question.cohort = Number(value); question.case = 0; this.#controls(); });
    return [...bench.field("cohort", cohorts, "of-cohort"), ...bench.field("scan", scans, "scan")];
  }

  // The scan that a finding is set into, before it is.
  async #before() {
    const path = `cohorts/${this.question.cohort}/cases/${this.question.case}`;
    const viewer = this.scan = new bench.Viewer();
    this.view.replaceChildren(bench.make("h2", {}, bench.say("before")), viewer.element);
    await viewer.show([[await bench.ask(`${path}/images/0`, { as: "bytes" }), "image.nii", "image"]]);
  }

  // One preview is computed at a time, and of those asked for meanwhile only the last.
  async #preview() {
    if (!this.form.preview) return;
    if (this.busy) { this.stale = true; return; }
    this.busy = true;
    try {
      do {
        this.stale = false;
        const question = structuredClone(this.question);
        const shown = [[this.form.name, await bench.ask("preview", { method: "POST", body: question })]];
        const other = this.other ?? null;
        if (other !== null) shown.push([bench.opened.runs[other].name, await bench.ask("preview", { method: "POST", body: { ...question, run: other } })]);
        this.#previewed(question, shown);
      } while (this.stale);
    } catch (error) { bench.report(error); } finally { this.busy = false; }
  }

  #previewed(question, shown) {
    const each = shown.map(([name, one]) => bench.make("section", { "aria-label": name }, ...(shown.length > 1 ? [bench.make("h3", {}, name)] : []), ...this.#pictures(question, one)));
    this.view.replaceChildren(bench.make("h2", {}, bench.say("preview")), bench.make("div", { class: shown.length > 1 ? "side-by-side" : "" }, ...each));
  }

  #pictures(question, shown) {
    const planes = ["axial", "coronal", "sagittal"];
    const figures = (kind) => bench.make("div", { class: "planes" }, shown.planes[kind].map((source, row) =>
      bench.make("img", { src: source, alt: `${bench.say(planes[row])}, ${bench.say(kind === "labels" ? "labels" : "preview")}` })));
    const measured = Object.entries(shown.measured).map(([name, value]) => {
      const wanted = question.target[name];
      return bench.make("p", { class: "measured" }, `${name}: ${bench.say("measured")} ${bench.number(value)}`,
        wanted === undefined ? "" : bench.make("span", { class: "soft" }, ` · ${bench.say("wanted")} ${bench.number(wanted)}`));
    });
    return [...measured, figures("labels"), bench.make("p", {}), figures("image")];
  }

  async #generate() {
    if (this.form.findings) this.question.point_mm = this.atCrosshair ? this.scan?.point() ?? null : null;
    const job = await bench.ask("jobs", { method: "POST", body: this.question });
    bench.reported(`${job.number}: ${bench.say(job.state)}`);
    await this.queue.refresh(job.number);
  }
};
