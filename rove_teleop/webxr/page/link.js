// Link: the one WebSocket. Pairs, returns with the token after a lost network, measures the clocks.

const PING_MS = 500;
const BEST_OF = 20;       // pings: the quickest of the last ten seconds tells the offset best
const FULL_BYTES = 16384; // waiting to be sent: a frame more would only arrive late
const AGAIN_MS = [250, 500, 1000, 2000];

export class Link extends EventTarget {
  constructor() {
    super();
    this.state = 'closed'; // closed | connecting | paired
    this.sequence = 0;
    this.dropped = 0;
    this.pictures = 0;
    this.picture = null; // before the operator's eyes: {stamp: ROS time, at: since when}, ns
    this.told = null;    // newest status: {sent: the bridge's wall time, at: when heard}, ns
    this.pings = [];
    this.heard = 0;
    this.failures = 0;
  }

  // Pair with a code, or with the token of before when code is ''.
  pair(name, code) {
    this.name = name;
    this.code = code;
    this.wanted = true;
    this.connect();
  }

  get token() { return sessionStorage.getItem('rove-token') ?? ''; }

  connect() {
    clearTimeout(this.timer);
    this.socket?.close();
    this.state = 'connecting';
    const socket = new WebSocket(`wss://${location.host}/link`);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send(JSON.stringify({
      type: 'pair', operator_id: this.name, device: deviceName(),
      code: this.code.replaceAll(' ', ''), token: this.code ? '' : this.token,
    }));
    socket.onmessage = (event) => { if (socket === this.socket) this.take(event.data); };
    socket.onclose = (event) => { if (socket === this.socket) this.lost(event.reason); };
  }

  lost(reason) {
    clearInterval(this.pinging);
    this.state = 'closed';
    this.say('lost', { reason });
    if (!this.wanted || !this.token || reason === 'opened elsewhere') return;
    this.code = '';
    const wait = AGAIN_MS[Math.min(this.failures++, AGAIN_MS.length - 1)];
    this.timer = setTimeout(() => this.connect(), wait);
  }

  say(name, detail) { this.dispatchEvent(new CustomEvent(name, { detail })); }

  take(data) {
    this.heard = performance.now();
    if (data instanceof ArrayBuffer) {
      const stamp = new DataView(data).getBigInt64(0, true);
      this.say('picture', { stamp, blob: new Blob([new Uint8Array(data, 8)], { type: 'image/jpeg' }) });
      return;
    }
    const message = JSON.parse(data);
    if (message.type === 'welcome') {
      this.state = 'paired';
      this.failures = 0;
      this.pictures = 0;
      this.picture = this.told = null;
      sessionStorage.setItem('rove-token', message.token);
      sessionStorage.setItem('rove-name', message.operator_id);
      clearInterval(this.pinging);
      this.pinging = setInterval(() => this.ping(), PING_MS);
      this.ping();
    } else if (message.type === 'refused' && message.pair_again) {
      this.wanted = false;
      sessionStorage.removeItem('rove-token');
    } else if (message.type === 'status') {
      this.told = { sent: message.sent_ns, at: nanoseconds(this.heard) };
    } else if (message.type === 'pong') {
      this.pong(message);
    }
    this.say(message.type, message);
  }

  get open() { return this.state === 'paired' && this.socket.readyState === WebSocket.OPEN; }

  send(message) {
    if (!this.open) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  // Send a frame now or never: a late one would move the robot after the hand.
  sendFrame(frame) {
    if (this.state === 'paired' && this.socket.bufferedAmount > FULL_BYTES) {
      this.dropped += 1;
      return;
    }
    this.sequence += 1;
    if (!this.open) return;
    const { told, picture } = this;
    const echo = told ? { status_ns: told.sent, status_heard_ns: told.at } : {};
    const text = JSON.stringify({ type: 'frame', sequence: this.sequence, ...frame, ...echo });
    // The stamp names the picture to the nanosecond; JSON.stringify knows no such large integers.
    const seen = picture ? `,"picture_ns":${picture.stamp},"picture_shown_ns":${picture.at}}` : '}';
    this.socket.send(text.slice(0, -1) + seen);
  }

  // The picture of that stamp is before the operator's eyes since a time of performance.now().
  shown(stamp, now) { this.picture = { stamp, at: nanoseconds(now) }; }

  drawn() {
    this.pictures += 1;
    this.send({ type: 'seen', count: this.pictures });
  }

  ping() {
    const best = this.clock;
    this.send({ type: 'ping', t0: performance.now(),
      offset_ms: best?.offset ?? 0, round_trip_ms: best?.trip ?? 0 });
  }

  pong({ t0, t1 }) {
    const now = performance.now();
    this.pings.push({ trip: Math.max(now - t0, 0.01), offset: t1 - (t0 + now) / 2 });
    if (this.pings.length > BEST_OF) this.pings.shift();
  }

  // Of the pings kept: the quickest, whose way there and back were most alike.
  get clock() {
    return this.pings.reduce((a, b) => (!a || b.trip < a.trip ? b : a), null);
  }

  get quality() {
    if (this.state !== 'paired') return { word: 'lost', bars: 0 };
    const silent = performance.now() - this.heard;
    const trip = this.pings.at(-1)?.trip ?? 0;
    if (silent > 500) return { word: `silent for ${(silent / 1000).toFixed(1)} s`, bars: 0 };
    const bars = trip < 20 ? 3 : trip < 80 ? 2 : 1;
    return { word: `${['', 'poor', 'fair', 'good'][bars]}, ${trip.toFixed(0)} ms there and back`, bars };
  }
}

export const nanoseconds = (ms) => Math.round(ms * 1e6);

function deviceName() {
  const agent = navigator.userAgent;
  const known = ['Quest 3', 'Quest Pro', 'Quest 2', 'Pico', 'OculusBrowser', 'Macintosh'];
  return (known.find((word) => agent.includes(word)) ?? 'browser').toLowerCase().replaceAll(' ', '');
}
