// What is asked of the server: every request carries the token of the link.
"use strict";
bench.token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);
if (bench.token) sessionStorage.setItem("workbench", bench.token);
else bench.token = sessionStorage.getItem("workbench") ?? "";

bench.Refused = class extends Error {};

bench.ask = async (path, { method = "GET", body = null, as = "json", signal = null } = {}) => {
  let answer;
  try {
    answer = await fetch(`api/${path}`, {
      method, signal, body: body === null ? null : JSON.stringify(body),
      headers: { Authorization: `Bearer ${bench.token}`, ...(body === null ? {} : { "Content-Type": "application/json" }) },
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new bench.Refused(bench.say("lost"));
  }
  if (answer.status === 401) throw new bench.Refused(bench.say("unknown"));
  if (!answer.ok) {
    const told = await answer.json().catch(() => ({}));
    throw new bench.Refused(told.fault ? `${told.file}: ${told.fault}; ${told.remedy}` : told.detail ?? answer.statusText);
  }
  return as === "json" ? answer.json() : as === "blob" ? answer.blob() : answer.arrayBuffer();
};

// What is worked on in the background: asked for again until it is there.
bench.awaited = async (path, place) => {
  let found = await bench.ask(path);
  while (found.waiting) {
    const { what = bench.say("reading"), done = 0, total = "?" } = found.waiting;
    place.textContent = `${what} ${done} / ${total}`;
    await new Promise((go) => setTimeout(go, 700));
    found = await bench.ask(path);
  }
  return found;
};

// Small pictures come as they scroll into view.
bench.picture = (path, alt) => {
  const image = bench.make("img", { alt });
  new IntersectionObserver((entries, seen) => {
    if (!entries.some((one) => one.isIntersecting)) return;
    seen.disconnect();
    bench.ask(path, { as: "blob" }).then((blob) => { image.src = URL.createObjectURL(blob); }, bench.report);
  }, { rootMargin: "200px" }).observe(image);
  return image;
};

bench.report = (error) => {
  if (error.name === "AbortError") return;
  const place = document.getElementById("state");
  place.textContent = error.message;
  place.className = "error";
};
bench.reported = (text = "") => {
  const place = document.getElementById("state");
  place.textContent = text;
  place.className = "";
};
