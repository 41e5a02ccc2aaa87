// Where a study comes from and answers go to: a server, or this folder of files.
"use strict";
reader.identifier = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) => one.toString(16).padStart(2, "0")).join("");

// What browsers keep for a page. A full or forbidden store is reported, and what did not fit stays in
// this page for as long as it is open.
reader.Keeper = class {
  static held = new Map();
  static full = () => {};

  static get(name) {
    if (reader.Keeper.held.has(name)) return reader.Keeper.held.get(name);
    try { return localStorage.getItem(name); } catch { return null; }
  }

  static set(name, text) {
    try {
      localStorage.setItem(name, text);
      reader.Keeper.held.delete(name);
      return true;
    } catch (error) {
      console.error(error);
      reader.Keeper.held.set(name, text);
      reader.Keeper.full();
      return false;
    }
  }

  static drop(name) {
    reader.Keeper.held.delete(name);
    try { localStorage.removeItem(name); } catch { /* nothing was kept */ }
  }

  static names() {
    try { return [...reader.Keeper.held.keys(), ...Object.keys(localStorage)]; } catch { return [...reader.Keeper.held.keys()]; }
  }
};

// Answers that are not acknowledged yet stay in this browser, whatever happens to page and network.
reader.Outbox = class {
  constructor(name) { this.name = `vesalius-outbox-${name}`; }
  all() { return JSON.parse(reader.Keeper.get(this.name) || "[]"); }
  put(entry) { return this.#write([...this.all(), entry]); }
  drop(key) { this.#write(this.all().filter((one) => one.sent.key !== key)); }
  #write(entries) { return reader.Keeper.set(this.name, JSON.stringify(entries)); }
};

reader.Refused = class extends Error {
  constructor(status, detail) { super(detail); this.status = status; }

  // Only these say that an answer can never be stored; whatever else a server or a proxy says may pass.
  get final() { return this.status === 409 || this.status === 422; }
};

// Growing pauses between tries, in milliseconds.
reader.pauses = function* () { for (let wait = 500; ; wait = Math.min(wait * 2, 60000)) yield wait; };

// Text as it can be stored: half a character, as a cut emoji leaves it, becomes �.
reader.wellFormed = (text) => (text.toWellFormed ? text.toWellFormed()
  : text.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd"));

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

// A folder of files: answers stay in this browser until they are saved as one file. Sessions are closed
// as on the server, by the clock of this machine; `vesalius readers collect` checks what came of it.
reader.Folder = class {
  constructor(study, sitting) {
    this.own = study;
    this.sitting = sitting;
    this.name = `${study.study}-${study.reader}`;
    this.place = `vesalius-answers-${study.study}-${study.reader}`;
  }

  answers() { return JSON.parse(reader.Keeper.get(this.place) || "[]"); }
  async study() { return this.own.outline; }

  async progress() {
    const answers = this.answers(), steps = this.own.steps;
    const done = [...new Set(answers.map((one) => one.step))].sort((a, b) => a - b);
    const next = this.#next(answers);
    const session = next === null ? null : steps[next].session;
    const opens = next === null ? null : this.#opens(next, answers);
    return { answered: done, next, steps: steps.length, session,
             first: next === null ? null : steps.findIndex((one) => one.session === session),
             opens: opens && opens > new Date() ? opens.toISOString() : null };
  }

  #next(answers) {
    const next = this.own.steps.findIndex((_, number) => !answers.some((one) => one.step === number));
    return next < 0 ? null : next;
  }

  #opens(step, answers) {
    if (this.own.steps[step].session === 1) return null;
    const first = answers.filter((one) => this.own.steps[one.step].session === 1);
    const last = Math.max(...first.map((one) => Date.parse(one.received)));
    return new Date(last + this.own.washoutDays * 86400000);
  }

  #open(number) {
    const answers = this.answers(), next = this.#next(answers), steps = this.own.steps;
    if (next === null || number > next || steps[number].session !== steps[next].session) return false;
    const opens = this.#opens(number, answers);
    return !opens || opens <= new Date();
  }

  async step(number) {
    if (!this.#open(number)) throw new reader.Refused(403, "closed");
    const answers = this.answers(), given = answers.filter((one) => one.step === number);
    const own = this.own.steps[number].session;
    const rest = this.own.steps.every((one, n) => one.session !== own || n === number || answers.some((a) => a.step === n));
    return { ...this.own.steps[number], step: number,
             open: !given.length || given[0].sitting === this.sitting,
             closes: !given.length && rest,
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
      if (!this.#open(step)) throw new reader.Refused(409, "closed");
      answers.push({ ...sent, step, received: new Date().toISOString() });
      reader.Keeper.set(this.place, JSON.stringify(answers));
    }
    return this.progress();
  }

  file() {
    const told = { study: this.own.study, reader: this.own.reader, token: this.own.token, answers: this.answers() };
    return new Blob([JSON.stringify(told, null, 1)], { type: "application/json" });
  }
};
