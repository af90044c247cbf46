// The operator's page: pairs, shows, and sends what one driver (headset, or keyboard) does.

import { Choices } from './choices.js';
import { HeadsetDriver } from './headset.js';
import { KeyboardDriver, Keys } from './keyboard.js';
import { Link, nanoseconds } from './link.js';
import { HEIGHT, WIDTH, drawPanel } from './panel.js';
import { ghost } from './pose.js';
import { Scene } from './scene.js';
import { CARD, alignmentText, why } from './why.js';
import { AUTHORITIES, BUTTON, MODE, MODES, STAGES } from './words.js';

const $ = (id) => document.getElementById(id);
const PANEL_MS = 100;      // text is read, not watched
const ESTOP_MS = 500;
const PULSES = {           // mode -> [strength, ms], as felt when it begins
  [MODE.ALIGN]: [0.8, 150], [MODE.HUMAN]: [0.4, 60], [MODE.HANDBACK]: [0.6, 300],
  [MODE.HOLD]: [1, 600], [MODE.ESTOP]: [1, 1000],
};
const GHOST_NEAR = [0.0, 0.62, 0.45, 1], GHOST_FAR = [0.9, 0.62, 0.0, 1];
const NEAR_M = 0.15, NEAR_RAD = 0.6; // the arbiter's limits of ALIGN

const link = new Link();
const keys = new Keys();
const choices = new Choices(link);
const panel = Object.assign(document.createElement('canvas'), { width: WIDTH, height: HEIGHT });
const context = panel.getContext('2d');
let status = null, driver = null, scene = null, layer = null, picture = null, decoding = null;
let last = 0, panelAt = 0, estopUntil = 0, granted = '', pulses = 0, fresh = null;

link.addEventListener('welcome', ({ detail }) => {
  $('robot').textContent = detail.robot;
  $('pairing').hidden = true;
  $('stage').hidden = false;
  $('code').value = '';
  history.replaceState(null, '', location.pathname);
});
link.addEventListener('refused', ({ detail }) => {
  granted = detail.reason;
  if (!detail.pair_again) return;
  $('pairing').hidden = false;
  $('stage').hidden = true;
  status = null;
});
link.addEventListener('lost', () => { status = null; });
link.addEventListener('granted', ({ detail }) => { granted = detail.message; });
link.addEventListener('status', ({ detail }) => {
  const before = status?.mode;
  status = detail;
  if (before !== undefined && before !== status.mode) changed(status.mode);
});
// Newest only: while one picture is decoded, of those that come the last is kept.
link.addEventListener('picture', ({ detail }) => {
  const busy = decoding !== null;
  decoding = detail;
  if (!busy) decode();
});

async function decode() {
  while (decoding) {
    const { stamp, blob } = decoding, taken = decoding;
    try {
      const bitmap = await createImageBitmap(blob);
      picture?.close(); // not before: a frame in between shows the old one
      picture = bitmap;
      fresh = stamp;
      $('ego').width = picture.width;
      $('ego').height = picture.height;
      $('ego').getContext('2d').drawImage(picture, 0, 0);
    } catch (error) {
      granted = `a picture could not be read: ${error.message}`;
    }
    link.drawn();
    if (decoding === taken) decoding = null;
  }
}

function changed(mode) {
  granted = '';
  const pulse = PULSES[mode];
  if (pulse && driver?.pulse) pulses += driver.pulse(...pulse);
}

function step(now, frame) {
  const dt = Math.min((now - last) / 1000, 0.1);
  last = now;
  if (!driver) return;
  const parts = frame ? driver.step(frame) : driver.step(dt, status);
  choices.hold(driver.menu || keys.down.has('Enter'), status, now, () => {
    if (driver.menu !== undefined && !keys.down.has('Enter')) choices.next(status);
  });
  let buttons = parts.buttons | choices.buttons;
  if (now < estopUntil) buttons |= BUTTON.ESTOP;
  const mine = status?.lease_holder === link.name;
  link.sendFrame({ ...parts, buttons, lease: mine ? status.lease : 0,
    device_stamp_ns: nanoseconds(now) });
}

function view(now) {
  return { status, link, choices, now, granted, reason: why({ link, status, driver }) };
}

function show(now) {
  if (now - panelAt < PANEL_MS) return false;
  panelAt = now;
  const seen = view(now);
  const mode = status && link.state === 'paired' ? MODES[status.mode] : null;
  $('mode').textContent = mode ? mode.word : link.state === 'paired' ? 'waiting' : 'not connected';
  $('mode').style.background = mode?.colour ?? '';
  $('mode').style.color = mode?.ink ?? '';
  // Before pairing the refusal is what a person has to read.
  const unpaired = !$('pairing').hidden;
  if (!unpaired || granted) $('why').textContent = unpaired ? granted : seen.reason;
  $('quality').textContent = link.quality.word;
  $('granted').textContent = granted;
  if (status) {
    $('authority').textContent = AUTHORITIES[status.authority];
    $('stage-word').textContent = STAGES[status.stage];
    $('lease').textContent = status.lease_holder === link.name ? 'you' : status.lease_holder || 'nobody';
    $('alignment').textContent = alignmentText(status);
    $('task').textContent = status.instruction || '\u2014';
  }
  listChoices(now);
  drawPanel(context, seen);
  return true;
}

function listChoices(now) {
  const list = choices.list(status), chosen = choices.chosen(status)?.[0];
  const box = $('choices'), shown = [...box.children].map((b) => b.dataset.name + b.textContent).join();
  if (shown !== list.map(([name, text]) => name + text).join()) {
    box.replaceChildren(...list.map(([name, text]) => {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: text });
      button.dataset.name = name;
      let timer = 0;
      const release = () => { clearTimeout(timer); button.classList.remove('held'); };
      button.onpointerdown = () => {
        button.classList.add('held');
        timer = setTimeout(() => { release(); choices.ask(name); }, 1000);
      };
      button.onpointerup = button.onpointerleave = button.onpointercancel = release;
      return button;
    }));
  }
  for (const button of box.children) button.classList.toggle('chosen', button.dataset.name === chosen);
  box.dataset.progress = choices.progress(now).toFixed(1);
}

async function enterHeadset() {
  try {
    const session = await navigator.xr.requestSession('immersive-vr',
      { requiredFeatures: ['local-floor'], optionalFeatures: ['hand-tracking'] });
    const canvas = document.createElement('canvas');
    const gl = canvas.getContext('webgl2', { xrCompatible: true });
    scene = new Scene(gl);
    layer = new XRWebGLLayer(session, gl);
    session.updateRenderState({ baseLayer: layer });
    const space = await session.requestReferenceSpace('local-floor');
    // A headset that finds its floor anew moves the frame of reference under the operator.
    space.addEventListener?.('reset', () => link.connect());
    driver = new HeadsetDriver(session, space, keys);
    panelAt = 0;
    session.addEventListener('end', () => { driver = scene = layer = null; requestAnimationFrame(onPage); });
    const onFrame = (time, frame) => {
      session.requestAnimationFrame(onFrame);
      const now = performance.now(), dt = (now - last) / 1000;
      step(now, frame);
      if (show(now)) scene.setPanel(panel);
      const stamp = fresh;
      if (stamp !== null) { fresh = null; scene.setPicture(picture); }
      if (driver.viewer) scene.draw(session.renderState.baseLayer, driver.viewer, dt, ghosts());
      if (stamp !== null) link.shown(stamp, performance.now());
    };
    session.requestAnimationFrame(onFrame);
  } catch (error) {
    granted = `The headset cannot be entered: ${error.message}`;
  }
}

// The robot's hands, shown while the operator brings their own to them.
function ghosts() {
  if (!status || !driver?.parts || ![MODE.ALIGN, MODE.CLUTCH].includes(status.mode)) return [];
  const { position_error: metres, orientation_error: turn } = status;
  const near = metres !== null && metres < NEAR_M && turn !== null && turn < NEAR_RAD;
  return ['left', 'right'].map((side) => ({
    pose: ghost(driver.parts.head, status.head, status[`${side}_wrist`]),
    colour: near ? GHOST_NEAR : GHOST_FAR,
  }));
}

function onPage() {
  if (driver?.name === 'headset') return; // the session has its own frames
  requestAnimationFrame(onPage);
  const now = performance.now();
  step(now, null);
  show(now);
  if (fresh !== null) { link.shown(fresh, now); fresh = null; }
}

$('pairing').addEventListener('submit', (event) => {
  event.preventDefault();
  granted = '';
  $('why').textContent = 'Pairing\u2026';
  link.pair($('name').value.trim(), $('code').value);
});
$('enter').addEventListener('click', enterHeadset);
$('keyboard').addEventListener('click', (event) => {
  event.currentTarget.blur(); // else Space would press it again
  if (driver?.name === 'keyboard') { driver = null; return; }
  if (!driver) driver = new KeyboardDriver(keys);
});
// By both ways, so that it also stops the robot for who only watches.
$('estop').addEventListener('pointerdown', () => {
  estopUntil = performance.now() + ESTOP_MS;
  choices.ask('estop');
});
addEventListener('keydown', (event) => { if (event.code === 'KeyN' && !event.repeat && !event.target.matches?.('input')) choices.next(status); });
$('card-rows').replaceChildren(...[['Controller', 'Keyboard', ''], ...CARD].map((cells) => {
  const row = document.createElement('tr');
  row.append(...cells.map((text) => Object.assign(document.createElement('td'), { textContent: text })));
  return row;
}));

$('name').value = sessionStorage.getItem('rove-name') ?? '';
if (/^#\d{8}$/.test(location.hash)) $('code').value = location.hash.slice(1);
if (!isSecureContext) {
  $('why').textContent = 'This page needs https.';
} else if (!navigator.xr) {
  $('enter').disabled = true;
} else {
  navigator.xr.isSessionSupported('immersive-vr').then((yes) => { $('enter').disabled = !yes; });
}
if (link.token && $('name').value && !$('code').value) link.pair($('name').value, '');
requestAnimationFrame(onPage);
// What a test or a curious person may look at in the browser's console; it commands nothing.
globalThis.rove = { get status() { return status; }, get pulses() { return pulses; }, get driver() { return driver?.name ?? ''; }, get ghosts() { return ghosts(); },
  get chosen() { return choices.chosen(status)?.[0] ?? ''; }, link, panel };
