// The connection: comes back by itself, keeps the server's time, and never sends anything later.

const SILENT_MS = 1200; // the server says something four times a second
const ANSWER_MS = 7000;
const PING_MS = 1000;
const PINGS = 8;

export class Link {
  // handlers: hello, state, picture, change
  constructor(handlers) {
    this.handlers = handlers;
    this.socket = null;
    this.heard = -Infinity;
    this.pings = [];
    this.offset = null; // ms to add to performance.now() for the server's clock
    this.uncertainty = null;
    this.waiting = new Map();
    this.number = 0;
    this.retry = 300;
    this.wasUp = false;
    this.refused = 0;
    this.open();
    setInterval(() => this.watch(), 100);
    setInterval(() => this.ping(), PING_MS);
  }

  get isUp() {
    return this.socket?.readyState === WebSocket.OPEN && this.offset !== null &&
      performance.now() - this.heard < SILENT_MS;
  }

  // The server's time, ms; null while it is not known.
  now() {
    return this.offset === null ? null : performance.now() + this.offset;
  }

  // A promise of {ok, text}. What cannot be sent now is not sent.
  ask(command) {
    if (!this.isUp) return Promise.resolve({ ok: false, text: "Not sent: there is no connection." });
    const id = ++this.number;
    this.send({ type: "command", id, at: this.now(), ...command });
    return new Promise((done) => {
      const timer = setTimeout(() => this.settle(id, { ok: false, text: "No answer came." }), ANSWER_MS);
      this.waiting.set(id, { done, timer });
    });
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  open() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/socket`);
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.opened = performance.now();
    socket.onopen = () => {
      this.pings = [];
      this.offset = null;
      for (const wait of [0, 60, 150]) setTimeout(() => this.ping(), wait);
    };
    socket.onmessage = (event) => {
      if (this.socket !== socket) return;
      this.heard = performance.now();
      if (typeof event.data === "string") this.take(JSON.parse(event.data));
      else this.handlers.picture(unpack(event.data));
    };
    socket.onclose = () => this.socket === socket && this.drop();
  }

  drop() {
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const id of [...this.waiting.keys()]) {
      this.settle(id, { ok: false, text: "The connection was lost before an answer came." });
    }
    setTimeout(() => this.open(), this.retry);
    this.retry = Math.min(2 * this.retry, 2000);
  }

  watch() {
    const now = performance.now();
    const patience = this.socket?.readyState === WebSocket.OPEN ? SILENT_MS : 4000;
    if (this.socket && now - Math.max(this.heard, this.opened) > patience) this.drop();
    if (this.isUp !== this.wasUp) {
      this.wasUp = this.isUp;
      if (this.isUp) this.retry = 300;
      this.handlers.change(this.isUp);
    }
  }

  ping() {
    this.send({ type: "ping", c: performance.now() });
  }

  take(message) {
    if (message.type === "pong") this.pong(message);
    else if (message.type === "answer") this.settle(message.id, message);
    else this.handlers[message.type]?.(message);
  }

  // The quickest of the last pings tells the offset best: its way was shortest.
  pong({ c, s }) {
    const now = performance.now();
    this.pings.push({ way: now - c, offset: s - (now + c) / 2 });
    this.pings = this.pings.slice(-PINGS);
    const best = this.pings.reduce((a, b) => (b.way < a.way ? b : a));
    this.offset = best.offset;
    this.uncertainty = best.way / 2;
  }

  settle(id, answer) {
    const waiting = this.waiting.get(id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.waiting.delete(id);
    waiting.done({ ok: answer.ok, text: answer.text });
  }
}

function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { ...head, jpeg: new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) };
}
