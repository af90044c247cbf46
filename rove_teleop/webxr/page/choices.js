// Choices: what an operator may ask for now besides the buttons; done by holding, never by a touch.

import { BUTTON, MODE, WISHES } from './words.js';

export const HOLD_MS = 1000;
const PAUSE_MS = 250; // a level that the arbiter sees as one press

export class Choices {
  constructor(link) {
    this.link = link;
    this.index = 0;
    this.pausedUntil = 0;
    this.heldSince = null;
    this.done = false;
  }

  // [name, text] of what may be asked for in this state of the robot.
  list(status) {
    if (!status || status.lease_holder !== this.link.name) return [];
    const found = [];
    const { mode } = status;
    if (mode === MODE.ESTOP) return [['reset_estop', WISHES.reset_estop]];
    if ([MODE.AUTONOMOUS, MODE.HANDBACK].includes(mode)) found.push(['pause', 'pause the policy']);
    if ([MODE.PAUSED, MODE.HOLD].includes(mode)) found.push(['pause', 'resume']);
    const names = status.episode_id ? ['success', 'failure']
      : mode === MODE.IDLE ? ['rollout', 'demonstration', 'reset', 'next'] : [];
    return found.concat(names.map((name) => [name, WISHES[name]]));
  }

  next(status) {
    const count = this.list(status).length;
    this.index = count ? (this.index + 1) % count : 0;
  }

  chosen(status) {
    const list = this.list(status);
    return list.length ? list[Math.min(this.index, list.length - 1)] : null;
  }

  // A button that is both: released early it goes on, held for HOLD_MS it does what is chosen.
  hold(down, status, now, onShort) {
    if (down && this.heldSince === null) { this.heldSince = now; this.done = false; }
    if (down && !this.done && now - this.heldSince >= HOLD_MS) {
      this.done = true;
      const chosen = this.chosen(status);
      if (chosen) this.ask(chosen[0]);
    }
    if (!down && this.heldSince !== null) {
      if (!this.done) onShort();
      this.heldSince = null;
    }
  }

  progress(now) {
    return this.heldSince === null ? 0 : Math.min((now - this.heldSince) / HOLD_MS, 1);
  }

  ask(name) {
    if (name === 'pause') this.pausedUntil = performance.now() + PAUSE_MS;
    else this.link.send({ type: 'wish', name });
  }

  get buttons() { return performance.now() < this.pausedUntil ? BUTTON.PAUSE : 0; }
}
