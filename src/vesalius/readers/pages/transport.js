// Where a study comes from and answers go to: a server, or this folder of files.
"use strict";
reader.identifier = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");

// Answers that are not acknowledged yet stay in this browser, whatever happens to page and network.
reader.Outbox = class {
  constructor(name) { this.name = `vesalius-outbox-${name}`; }
  all() { return JSON.parse(localStorage.getItem(this.name) || "[]"); }
  put(entry) { this.#write([...this.all(), entry]); }
  drop(key) { this.#write(this.all().filter((one) => one.sent.key !== key)); }
  #write(entries) { localStorage.setItem(this.name, JSON.stringify(entries)); }
};

reader.Refused = class extends Error {
  constructor(status, detail) { super(detail); this.status = status; }
};

reader.Server = class {
  constructor(token, sitting) { this.token = token; this.sitting = sitting; this.name = token.slice(0, 8); }

  async #ask(path, options = {}) {
    const headers = { Authorization: `Bearer ${this.token}`, ...options.headers };
    const answer = await fetch(`api/${path}`, { ...options, headers, cache: "no-store" });
    if (!answer.ok) throw new reader.Refused(answer.status, (await answer.text()).slice(0, 200));
    return answer;
  }

  async study() { return (await this.#ask("study")).json(); }
  async progress() { return (await this.#ask("progress")).json(); }
  async step(number) { return (await this.#ask(`steps/${number}?sitting=${this.sitting}`)).json(); }
  async picture(step, name) { return (await this.#ask(`steps/${step}/${name}`)).arrayBuffer(); }
  async store(step, sent) {
    const options = { method: "POST", body: JSON.stringify(sent), headers: { "Content-Type": "application/json" } };
    return (await this.#ask(`steps/${step}`, options)).json();
  }
};

// A folder of files: answers stay in this browser until they are saved as one file.
reader.Folder = class {
  constructor(study, sitting) {
    this.own = study;
    this.sitting = sitting;
    this.name = study.reader;
    this.place = `vesalius-answers-${study.study}-${study.reader}`;
  }

  answers() { return JSON.parse(localStorage.getItem(this.place) || "[]"); }
  async study() { return this.own.outline; }

  async progress() {
    const answers = this.answers(), steps = this.own.steps;
    const done = [...new Set(answers.map((one) => one.step))].sort((a, b) => a - b);
    const next = steps.findIndex((_, number) => !done.includes(number));
    const opens = next < 0 ? null : this.#opens(next, answers);
    return { answered: done, next: next < 0 ? null : next, steps: steps.length,
             opens: opens && opens > new Date() ? opens.toISOString() : null };
  }

  #opens(step, answers) {
    if (this.own.steps[step].session === 1) return null;
    const first = answers.filter((one) => this.own.steps[one.step].session === 1);
    const last = Math.max(...first.map((one) => Date.parse(one.received)));
    return new Date(last + this.own.washoutDays * 86400000);
  }

  async step(number) {
    const given = this.answers().filter((one) => one.step === number);
    return { ...this.own.steps[number], step: number,
             open: !given.length || given[0].sitting === this.sitting,
             content: given.length ? given.at(-1).content : null };
  }

  async picture(step, name) {
    if (!reader.files?.[name]) await this.#load(name);
    return Uint8Array.from(atob(reader.files[name]), (one) => one.charCodeAt(0)).buffer;
  }

  #load(name) {
    return new Promise((done, failed) => {
      const script = document.createElement("script");
      script.src = `stimuli/${name}.js`;
      script.onload = done;
      script.onerror = () => failed(new Error(name));
      document.head.append(script);
    });
  }

  async store(step, sent) {
    const answers = this.answers();
    if (!answers.some((one) => one.key === sent.key)) {
      answers.push({ ...sent, step, received: new Date().toISOString() });
      localStorage.setItem(this.place, JSON.stringify(answers));
    }
    return this.progress();
  }

  file() {
    const told = { study: this.own.study, reader: this.own.reader, token: this.own.token, answers: this.answers() };
    return new Blob([JSON.stringify(told, null, 1)], { type: "application/json" });
  }
};
