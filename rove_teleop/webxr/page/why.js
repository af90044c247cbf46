// Why nothing moves when nothing moves: one sentence, the most urgent first.

import { AUTHORITIES, MODE, MODES } from './words.js';

const STALE_MS = 1000;

export function why({ link, status, driver }) {
  if (link.state !== 'paired') return link.wanted ? 'The network is lost. The robot holds. Trying again.' : 'Not paired.';
  if (!status || performance.now() - link.heard > STALE_MS) return 'The bridge is silent. The robot holds by itself.';
  const mine = status.lease_holder === link.name;
  const { mode, reason } = status;
  if (mode === MODE.ESTOP) return `${reason}. A person must reset it.`;
  if (driver?.asleep) return 'The headset sleeps or shows its menu: put it on, or close the menu. The robot holds.';
  if (driver && !driver.present) return driver.missing;
  if (status.lease_holder && !mine) return `${status.lease_holder} holds the lease: you watch.`;
  if (status.notice) return status.notice;
  if (!mine) return driver ? 'Waiting for the lease: keep still for a second.' : 'Enter VR, or drive by keyboard.';
  if (status.question) return `${status.question} Press A for yes.`;
  if (mode === MODE.HOLD) return `The robot holds: ${reason}. Takeover (Y) or resume goes on.`;
  if (driver?.lost) return `${driver.lost}. The robot does not follow it.`;
  if (mode === MODE.ALIGN) return `${reason}. Bring your hands to the ghosts, then squeeze.`;
  if (mode === MODE.CLUTCH) return reason;
  if (mode === MODE.HUMAN && AUTHORITIES[status.authority] !== 'human') return `The robot holds: ${reason}.`;
  if (mode === MODE.IDLE && !status.episode_id) return `${reason}. Start an episode, or squeeze to move freely.`;
  return reason || MODES[mode].word;
}

export function alignmentText(status) {
  if (status?.position_error == null) return 'not known';
  const turn = status.orientation_error == null ? '' : `, ${(status.orientation_error * 57.3).toFixed(0)}\u00b0`;
  return `wrist ${(status.position_error * 100).toFixed(0)} cm${turn}`;
}

export const CARD = [
  ['Y', 'T', 'take over'],
  ['squeeze (hold)', 'Space (hold)', 'enable: the robot follows while it is held'],
  ['trigger', 'G', 'close the fingers'],
  ['A', 'M', 'mark recovery; yes to a question'],
  ['B', 'B', 'hand back to the policy'],
  ['stick click', 'Esc', 'emergency stop'],
  ['X, hold X', 'N, hold Enter', 'next choice; do it'],
  ['\u2014', 'P', 'pause, resume'],
  ['\u2014', 'W S A D R F', 'move the hand: forward, back, left, right, up, down'],
  ['\u2014', 'arrows, Q E', 'turn the hand'],
  ['\u2014', '1, 2', 'left hand, right hand'],
];
