// The questions of a case as a form that keys can fill.
"use strict";
reader.Questions = class {
  constructor(form, changed) {
    this.form = form;
    this.changed = changed;
    this.current = 0;
    form.addEventListener("change", () => this.changed());
    form.addEventListener("input", () => this.changed());
    form.addEventListener("focusin", (event) => {
      const set = event.target.closest("fieldset");
      if (set) this.mark(this.sets.indexOf(set));
    });
  }

  build(asked, words, language, content, open) {
    this.asked = asked;
    this.sets = asked.map((question) => this.#set(question, words, language, content?.[question.name], open));
    this.comment = document.createElement("textarea");
    Object.assign(this.comment, { maxLength: 2000, disabled: !open, value: content?.comment || "", placeholder: words.comment });
    this.comment.setAttribute("aria-label", words.comment);
    this.form.replaceChildren(...this.sets, this.comment);
    this.mark(0);
  }

  #set(question, words, language, given, open) {
    const set = document.createElement("fieldset");
    set.disabled = !open;
    const legend = document.createElement("legend");
    const slot = question.slot ?? null;
    const known = words.questions[slot === null ? question.name : "usefulness"];
    legend.textContent = question.words?.[language] || question.words?.en || question.words?.de
      || (slot === null ? known : known(reader.letter(slot)));
    const choices = document.createElement("div");
    choices.className = "choices";
    for (const [value, shown] of this.#options(question, words)) {
      const label = document.createElement("label"), input = document.createElement("input"), face = document.createElement("span");
      Object.assign(input, { type: "radio", name: question.name, value: String(value), checked: value === given });
      face.textContent = shown;
      label.append(input, face);
      choices.append(label);
    }
    set.append(legend, choices);
    if (question.kind === "scale") {
      const ends = document.createElement("div");
      ends.className = "ends";
      const told = words.ends[slot !== null ? "usefulness" : question.name] || words.ends.scale;
      for (const one of told) ends.append(Object.assign(document.createElement("span"), { textContent: one }));
      set.append(ends);
    }
    return set;
  }

  #options(question, words) {
    if (question.kind === "choice") return question.options.map((one) => [one, words.options[one] || one]);
    return Array.from({ length: question.high - question.low + 1 }, (_, n) => [question.low + n, String(question.low + n)]);
  }

  mark(number) {
    this.current = Math.min(Math.max(number, 0), this.sets.length - 1);
    this.sets.forEach((set, own) => set.classList.toggle("current", own === this.current));
  }

  // A digit answers the marked question and marks the next one; choices are counted from 1.
  key(digit) {
    const question = this.asked[this.current];
    const inputs = [...this.sets[this.current].querySelectorAll("input")];
    const place = question.kind === "choice" ? digit - 1 : digit - question.low;
    if (!inputs[place] || this.sets[this.current].disabled) return;
    inputs[place].checked = true;
    this.changed();
    this.mark(this.current + 1);
  }

  #value(question) {
    const chosen = this.form.querySelector(`input[name="${question.name}"]:checked`);
    if (!chosen) return null;
    return question.kind === "scale" ? Number(chosen.value) : chosen.value;
  }

  content() {
    const found = {};
    for (const question of this.asked) {
      const value = this.#value(question);
      if (value !== null) found[question.name] = value;
    }
    const comment = reader.wellFormed(this.comment.value).trim();
    if (comment) found.comment = comment;
    return found;
  }

  complete() { return this.asked.every((question) => this.#value(question) !== null); }
};

reader.letter = (slot) => String.fromCharCode(65 + slot);
