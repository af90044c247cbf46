// HeadsetDriver: head, hands or controllers of an immersive session as the parts of a frame.

import { IDENTITY, handToWire, toWire, toWirePoint } from './pose.js';
import { BUTTON } from './words.js';

// https://www.w3.org/TR/webxr-gamepads-module-1/#xr-standard-gamepad-mapping
const TRIGGER = 0, SQUEEZE = 1, STICK = 3, LOWER = 4, UPPER = 5;
const PINCHED_M = 0.02, OPEN_M = 0.08; // between the tips of thumb and index finger
const JOINTS = 25;
const SIDES = ['left', 'right'];

export class HeadsetDriver {
  constructor(session, space, keys) {
    this.session = session;
    this.space = space;
    this.keys = keys;
    this.name = 'headset';
    this.parts = { head: IDENTITY, left_wrist: IDENTITY, right_wrist: IDENTITY };
    this.tracked = { head: false, left: false, right: false };
    this.seen = { left: false, right: false }; // whether a side was ever there
    this.menu = false;
    this.bareHands = false;
  }

  get asleep() { return this.session.visibilityState !== 'visible'; }
  get present() { return this.tracked.head; }
  get missing() { return 'The headset does not see where it is. The robot holds.'; }

  get lost() {
    const gone = SIDES.filter((side) => this.seen[side] && !this.tracked[side]);
    return gone.length === 2 ? 'Both hands are lost' : gone.length ? `The ${gone[0]} hand is lost` : '';
  }

  step(frame) {
    const out = { buttons: this.keys.buttons };
    const viewer = frame.getViewerPose(this.space);
    this.viewer = viewer;
    this.tracked = { head: Boolean(viewer) && !this.asleep, left: false, right: false };
    if (viewer) this.parts.head = toWire(viewer.transform.position, viewer.transform.orientation);
    this.bareHands = false;
    let menu = false;
    for (const source of this.session.inputSources) {
      const side = source.handedness;
      if (!SIDES.includes(side)) continue;
      if (source.hand) this.bare(frame, source, side, out);
      else menu = this.controller(frame, source, side, out) || menu;
    }
    this.menu = menu;
    return { ...out, head: this.parts.head, left_wrist: this.parts.left_wrist,
      right_wrist: this.parts.right_wrist, head_tracked: this.tracked.head,
      left_tracked: this.tracked.left, right_tracked: this.tracked.right };
  }

  controller(frame, source, side, out) {
    const grip = source.gripSpace && frame.getPose(source.gripSpace, this.space);
    // The grip's axes follow the handle's slant, which differs between makers; the ray points
    // ahead of the hand on all of them.
    const aim = frame.getPose(source.targetRaySpace, this.space);
    if (grip && aim && !this.asleep) {
      this.parts[`${side}_wrist`] = toWire(grip.transform.position, aim.transform.orientation);
      this.tracked[side] = !grip.emulatedPosition;
      this.seen[side] = true;
    }
    const pad = source.gamepad?.buttons ?? [];
    const pressed = (i) => Boolean(pad[i]?.pressed);
    out[`${side}_trigger`] = pad[TRIGGER]?.value ?? 0;
    out[`${side}_squeeze`] = pad[SQUEEZE]?.value ?? 0;
    if (pressed(STICK)) out.buttons |= BUTTON.ESTOP;
    if (side === 'right') {
      if (pressed(LOWER)) out.buttons |= BUTTON.MARK_RECOVERY;
      if (pressed(UPPER)) out.buttons |= BUTTON.HAND_BACK;
      return false;
    }
    if (pressed(UPPER)) out.buttons |= BUTTON.TAKEOVER;
    return pressed(LOWER);
  }

  // Bare hands: a pinch only grasps. Enable comes from a pedal, a key or a second person.
  bare(frame, source, side, out) {
    this.bareHands = true;
    const spaces = [...source.hand.values()];
    const poses = spaces.map((space) => frame.getJointPose?.(space, this.space));
    const wrist = poses[0];
    if (!wrist || this.asleep) return;
    this.parts[`${side}_wrist`] = handToWire(side, wrist.transform.position, wrist.transform.orientation);
    this.tracked[side] = true;
    this.seen[side] = true;
    out[`${side}_squeeze`] = this.keys.enable ? 1 : 0;
    if (poses.length !== JOINTS || poses.some((pose) => !pose)) return;
    const points = poses.map((pose) => toWirePoint(pose.transform.position));
    out[`${side}_hand`] = points.flat();
    const gap = Math.hypot(...[0, 1, 2].map((i) => points[4][i] - points[9][i]));
    out[`${side}_trigger`] = Math.min(Math.max((OPEN_M - gap) / (OPEN_M - PINCHED_M), 0), 1);
  }

  // Pulses tell without looking what the robot did: [strength 0..1, ms].
  pulse(strength, ms) {
    let felt = 0;
    for (const source of this.session.inputSources) {
      const actuator = source.gamepad?.hapticActuators?.[0];
      if (actuator?.pulse) { actuator.pulse(strength, ms); felt += 1; }
      else if (source.gamepad?.vibrationActuator?.playEffect) {
        source.gamepad.vibrationActuator.playEffect('dual-rumble',
          { duration: ms, strongMagnitude: strength, weakMagnitude: strength });
        felt += 1;
      }
    }
    return felt;
  }
}
