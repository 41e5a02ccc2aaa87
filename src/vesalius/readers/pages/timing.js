// Seconds a case is looked at: not while paused, hidden, or left alone for a minute.
"use strict";
reader.Stopwatch = class {
  static IDLE_MS = 60000;

  constructor() {
    this.counted = 0;
    this.paused = false;
    this.last = performance.now();
    this.touched = this.last;
    for (const name of ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"])
      addEventListener(name, () => { this.tick(); this.touched = performance.now(); }, { passive: true });
    document.addEventListener("visibilitychange", () => this.tick(document.hidden));
    setInterval(() => this.tick(), 500);
  }

  begin(counted = 0) { this.counted = counted; this.last = this.touched = performance.now(); }

  tick(wasVisible = !document.hidden) {
    const now = performance.now();
    const end = Math.min(now, this.touched + reader.Stopwatch.IDLE_MS);
    if (!this.paused && wasVisible) this.counted += Math.max(0, end - this.last);
    this.last = now;
  }

  pause(on) { this.tick(); this.paused = on; this.touched = performance.now(); }

  seconds() { this.tick(); return Math.round(this.counted) / 1000; }
};
