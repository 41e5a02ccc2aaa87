// A reader's way through a study: case by case, nothing lost, time counted.
"use strict";
(() => {
  const at = (name) => document.getElementById(name);
  const sitting = reader.identifier();
  const stopwatch = new reader.Stopwatch();
  const viewer = new reader.Viewer(at("viewer"));
  const form = at("panel");
  let transport, outbox, study, words, language, come, step = null, shown = null, preset = 0, busy = false, again = null;

  const questions = new reader.Questions(form, () => { keepDraft(); face(); });

  // ------------------------------------------------------------------ language and sheets
  function speak(which) {
    language = which;
    words = reader.words[language];
    document.documentElement.lang = language;
    reader.Keeper.set("vesalius-language", language);
    at("language").textContent = words.other;
  }

  function sheet(title, ...lines) {
    const place = at("sheet");
    const head = Object.assign(document.createElement("h2"), { textContent: title });
    place.replaceChildren(head, ...lines.map((one) =>
      one instanceof Node ? one : Object.assign(document.createElement("p"), { textContent: one })));
    if (!place.open) place.showModal();
    place.querySelector("button.main")?.focus();
    return place;
  }

  const button = (text, act, main = false) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text, className: main ? "main" : "" });
    made.addEventListener("click", act);
    return made;
  };

  function help() {
    const list = document.createElement("dl");
    for (const [key, told] of words.keyList) {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: told }));
    }
    sheet(words.keys, list, button(words.close, () => at("sheet").close(), true));
  }

  function pause() {
    stopwatch.pause(true);
    sheet(words.pause, words.paused, button(words.goOn, () => at("sheet").close(), true));
  }
  at("sheet").addEventListener("cancel", (event) => { if (step === null) event.preventDefault(); });
  closed(() => { stopwatch.pause(false); at("viewer").focus(); });

  // What follows when the sheet has closed. Browsers report that late: when another sheet is open
  // already, the report is the last one's and none of this one's business.
  function closed(act, signal) {
    at("sheet").addEventListener("close", () => { if (!at("sheet").open) act(); }, { signal });
  }

  // ------------------------------------------------------------------ drafts: closed tabs lose nothing
  const draftName = () => `vesalius-draft-${transport.name}-${step}`;
  function keepDraft() {
    if (!busy && shown?.open) reader.Keeper.set(draftName(), JSON.stringify({ content: questions.content(), seconds: stopwatch.seconds() }));
  }
  const draft = () => JSON.parse(reader.Keeper.get(draftName()) || "null");

  // Nothing of a closed session stays in this browser.
  function forget() {
    const start = `vesalius-draft-${transport.name}-`;
    for (const name of reader.Keeper.names())
      if (name.startsWith(start) && (come.first === null || Number(name.slice(start.length)) < come.first)) reader.Keeper.drop(name);
  }
  addEventListener("pagehide", () => { if (step !== null && shown?.open) keepDraft(); });

  // ------------------------------------------------------------------ one case
  async function open(number) {
    busy = true;
    at("state").textContent = words.loading;
    const found = await transport.step(number);
    step = number;  // together with what belongs to it: an answer is always that of the case shown
    shown = found;
    const kept = shown.open ? draft() : null;
    build(kept?.content || shown.content);
    busy = false;
    try {
      await viewer.show(shown.pictures, (one) => transport.picture(number, one.name), study.span, caption);
      at("state").textContent = shown.open ? "" : words.frozen;
    } catch (error) {
      console.error(error);
      at("state").textContent = words.failed;
    }
    viewer.dragWindows(viewer.windowing);
    tools();
    preset = 0;
    stopwatch.begin(1000 * (kept?.seconds || 0));
    at("viewer").focus();
    document.body.dataset.step = number;
  }

  function caption(number) {
    const picture = shown.pictures[number];
    if (picture.role === "map") return reader.letter(number);
    return shown.pictures.length > 1 ? words[picture.role] : "";
  }

  function build(content) {
    questions.build(study.questions, words, language, content, shown.open);
    if (shown.practice)
      form.prepend(Object.assign(document.createElement("p"), { className: "practice", textContent: words.practice }));
    const moves = Object.assign(document.createElement("div"), { className: "moves" });
    moves.append(button(words.back, back), button(shown.open ? words.next : words.forward, forward, true));
    form.append(moves);
    face();
  }

  function tools() {
    const made = [
      ...study.windows.map((one) => button(one.name, () => viewer.window(one.low, one.high))),
      ...(viewer.maps ? [] : [toggle()]),
      button("−", () => viewer.zoom(false)), button("+", () => viewer.zoom(true)),
      button(words.reset, () => viewer.reset()), button(words.pause, pause),
    ];
    at("tools").replaceChildren(...made);
  }

  function toggle() {
    const made = button(words.window, () => { viewer.dragWindows(!viewer.windowing); tools(); });
    made.title = viewer.windowing ? words.drag : words.cross;
    made.setAttribute("aria-pressed", String(viewer.windowing));
    return made;
  }

  // What follows from the state: place, progress, which buttons can be pressed.
  function face() {
    if (step === null || !shown) return;
    at("place").textContent = words.case(step + 1, study.steps);
    at("bar").max = study.steps;
    at("bar").value = come.answered.length;
    const [goBack, goOn] = form.querySelectorAll(".moves button");
    if (!goOn) return;
    goBack.disabled = step <= (come.first ?? 0);
    goOn.disabled = shown.open && !questions.complete();
  }

  // ------------------------------------------------------------------ answers
  async function forward() {
    if (busy || step === null) return;
    if (!shown.open) { await go(step + 1); return; }
    if (!questions.complete()) return;
    busy = true;
    const content = questions.content();
    const same = shown.content && JSON.stringify(sorted(shown.content)) === JSON.stringify(sorted(content));
    const number = step;
    if (!same) {
      if (shown.closes && study.steps > 1 && !await confirmed()) { busy = false; return; }
      const sent = { key: reader.identifier(), sitting, seconds: stopwatch.seconds(), content };
      outbox.put({ step: number, sent });
      reader.Keeper.drop(draftName());
      const again = await flush();
      if (again !== null) { await go(again); return; }
    }
    await go(number + 1);
  }

  // The last answer closes a session: nothing in it can be seen or changed afterwards.
  function confirmed() {
    stopwatch.pause(true);
    const heard = new AbortController();
    return new Promise((done) => {
      const end = (answer) => { done(answer); at("sheet").close(); };
      const place = sheet(words.closing, words.closingMore, button(words.back, () => end(false)), button(words.closeIt, () => end(true), true));
      // Escape is heard at once: "close" comes later, and a key pressed meanwhile would be lost.
      place.addEventListener("cancel", () => done(false), heard);
      closed(() => done(false), heard.signal);
    }).finally(() => heard.abort());
  }

  // Tell something that the reader has to know, and wait until it was read.
  function acknowledged(title, ...lines) {
    const heard = new AbortController();
    return new Promise((done) => {
      sheet(title, ...lines, button(words.goOn, () => at("sheet").close(), true));
      closed(done, heard.signal);
    }).finally(() => heard.abort());
  }

  const sorted = (table) => Object.fromEntries(Object.entries(table).sort());

  // Send what was not acknowledged, oldest first, until it is stored or the server has said that it
  // never can be; all else is tried again. Returns the case to go back to, none if all were stored.
  async function flush() {
    let again = null, pauses = reader.pauses();
    while (outbox.all().length) {
      const entry = outbox.all()[0];
      try {
        waiting("", words.storing);
        come = await transport.store(entry.step, entry.sent);
        outbox.drop(entry.sent.key);
        waiting("", words.stored);
        pauses = reader.pauses();
      } catch (error) {
        if (error instanceof reader.Refused && error.final) {
          await acknowledged(words.notStored(entry.step + 1), error.status === 409 ? words.tooLate : words.unfit, error.message);
          outbox.drop(entry.sent.key);
          if (error.status === 422) again ??= entry.step;
          come = await insisted(() => transport.progress());
          continue;
        }
        waiting("waiting", error instanceof reader.Refused ? words.held(error.status) : words.offline);
        await paused(pauses.next().value);
      }
    }
    forget();
    return again;
  }

  const paused = (wait) => new Promise((done) => setTimeout(done, wait));
  function waiting(style, text) { Object.assign(at("state"), { className: style, textContent: text }); }

  // Ask until there is an answer.
  async function insisted(ask) {
    for (const wait of reader.pauses()) {
      try { return await ask(); } catch (error) {
        waiting("waiting", error instanceof reader.Refused ? words.held(error.status) : words.offline);
        await paused(wait);
      }
    }
  }

  async function go(number, pauses = reader.pauses()) {
    const following = come.next;
    if (following === null && number >= study.steps) { finished(); return; }
    const wanted = following !== null && number > following ? following : number;
    if (wanted === following && come.opens) { resting(); return; }
    try {
      await open(wanted);
    } catch (error) {
      waiting("waiting", error instanceof reader.Refused && error.status !== 403 ? words.held(error.status) : words.offline);
      await paused(pauses.next().value);
      const before = come.next;
      come = await insisted(() => transport.progress());
      if (come.opens) { resting(); return; }
      await go(error instanceof reader.Refused && error.status === 403 && before !== null ? come.next ?? study.steps : number, pauses);
    }
  }

  async function back() {
    if (busy || step === null || step <= (come.first ?? 0)) return;
    if (shown.open) keepDraft();
    await go(step - 1);
  }

  function resting() {
    clear();
    const day = new Date(come.opens).toLocaleString(language, { dateStyle: "long", timeStyle: "short" });
    sheet(words.rest(day), words.doneMore, ...saving());
  }

  function finished() { clear(); sheet(words.done, words.doneMore, ...saving()); }

  function clear() {
    busy = false;
    step = null;
    shown = null;
    viewer.forget();
    forget();
    form.replaceChildren();
    at("tools").replaceChildren();
    at("viewer").replaceChildren();
    document.body.dataset.step = "done";
    at("bar").value = come.answered.length;
    at("bar").max = study.steps;
  }

  function saving() {
    if (!(transport instanceof reader.Folder)) return [];
    return [words.saveMore, button(words.save, () => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(transport.file());
      link.download = `answers-${transport.name}.json`;
      link.click();
    }, true)];
  }

  // ------------------------------------------------------------------ keys
  addEventListener("keydown", (event) => {
    if (at("sheet").open || busy || step === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = event.target.tagName === "TEXTAREA";
    if (typing && event.key !== "Escape") return;
    const inForm = form.contains(event.target) && event.target.tagName === "INPUT";
    const act = {
      ArrowUp: () => (inForm ? questions.mark(questions.current - 1) : viewer.slices(1)),
      ArrowDown: () => (inForm ? questions.mark(questions.current + 1) : viewer.slices(-1)),
      ArrowLeft: () => viewer.slices(0, viewer.plane - 1), ArrowRight: () => viewer.slices(0, viewer.plane + 1),
      "+": () => viewer.zoom(true), "-": () => viewer.zoom(false), "=": () => viewer.zoom(true),
      r: () => viewer.reset(), p: pause, "?": help, b: back, f: () => !shown.open && forward(),
      d: () => { viewer.dragWindows(!viewer.windowing); tools(); },
      w: () => {
        const windows = study.windows.length ? study.windows : [{ low: study.span[0], high: study.span[1] }];
        const one = windows[preset++ % windows.length];
        viewer.window(one.low, one.high);
      },
      Enter: () => event.target.tagName !== "BUTTON" && forward(),
      Tab: () => questions.mark(questions.current + (event.shiftKey ? -1 : 1)),
      Escape: () => at("viewer").focus(),
    }[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (/^[0-9]$/.test(event.key)) questions.key(Number(event.key));
    else if (!act) return;
    else if (event.key === "Enter" && (event.repeat || event.target.tagName === "BUTTON")) return;
    else act();
    event.preventDefault();
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  // ------------------------------------------------------------------ beginning
  async function begin(tries = reader.pauses()) {
    reader.Keeper.full = () => { at("full").hidden = false; at("full").textContent = words.full; };
    speak(reader.Keeper.get("vesalius-language") || (navigator.language.startsWith("de") ? "de" : "en"));
    const token = location.hash.slice(1);
    transport = window.vesaliusStudy ? new reader.Folder(window.vesaliusStudy, sitting) : new reader.Server(token, sitting);
    outbox = new reader.Outbox(transport.name);
    try {
      study = await transport.study();
      come = await transport.progress();
    } catch (error) {
      const held = outbox.all().length;
      if (error instanceof reader.Refused && error.status === 401) { sheet(words.badLink, ...(held ? [words.heldHere(held)] : [])); return; }
      sheet(words.offline);
      await paused(tries.next().value);
      await begin(tries);
      return;
    }
    if (!reader.Keeper.get("vesalius-language")) speak(study.language);
    at("title").textContent = document.title = study.title;
    at("help").addEventListener("click", help);
    at("language").addEventListener("click", () => {
      speak(language === "de" ? "en" : "de");
      if (step !== null) build(questions.content());
      else if (at("sheet").open && !come.answered.length) welcome();
    });
    again = await flush();
    welcome();
  }

  function welcome() {
    sheet(study.title, words.intro[study.design], ...(study.practice ? [words.introMore(study.practice)] : []),
      button(words.other, () => { speak(language === "de" ? "en" : "de"); welcome(); }),
      button(come.answered.length ? words.goOn : words.begin, () => {
        at("sheet").close();
        go(again ?? come.next ?? study.steps);
      }, true));
  }

  addEventListener("hashchange", () => location.reload());
  begin();
})();
