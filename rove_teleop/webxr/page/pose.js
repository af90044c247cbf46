// Poses: WebXR's axes (x right, y up, z back) to the wire's (x forward, y left, z up), and back.
// Quaternions are [x, y, z, w]; a pose is [x, y, z, qx, qy, qz, qw], metres.

export const IDENTITY = [0, 0, 0, 0, 0, 0, 1];
const HALF = Math.SQRT1_2;
// A hand's wrist joint has y out of the back of the hand; the wire's wrist has z towards the thumb.
// Turned about the fingers' axis by a quarter, the two agree, and hands look like controllers.
const TO_THUMB = { left: [0, 0, -HALF, HALF], right: [0, 0, HALF, HALF] };

export function multiply([ax, ay, az, aw], [bx, by, bz, bw]) {
  return [
    aw * bx + ax * bw + ay * bz - az * by,
    aw * by - ax * bz + ay * bw + az * bx,
    aw * bz + ax * by - ay * bx + az * bw,
    aw * bw - ax * bx - ay * by - az * bz,
  ];
}

export const conjugate = ([x, y, z, w]) => [-x, -y, -z, w];

export function rotate(q, [x, y, z]) {
  const [rx, ry, rz] = multiply(multiply(q, [x, y, z, 0]), conjugate(q));
  return [rx, ry, rz];
}

export const toWirePoint = ({ x, y, z }) => [-z, -x, y];
export const toWireTurn = ([x, y, z, w]) => [-z, -x, y, w];
export const toXrPoint = ([x, y, z]) => [-y, z, -x];
export const toXrTurn = ([x, y, z, w]) => [-y, z, -x, w];
export const list = ({ x, y, z, w }) => [x, y, z, w];

export function toWire(position, orientation) {
  return [...toWirePoint(position), ...toWireTurn(list(orientation))];
}

export function handToWire(side, position, orientation) {
  return [...toWirePoint(position), ...toWireTurn(multiply(list(orientation), TO_THUMB[side]))];
}

// Which way a head faces, rad about z, from its left axis: it stays level when one looks down.
export function yawOf(pose) {
  const [x, y] = rotate(pose.slice(3), [0, 1, 0]);
  return Math.atan2(-x, y);
}

// Where a wrist of the robot appears to an operator whose head stands for the robot's.
export function ghost(operatorHead, robotHead, robotWrist) {
  const half = (yawOf(operatorHead) - yawOf(robotHead)) / 2;
  const turn = [0, 0, Math.sin(half), Math.cos(half)];
  const apart = [0, 1, 2].map((i) => robotWrist[i] - robotHead[i]);
  const moved = rotate(turn, apart);
  return [0, 1, 2].map((i) => operatorHead[i] + moved[i])
    .concat(multiply(turn, robotWrist.slice(3)));
}
