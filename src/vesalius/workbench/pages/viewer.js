// Three planes of one volume, with labels over it, and a second volume to fade or blink to.
"use strict";
bench.Viewer = class {
  constructor(what = "scan") {
    this.canvas = bench.make("canvas", { "aria-label": bench.say(what), role: "img" });
    this.element = bench.make("div", { class: "volume", tabindex: "0" }, this.canvas);
    this.nv = null;
    this.element.addEventListener("keydown", (event) => this.#key(event));
  }

  async #ready() {
    if (this.nv) return;
    this.nv = new niivue.Niivue({
      backColor: [0, 0, 0, 1], loadingText: "", show3Dcrosshair: false, dragAndDropEnabled: false,
      crosshairColor: [0.43, 0.7, 0.95, 0.5], crosshairWidth: 0.2, logLevel: "error",
      multiplanarShowRender: niivue.SHOW_RENDER.NEVER, isColorbar: false,
    });
    await this.nv.attachToCanvas(this.canvas);
    this.nv.setRadiologicalConvention(true);
    this.nv.setSliceType(niivue.SLICE_TYPE.MULTIPLANAR);
  }

  // Volumes as [content, name, kind]: the first is the image; kinds of others are labels, other, change.
  async show(volumes) {
    await this.#ready();
    while (this.nv.volumes.length) this.nv.removeVolume(this.nv.volumes[0]);
    this.kinds = volumes.map(([, , kind]) => kind);
    for (const [content, name] of volumes) await this.nv.loadFromArrayBuffer(content, name);
    this.nv.volumes.forEach((one, row) => {
      if (this.kinds[row] === "labels") {
        one.colormapType = 0;
        one.setColormap("random");
        one.cal_min = 0.5;
      }
      if (this.kinds[row] === "change") one.setColormap("blue2red");
      if (row) this.nv.setOpacity(row, this.kinds[row] === "labels" ? 0.4 : 0);
    });
    this.nv.setSliceType(niivue.SLICE_TYPE.MULTIPLANAR);
    this.nv.updateGLVolume();
    this.nv.resizeListener();
  }

  // Where the crosshair is, in RAS millimetres.
  point() {
    if (!this.nv?.volumes.length) return null;
    return [...this.nv.frac2mm(this.nv.scene.crosshairPos)].slice(0, 3);
  }

  opacity(kind, value) {
    const row = this.kinds?.indexOf(kind) ?? -1;
    if (row > 0) { this.nv.setOpacity(row, value); this.nv.updateGLVolume(); }
  }

  #key(event) {
    const moves = { ArrowUp: [0, 0, 1], ArrowDown: [0, 0, -1], ArrowLeft: [-1, 0, 0], ArrowRight: [1, 0, 0], PageUp: [0, 1, 0], PageDown: [0, -1, 0] };
    if (!this.nv || !(event.key in moves)) return;
    event.preventDefault();
    this.nv.moveCrosshairInVox(...moves[event.key]);
  }
};

// Two viewers over each other: left of the edge what was before, right of it what is after.
bench.Wiped = class {
  constructor() {
    this.before = new bench.Viewer("before");
    this.after = new bench.Viewer("after");
    this.edge = bench.make("div", { class: "edge" });
    this.element = bench.make("div", { class: "wiped" }, this.before.element, this.after.element, this.edge);
    this.wipe(0.5);
  }

  async show(before, after) {
    await this.before.show(before);
    await this.after.show(after);
    this.before.nv.broadcastTo(this.after.nv);
    this.after.nv.broadcastTo(this.before.nv);
  }

  wipe(place) {
    const percent = `${100 * place}%`;
    this.after.element.style.clipPath = `inset(0 0 0 ${percent})`;
    this.edge.style.left = percent;
  }
};
