// The queue: what was asked for, how far it is, what came out, and what is kept.
"use strict";
bench.Queue = class {
  constructor(run = null) {
    this.run = run;
  }

  async show(list, view) {
    [this.list, this.view] = [list, view];
    await this.refresh();
    clearTimeout(this.timer);
    const again = async () => {
      if (!this.list.isConnected) return;
      await this.refresh().catch(bench.report);
      this.timer = setTimeout(again, 700);
    };
    this.timer = setTimeout(again, 700);
  }

  async refresh(look = null) {
    const jobs = (await bench.ask("jobs")).filter((one) => this.run === null || one.question.run === this.run);
    this.awaited = look ?? this.awaited;
    const found = jobs.find((one) => one.number === this.awaited);
    if (found?.state === "done") { this.awaited = null; this.open(found).catch(bench.report); }
    const told = JSON.stringify(jobs);
    if (told === this.told) return;
    this.told = told;
    const focused = document.activeElement?.id;
    this.list.replaceChildren(
      bench.make("h2", {}, bench.say("queue")),
      jobs.length ? bench.make("div", { class: "scroll" }, bench.make("table", {}, bench.make("tbody", {}, jobs.map((one) => this.#row(one)))))
        : bench.make("p", { class: "soft" }, bench.say("empty")));
    document.getElementById(focused)?.focus();
  }

  #row(job) {
    const { question } = job;
    const asked = bench.opened.runs[question.run].method === "progression" ? bench.say("forecast") : question.pathology ? `${question.pathology} ${question.level} ${bench.number(question.size_mm)} mm`
      : Object.entries(question.target).map(([name, value]) => `${name} ${bench.number(value)}`).join(", ");
    const measured = Object.entries(job.measured).filter(([name]) => question.pathology || name in question.target)
      .map(([name, value]) => `${name} ${bench.number(value)}`).join(", ");
    const acts = [];
    if (job.state === "waiting" || job.state === "running")
      acts.push(bench.button("cancel", () => bench.ask(`jobs/${job.number}`, { method: "DELETE" }).then(() => this.refresh(), bench.report), { id: `cancel-${job.number}` }));
    if (job.state === "done") {
      acts.push(bench.button("open", () => this.open(job).catch(bench.report), { id: `open-${job.number}` }));
      if (bench.opened.runs[question.run].method !== "progression") acts.push(job.kept ? bench.make("span", { class: "good" }, `${bench.say("kept")} ${job.kept}`)
        : bench.button("keep", () => bench.ask(`jobs/${job.number}/keep`, { method: "POST" }).then(() => this.refresh(), bench.report), { id: `keep-${job.number}`, accesskey: "k" }));
    }
    const state = job.state === "done" ? bench.say("within") : job.state === "missed" ? bench.say("outside") : bench.say(job.state);
    return bench.make("tr", {},
      bench.make("th", { scope: "row" }, String(job.number)),
      bench.make("td", {}, `${asked} · ${bench.say("seed")} ${question.seed}`),
      bench.make("td", {}, bench.make("span", { class: job.state === "done" ? "good" : job.state === "missed" || job.state === "failed" ? "rare" : "" }, state),
        job.progress ? bench.make("progress", { max: Math.max(1, job.progress.total), value: job.progress.done, "aria-label": job.progress.what }) : null,
        job.message ? bench.make("p", { class: "soft" }, job.message) : null),
      bench.make("td", {}, measured ? `${bench.say("measured")} ${measured} · ${job.tries} ${bench.say("tries")} · ${bench.number(job.seconds)} ${bench.say("seconds")}` : ""),
      bench.make("td", {}, bench.make("div", { class: "row" }, acts)));
  }

  // The case of a job; an edited scan beside what it was.
  async open(job) {
    const path = `jobs/${job.number}`;
    if (bench.opened.runs[job.question.run].method === "progression") return this.#film(job, path);
    if (job.question.case !== null && job.question.cohort !== null) return this.#edited(job, path);
    const viewer = new bench.Viewer();
    const volumes = [[await bench.ask(`${path}/image`, { as: "bytes" }), "image.nii", "image"],
      [await bench.ask(`${path}/labels`, { as: "bytes" }).catch(() => null), "labels.nii", "labels"]].filter(([content]) => content);
    this.view.replaceChildren(bench.make("h2", {}, String(job.number)),
      ...this.#slide("labels", 0.4, (value) => viewer.opacity("labels", value)), viewer.element);
    await viewer.show(volumes);
  }

  // An edited scan, wiped to and from what it was, with the difference over it.
  async #edited(job, path) {
    const viewer = new bench.Wiped();
    const before = await bench.ask(`cohorts/${job.question.cohort}/cases/${job.question.case}/images/0`, { as: "bytes" });
    const after = await bench.ask(`${path}/image`, { as: "bytes" }), change = await bench.ask(`${path}/difference`, { as: "bytes" });
    this.view.replaceChildren(bench.make("h2", {}, String(job.number)),
      ...this.#slide("wipe", 0.5, (value) => viewer.wipe(value)),
      ...this.#slide("difference", 0, (value) => viewer.after.opacity("change", value)),
      viewer.element);
    await viewer.show([[before, "before.nii", "image"]], [[after, "after.nii", "image"], [change, "difference.nii", "change"]]);
  }

  #slide(word, value, act) {
    return bench.field(word, bench.make("input", { type: "range", min: 0, max: 1, step: 0.02, value, oninput: (event) => act(Number(event.target.value)) }), `slide-${word}`);
  }

  // The film of a forecast, and what is read on it.
  async #film(job, path) {
    const film = bench.make("img", { alt: bench.say("forecast"), class: "film" });
    film.src = URL.createObjectURL(await bench.ask(`${path}/film`, { as: "blob" }));
    const readings = await bench.ask(`${path}/readings`);
    const heads = Object.keys(readings[0] ?? {});
    this.view.replaceChildren(bench.make("h2", {}, `${job.number}: ${bench.say("forecast")}`), film,
      bench.make("div", { class: "scroll", tabindex: "0" }, bench.make("table", {},
        bench.make("thead", {}, bench.make("tr", {}, heads.map((head) => bench.make("th", { scope: "col" }, head)))),
        bench.make("tbody", {}, readings.map((row) => bench.make("tr", {}, heads.map((head) => bench.make("td", {}, row[head]))))))));
  }
};
