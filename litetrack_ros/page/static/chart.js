// A strip chart of the last minute: times by stage stacked, dropped images as marks above.

const STAGES = ["transport", "queue wait", "conversion", "crop", "model", "decode", "publish"];
const FILLS = ["#8a93a5", "#d98c3f", "#5fa8d3", "#7bb661", "#b0568f", "#8f77c9", "#cdb44b"];
const BINS = 120;
const BIN_MS = 500;

export class Chart {
  constructor(canvas, legend) {
    this.canvas = canvas;
    this.bins = new Map();
    this.newest = 0;
    this.came = 0;
    legend.replaceChildren(...STAGES.map((name, index) => {
      const entry = document.createElement("span");
      const mark = document.createElement("i");
      mark.style.background = FILLS[index];
      entry.append(mark, name);
      return entry;
    }));
    const dropped = document.createElement("span");
    dropped.className = "dropped";
    dropped.append("▼ dropped images");
    legend.append(dropped);
  }

  begin(bins) {
    this.bins.clear();
    this.newest = 0;
    this.add(bins);
  }

  add(bins) {
    for (const bin of bins) {
      this.bins.set(bin[0], bin);
      if (bin[0] > this.newest) [this.newest, this.came] = [bin[0], performance.now()];
    }
    for (const number of this.bins.keys()) if (number < this.newest - BINS) this.bins.delete(number);
  }

  draw() {
    const { canvas } = this;
    const wide = canvas.width = Math.round(canvas.clientWidth * devicePixelRatio);
    const high = canvas.height = Math.round(canvas.clientHeight * devicePixelRatio);
    const paint = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    // Time goes on when no images come: the newest bin moves to the left.
    const last = this.newest + Math.floor((performance.now() - this.came) / BIN_MS);
    const shown = [...this.bins.values()].filter((bin) => bin[0] > last - BINS && bin[1]);
    const sum = (bin) => bin.slice(3).reduce((a, b) => a + Math.max(0, b), 0);
    const sums = shown.map(sum).sort((a, b) => a - b);
    const top = Math.max(20, 1.3 * (sums[Math.floor(0.98 * (sums.length - 1))] ?? 0));
    const dropped = shown.reduce((total, bin) => total + bin[2], 0);
    const head = 16 * devicePixelRatio, step = wide / BINS, scale = (high - head) / top;
    paint.font = `${11 * devicePixelRatio}px system-ui, sans-serif`;
    for (const bin of shown) {
      const x = wide - (last - bin[0] + 1) * step;
      let y = high;
      bin.slice(3).forEach((ms, index) => {
        const tall = Math.min(Math.max(0, ms) * scale, y - head);
        paint.fillStyle = FILLS[index];
        paint.fillRect(x, y - tall, step + 0.5, tall);
        y -= tall;
      });
      if (bin[2]) {
        paint.fillStyle = style.getPropertyValue("--bad");
        paint.fillText("▼", x - 0.3 * step, head - 3 * devicePixelRatio);
      }
    }
    paint.fillStyle = style.color;
    const unit = top > 60 ? 50 : top > 30 ? 20 : 10;
    for (let ms = unit; ms < top; ms += unit) {
      const y = high - ms * scale;
      paint.globalAlpha = 0.25;
      paint.fillRect(0, y, wide, 1);
      paint.globalAlpha = 1;
      paint.fillText(`${ms} ms`, 2, y - 2);
    }
    const mean = shown.length ? shown.reduce((a, bin) => a + sum(bin), 0) / shown.length : null;
    const model = shown.length ? shown.reduce((a, bin) => a + bin[7], 0) / shown.length : 0;
    canvas.setAttribute("aria-label", mean === null
      ? "No images were tracked in the last minute."
      : `From image to box ${mean.toFixed(0)} ms on average in the last minute, ${model.toFixed(0)} ms of it the model; ${dropped} images dropped.`);
  }
}
