// Keyboard and gamepad: they drive two virtual hands. Before the squeeze these lie where the robot's
// are, as a keyboard has no posture of its own; from then on the keys move them.

import { ghost, multiply } from './pose.js';
import { BUTTON, MODE } from './words.js';

const SPEED = 0.15;  // m/s: slow enough to watch what happens
const TURN = 0.7;    // rad/s
const DEAD = 0.15;   // of a stick
export const EYES_M = 1.6;
const HEAD = [0, 0, EYES_M, 0, 0, 0, 1];
const KEYS = {
  KeyW: [0, 1], KeyS: [0, -1], KeyA: [1, 1], KeyD: [1, -1], KeyR: [2, 1], KeyF: [2, -1],
  KeyQ: [3, -1], KeyE: [3, 1], ArrowUp: [4, -1], ArrowDown: [4, 1], ArrowLeft: [5, 1], ArrowRight: [5, -1],
};
const BUTTONS = { KeyT: BUTTON.TAKEOVER, KeyM: BUTTON.MARK_RECOVERY, KeyB: BUTTON.HAND_BACK,
  Escape: BUTTON.ESTOP, KeyP: BUTTON.PAUSE };
// https://www.w3.org/TR/gamepad/#remapping: 0-3 are the right cluster, 4-7 the shoulders.
const PAD = { 3: BUTTON.TAKEOVER, 0: BUTTON.MARK_RECOVERY, 1: BUTTON.HAND_BACK, 10: BUTTON.ESTOP, 11: BUTTON.ESTOP };

// Keys that are down in this window; all are let go when it loses the focus or is hidden.
export class Keys {
  constructor() {
    this.down = new Set();
    addEventListener('keydown', (event) => {
      if (event.target.matches?.('input')) return;
      if (event.code === 'Space' || event.code.startsWith('Arrow')) event.preventDefault();
      this.down.add(event.code);
    });
    addEventListener('keyup', (event) => this.down.delete(event.code));
    addEventListener('blur', () => this.down.clear());
    document.addEventListener('visibilitychange', () => this.down.clear());
  }

  // Enable by a pedal that types a key, a key, or a second person at the keyboard.
  get enable() { return ['Space', 'PageDown', 'F13'].some((code) => this.down.has(code)); }

  get buttons() {
    let mask = 0;
    for (const [code, bit] of Object.entries(BUTTONS)) if (this.down.has(code)) mask |= bit;
    return mask;
  }
}

export class KeyboardDriver {
  constructor(keys) {
    this.keys = keys;
    this.side = 'right';
    this.hands = { left: [0.3, 0.2, 1.2, 0, 0, 0, 1], right: [0.3, -0.2, 1.2, 0, 0, 0, 1] };
    this.present = true;
    this.fingers = 0;
    this.name = 'keyboard';
  }

  get lost() { return document.hasFocus() ? '' : 'This window has lost the keyboard: click into it'; }

  step(dt, status) {
    const pad = [...(navigator.getGamepads?.() ?? [])].find((p) => p?.connected && p.mapping === 'standard');
    const { down } = this.keys;
    if (down.has('Digit1')) this.side = 'left';
    if (down.has('Digit2')) this.side = 'right';
    const rates = [0, 0, 0, 0, 0, 0];
    for (const [code, [axis, sign]] of Object.entries(KEYS)) if (down.has(code)) rates[axis] += sign;
    let { buttons, enable } = this.keys;
    let fingers = down.has('KeyG') ? 1 : 0;
    if (pad) {
      const stick = pad.axes.map((v) => (Math.abs(v) > DEAD ? v : 0));
      rates[0] -= stick[1]; rates[1] -= stick[0]; rates[2] -= stick[3]; rates[5] -= stick[2];
      enable ||= pad.buttons[5].pressed;
      fingers = Math.max(fingers, pad.buttons[7].value);
      if (pad.buttons[4].pressed) this.side = 'left';
      for (const [i, bit] of Object.entries(PAD)) if (pad.buttons[i]?.pressed) buttons |= bit;
    }
    const driving = status && [MODE.HUMAN, MODE.CLUTCH].includes(status.mode);
    if (status && !driving && !enable) {
      for (const side of ['left', 'right']) {
        this.hands[side] = ghost(HEAD, status.head, status[`${side}_wrist`]);
      }
    } else if (enable) {
      this.move(rates, dt);
    }
    this.fingers = fingers;
    const squeeze = enable ? 1 : 0;
    const right = this.side === 'right';
    return {
      head: HEAD, left_wrist: this.hands.left, right_wrist: this.hands.right,
      left_squeeze: right ? 0 : squeeze, right_squeeze: right ? squeeze : 0,
      left_trigger: right ? 0 : fingers, right_trigger: right ? fingers : 0,
      buttons,
    };
  }

  move(rates, dt) {
    const hand = this.hands[this.side];
    const place = [0, 1, 2].map((i) => hand[i] + rates[i] * SPEED * dt);
    let turn = hand.slice(3);
    for (const axis of [0, 1, 2]) {
      const half = (rates[axis + 3] * TURN * dt) / 2;
      const q = [0, 0, 0, Math.cos(half)];
      q[axis] = Math.sin(half);
      turn = multiply(q, turn);
    }
    const norm = Math.hypot(...turn);
    this.hands[this.side] = place.concat(turn.map((v) => v / norm));
  }
}
