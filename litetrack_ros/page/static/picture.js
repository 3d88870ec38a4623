// The picture with the boxes of its own stamp, and boxes drawn on it by pointer or keys.

const TAP_PX = 6; // CSS px: a shorter drag is a tap
const COLORS = ["#ffb000", "#3d9bff", "#ff5fa2", "#27c08a", "#b98bff", "#ff7f2a", "#12c9d6", "#d3d02c"];

export function color(id) {
  let sum = 0;
  for (const c of id) sum = (31 * sum + c.codePointAt(0)) % 997;
  return COLORS[sum % COLORS.length];
}

export class PictureView {
  // handlers: chosen({kind, numbers, stamp, fresh}), isFresh()
  constructor(canvas, stage, handlers) {
    this.canvas = canvas;
    this.stage = stage;
    this.handlers = handlers;
    this.picture = null; // what is shown
    this.held = null; // the newest one, while a box is drawn on an older one
    this.drag = null; // {x0, y0, x1, y1, fresh, keys, pointer} in px of the image
    new ResizeObserver(() => this.fit()).observe(stage);
    addEventListener("resize", () => this.fit());
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.leave());
    canvas.addEventListener("keydown", (event) => this.key(event));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  // A picture that came; while a box is drawn the shown one stands still, since the box is its.
  async show(picture) {
    picture.bitmap = await createImageBitmap(picture.jpeg);
    if (this.picture && picture.n <= this.picture.n && this.picture.session === picture.session) return;
    if (this.drag) {
      this.held?.bitmap.close();
      this.held = picture;
    } else this.put(picture);
  }

  put(picture) {
    const before = this.picture;
    this.picture = picture;
    before?.bitmap.close();
    if (before?.width !== picture.width || before?.height !== picture.height) this.fit();
    else this.draw();
  }

  fit() {
    if (!this.picture) return;
    const { width, height } = this.picture;
    const wide = this.stage.clientWidth;
    const high = Math.max(160, 0.72 * innerHeight);
    const scale = Math.min(wide / width, high / height);
    this.canvas.style.width = `${scale * width}px`;
    this.canvas.style.height = `${scale * height}px`;
    this.canvas.width = Math.max(1, Math.round(scale * width * devicePixelRatio));
    this.canvas.height = Math.max(1, Math.round(scale * height * devicePixelRatio));
    this.draw();
  }

  draw() {
    if (!this.picture) return;
    const { canvas, picture } = this;
    const paint = canvas.getContext("2d");
    const across = canvas.width / picture.width, down = canvas.height / picture.height;
    paint.drawImage(picture.bitmap, 0, 0, canvas.width, canvas.height);
    for (const { id, state, box, score } of picture.boxes ?? []) {
      const [x, y, w, h] = [box[0] * across, box[1] * down, box[2] * across, box[3] * down];
      this.box(paint, x, y, w, h, color(id), state !== "TRACKING");
      this.label(paint, x, y, `${id || "target"} ${state} ${Math.round(100 * score)} %`, color(id));
    }
    if (this.drag) {
      const [x, y, w, h] = this.dragged();
      this.box(paint, x * across, y * down, w * across, h * down, "#fff", true);
    }
    canvas.dataset.stamp = picture.stamp;
    canvas.dataset.boxes = JSON.stringify(picture.boxes);
  }

  box(paint, x, y, w, h, stroke, dashed) {
    const line = 2 * devicePixelRatio;
    paint.setLineDash(dashed ? [4 * line, 2 * line] : []);
    for (const [style, width] of [["#000a", 2 * line], [stroke, line]]) {
      paint.strokeStyle = style;
      paint.lineWidth = width;
      paint.strokeRect(x, y, w, h);
    }
  }

  label(paint, x, y, text, fill) {
    const size = 13 * devicePixelRatio;
    paint.font = `600 ${size}px system-ui, sans-serif`;
    const width = paint.measureText(text).width + 0.6 * size;
    const left = Math.max(0, Math.min(x, this.canvas.width - width));
    const top = y > 1.5 * size ? y - 1.5 * size : Math.min(y, this.canvas.height - 1.4 * size);
    paint.fillStyle = "#000b";
    paint.fillRect(left, top, width, 1.4 * size);
    paint.fillStyle = fill;
    paint.fillText(text, left + 0.3 * size, top + 1.05 * size);
  }

  // Where a pointer is, in px of the image.
  place(event) {
    const frame = this.canvas.getBoundingClientRect();
    const { width, height } = this.picture;
    const x = (event.clientX - frame.left) / frame.width * width;
    const y = (event.clientY - frame.top) / frame.height * height;
    return [Math.min(Math.max(x, 0), width), Math.min(Math.max(y, 0), height)];
  }

  down(event) {
    if (!this.picture || event.button || (this.drag && !this.drag.keys)) return;
    event.preventDefault();
    this.canvas.focus({ preventScroll: true });
    this.canvas.setPointerCapture(event.pointerId);
    const [x, y] = this.place(event);
    this.drag = { x0: x, y0: y, x1: x, y1: y, pointer: event.pointerId, fresh: this.handlers.isFresh() };
    this.draw();
  }

  move(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    [this.drag.x1, this.drag.y1] = this.place(event);
    this.draw();
  }

  up(event) {
    if (this.drag?.pointer !== event.pointerId) return;
    [this.drag.x1, this.drag.y1] = this.place(event);
    const frame = this.canvas.getBoundingClientRect();
    const [x, y, w, h] = this.dragged();
    const isTap = Math.max(w, h) * frame.width / this.picture.width < TAP_PX;
    this.choose(isTap ? "point" : "box", isTap ? [x + w / 2, y + h / 2] : [x, y, w, h]);
  }

  choose(kind, numbers) {
    const { fresh } = this.drag;
    const { stamp } = this.picture;
    this.leave();
    this.handlers.chosen({ kind, numbers, stamp, fresh });
  }

  // The box is done or given up: the newest picture again.
  leave() {
    this.drag = null;
    const held = this.held;
    this.held = null;
    if (held) this.put(held);
    else this.draw();
  }

  dragged() {
    const { x0, y0, x1, y1 } = this.drag;
    return [Math.min(x0, x1), Math.min(y0, y1), Math.abs(x1 - x0), Math.abs(y1 - y0)];
  }

  key(event) {
    if (!this.picture) return;
    const { width, height } = this.picture;
    if (event.key === "Enter" && !this.drag) {
      this.drag = {
        x0: 0.4 * width, y0: 0.4 * height, x1: 0.6 * width, y1: 0.6 * height,
        keys: true, fresh: this.handlers.isFresh(),
      };
    } else if (event.key === "Enter" && this.drag.keys) {
      event.preventDefault();
      return this.choose("box", this.dragged());
    } else if (event.key === " " && this.drag?.keys) {
      event.preventDefault();
      const [x, y, w, h] = this.dragged();
      return this.choose("point", [x + w / 2, y + h / 2]);
    } else if (event.key === "Escape" && this.drag) {
      event.preventDefault();
      return this.leave();
    } else if (this.drag?.keys && event.key.startsWith("Arrow")) {
      const step = Math.max(1, 0.01 * width);
      const dx = { ArrowLeft: -step, ArrowRight: step }[event.key] ?? 0;
      const dy = { ArrowUp: -step, ArrowDown: step }[event.key] ?? 0;
      const [x, y, w, h] = this.dragged();
      const clip = (value, low, high) => Math.min(Math.max(value, low), high);
      const left = event.shiftKey ? x : clip(x + dx, 0, width - w);
      const top = event.shiftKey ? y : clip(y + dy, 0, height - h);
      const wide = event.shiftKey ? clip(w + dx, 4, width - x) : w;
      const high = event.shiftKey ? clip(h + dy, 4, height - y) : h;
      Object.assign(this.drag, { x0: left, y0: top, x1: left + wide, y1: top + high });
    } else return;
    event.preventDefault();
    this.draw();
  }
}
