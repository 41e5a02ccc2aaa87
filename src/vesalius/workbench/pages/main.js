// The tabs: each cohort, each run, and the whole queue.
"use strict";
bench.start = async () => {
  document.documentElement.lang = bench.language;
  bench.opened = await bench.ask("opened");
  const main = document.getElementById("main"), tabs = document.getElementById("tabs");
  const rooms = [
    ...bench.opened.cohorts.map((one, row) => [one.name, new bench.Cohort(row)]),
    ...bench.opened.runs.map((one, row) => [`${bench.say("ask")}: ${one.name}`, new bench.Asking(row)]),
  ];
  const choose = async (number) => {
    [...tabs.children].forEach((tab, row) => { tab.setAttribute("aria-selected", String(row === number)); tab.tabIndex = row === number ? 0 : -1; });
    bench.reported("");
    await rooms[number][1].show(main);
  };
  tabs.setAttribute("aria-label", "Vesalius");
  tabs.replaceChildren(...rooms.map(([name], row) => bench.make("button", {
    type: "button", role: "tab", onclick: () => choose(row).catch(bench.report),
    onkeydown: (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step) tabs.children[(row + step + rooms.length) % rooms.length].focus();
    },
  }, name)));
  const language = document.getElementById("language");
  language.textContent = bench.say("language");
  language.onclick = () => {
    bench.language = bench.language === "en" ? "de" : "en";
    bench.start().catch(bench.report);
  };
  await choose(0);
};
bench.start().catch(bench.report);
