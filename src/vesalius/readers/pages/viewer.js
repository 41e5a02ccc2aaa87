// The pictures of one case: volumes and flat images in niivue, maps as they are.
"use strict";
reader.Viewer = class {
  static STEP = 1.25;
  static CROSS = 0.4;

  constructor(place) {
    this.place = place;
    this.pool = [];
    this.shown = [];
    this.zoomed = 1;
    this.plane = 2;
    this.windowing = false;
  }

  async show(pictures, load, span, caption) {
    this.span = span;
    this.zoomed = 1;
    this.maps = pictures.every((one) => one.ending === ".png");
    this.place.classList.toggle("maps", this.maps);
    for (const url of this.place.querySelectorAll("img")) URL.revokeObjectURL(url.src);
    const contents = await Promise.all(pictures.map(load));
    this.shown = [];
    const figures = [];
    for (const [number, picture] of pictures.entries())
      figures.push(picture.ending === ".nii"
        ? await this.#volume(contents[number], picture)
        : this.#image(contents[number]));
    figures.forEach((figure, number) => {
      const told = caption(number);
      figure.querySelector("figcaption").textContent = told;
      figure.querySelector("figcaption").hidden = !told;
    });
    this.place.replaceChildren(...figures);
    for (const one of this.shown) { one.nv.resizeListener(); this.#framed(one); }
  }

  // Let go of all that was shown.
  forget() {
    for (const url of this.place.querySelectorAll("img")) URL.revokeObjectURL(url.src);
    for (const { nv } of this.pool) while (nv.volumes.length) nv.removeVolume(nv.volumes[0]);
    this.shown = [];
    this.place.replaceChildren();
  }

  #figure(inner) {
    const figure = document.createElement("figure");
    figure.append(inner, document.createElement("figcaption"));
    return figure;
  }

  #image(content) {
    const image = document.createElement("img");
    image.src = URL.createObjectURL(new Blob([content], { type: "image/png" }));
    image.draggable = false;
    image.alt = "";
    return this.#figure(image);
  }

  async #volume(content, picture) {
    const one = await this.#pooled(this.shown.length);
    one.flat = picture.flat;
    while (one.nv.volumes.length) one.nv.removeVolume(one.nv.volumes[0]);
    await one.nv.loadFromArrayBuffer(content, `${picture.name}.nii`);
    this.shown.push(one);
    return one.figure;
  }

  // Browsers allow few WebGL contexts: canvases are used again.
  async #pooled(number) {
    if (this.pool[number]) return this.pool[number];
    const canvas = document.createElement("canvas");
    const figure = this.#figure(canvas);
    this.place.replaceChildren(...this.shown.map((one) => one.figure), figure);
    const nv = new niivue.Niivue({
      backColor: [0, 0, 0, 1], loadingText: "", show3Dcrosshair: false, dragAndDropEnabled: false,
      crosshairColor: [0.43, 0.7, 0.95, 0.5], crosshairWidth: reader.Viewer.CROSS, logLevel: "error",
      dragMode: niivue.DRAG_MODE.windowing,
      multiplanarShowRender: niivue.SHOW_RENDER.NEVER,
    });
    await nv.attachToCanvas(canvas);
    return (this.pool[number] = { nv, figure, flat: false });
  }

  #framed(one) {
    one.nv.setRadiologicalConvention(!one.flat);
    one.nv.setIsOrientationTextVisible(!one.flat);
    one.nv.setCrosshairWidth(one.flat ? 0 : reader.Viewer.CROSS);
    one.nv.setSliceType(one.flat ? niivue.SLICE_TYPE.AXIAL : niivue.SLICE_TYPE.MULTIPLANAR);
    this.window(...this.span);
    one.nv.drawScene();
  }

  window(low, high) {
    for (const { nv } of this.shown) {
      nv.volumes[0].cal_min = low;
      nv.volumes[0].cal_max = high;
      nv.updateGLVolume();
    }
  }

  // Whether dragging with the main button changes window and level instead of slices.
  dragWindows(on) {
    this.windowing = on;
    for (const { nv } of this.pool)
      nv.opts.dragModePrimary = on ? niivue.DRAG_MODE.windowing : niivue.DRAG_MODE.crosshair;
  }

  slices(by, plane = this.plane) {
    this.plane = (plane + 3) % 3;
    const move = [0, 0, 0];
    move[this.plane] = by;
    for (const one of this.shown) if (!one.flat) one.nv.moveCrosshairInVox(...move);
  }

  zoom(in_) {
    this.zoomed = Math.min(16, Math.max(1, this.zoomed * (in_ ? reader.Viewer.STEP : 1 / reader.Viewer.STEP)));
    for (const { nv } of this.shown) {
      const [x, y, z] = nv.scene.pan2Dxyzmm;
      nv.setPan2Dxyzmm([x, y, z, this.zoomed]);
    }
    for (const image of this.place.querySelectorAll("img")) image.style.transform = `scale(${this.zoomed})`;
  }

  reset() {
    this.zoomed = 1;
    for (const one of this.shown) {
      one.nv.setPan2Dxyzmm([0, 0, 0, 1]);
      one.nv.scene.crosshairPos = [0.5, 0.5, 0.5];
      this.#framed(one);
    }
    for (const image of this.place.querySelectorAll("img")) image.style.transform = "";
  }
};
