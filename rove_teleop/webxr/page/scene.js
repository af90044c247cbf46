// Scene: what an immersive session shows: the robot's picture, the panel, the ghost hands. WebGL 2.

import { rotate, toXrPoint, toXrTurn } from './pose.js';

const VERTEX = `#version 300 es
uniform mat4 projection, view, model;
in vec3 place; in vec2 at; out vec2 uv;
void main() { uv = at; gl_Position = projection * view * model * vec4(place, 1.0); }`;
const FRAGMENT = `#version 300 es
precision mediump float;
uniform sampler2D picture; uniform vec4 colour; in vec2 uv; out vec4 shown;
void main() { shown = colour.a > 0.0 ? colour : texture(picture, uv); }`;
const QUAD = [-.5, -.5, 0, 0, 1, .5, -.5, 0, 1, 1, -.5, .5, 0, 0, 0, .5, .5, 0, 1, 0];
const FOLLOW_S = 0.6;     // the screens follow the head's turn lazily: glued to it they sicken
const AHEAD_M = 1.6;
const PICTURE_M = 1.5;    // width
const PICTURE_UP_M = 0.18; // of its middle above the eyes
const PANEL_M = 1.0;
const PANEL_AHEAD_M = 1.3, PANEL_HEIGHT_M = 0.625, GAP_M = 0.02;

export class Scene {
  constructor(gl) {
    this.gl = gl;
    const program = this.program = gl.createProgram();
    for (const [kind, text] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, text);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
    this.at = Object.fromEntries(['projection', 'view', 'model', 'colour']
      .map((name) => [name, gl.getUniformLocation(program, name)]));
    this.quad = this.buffer(QUAD);
    this.box = this.buffer(boxes());
    this.panel = this.texture();
    this.picture = this.texture();
    this.ratio = 0;
    this.yaw = null;
  }

  buffer(values) {
    const { gl } = this;
    const array = gl.createVertexArray();
    gl.bindVertexArray(array);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(values), gl.STATIC_DRAW);
    for (const [name, size, offset] of [['place', 3, 0], ['at', 2, 12]]) {
      const index = gl.getAttribLocation(this.program, name);
      gl.enableVertexAttribArray(index);
      gl.vertexAttribPointer(index, size, gl.FLOAT, false, 20, offset);
    }
    return { array, count: values.length / 5 };
  }

  texture() {
    const { gl } = this;
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const side of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, side, gl.LINEAR);
    return texture;
  }

  upload(texture, source) {
    const { gl } = this;
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, source);
  }

  setPicture(source) {
    this.ratio = source.height / source.width;
    this.upload(this.picture, source);
  }

  setPanel(canvas) { this.upload(this.panel, canvas); }

  // ghosts: [{pose, colour}] in the wire's frame, to be seen while aligning; head: viewer's transform.
  draw(layer, viewer, dt, ghosts) {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, layer.framebuffer);
    gl.clearColor(0.05, 0.06, 0.07, 1);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    gl.enable(gl.DEPTH_TEST);
    gl.useProgram(this.program);
    const { position: p, orientation: o } = viewer.transform;
    const yaw = this.follow(forwardYaw([o.x, o.y, o.z, o.w]), dt);
    for (const view of viewer.views) {
      const port = layer.getViewport(view);
      gl.viewport(port.x, port.y, port.width, port.height);
      gl.uniformMatrix4fv(this.at.projection, false, view.projectionMatrix);
      gl.uniformMatrix4fv(this.at.view, false, view.transform.inverse.matrix);
      const height = PICTURE_M * this.ratio;
      if (this.ratio) this.screen(this.picture, p, yaw, PICTURE_UP_M, PICTURE_M, height, AHEAD_M);
      this.screen(this.panel, p, yaw, panelUp(height), PANEL_M, PANEL_HEIGHT_M, PANEL_AHEAD_M);
      for (const { pose, colour } of ghosts) this.hand(pose, colour);
    }
  }

  follow(yaw, dt) {
    if (this.yaw === null) this.yaw = yaw;
    const apart = Math.atan2(Math.sin(yaw - this.yaw), Math.cos(yaw - this.yaw));
    this.yaw += apart * Math.min(dt / FOLLOW_S, 1);
    return this.yaw;
  }

  screen(texture, head, yaw, up, width, height, ahead) {
    const { gl } = this;
    const c = Math.cos(yaw), s = Math.sin(yaw);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.uniform4f(this.at.colour, 0, 0, 0, 0);
    gl.uniformMatrix4fv(this.at.model, false, [c * width, 0, -s * width, 0, 0, height, 0, 0,
      s, 0, c, 0, head.x - s * ahead, head.y + up, head.z - c * ahead, 1]);
    gl.bindVertexArray(this.quad.array);
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, this.quad.count);
  }

  hand(pose, colour) {
    const { gl } = this;
    const q = toXrTurn(pose.slice(3));
    const columns = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map((axis) => rotate(q, axis));
    gl.uniform4f(this.at.colour, ...colour);
    gl.uniformMatrix4fv(this.at.model, false, [...columns[0], 0, ...columns[1], 0, ...columns[2], 0,
      ...toXrPoint(pose), 1]);
    gl.bindVertexArray(this.box.array);
    gl.drawArrays(gl.LINES, 0, this.box.count);
  }
}

// Below a picture of that height as the eyes see it: at its lower edge are the robot's hands.
export function panelUp(height) {
  const edge = (PICTURE_UP_M - height / 2) * (PANEL_AHEAD_M / AHEAD_M);
  return edge - GAP_M - PANEL_HEIGHT_M / 2;
}

export function forwardYaw(q) {
  const [x, , z] = rotate(q, [1, 0, 0]);
  return Math.atan2(-z, x);
}

// A hand as lines in WebXR's axes: a palm that reaches forward, and a thumb that points up.
function boxes() {
  const lines = [];
  const add = (a, b) => lines.push(...a, 0, 0, ...b, 0, 0);
  const edge = (x, y, z) => {
    for (const u of [-x, x]) for (const v of [-y, y]) add([u, v, 0], [u, v, -z]);
    for (const w of [0, -z]) {
      for (const u of [-x, x]) add([u, -y, w], [u, y, w]);
      for (const v of [-y, y]) add([-x, v, w], [x, v, w]);
    }
  };
  edge(0.018, 0.045, 0.18);
  add([0, 0.045, -0.05], [0, 0.1, -0.08]);
  add([0, 0, -0.18], [0, 0, -0.24]);
  return lines;
}
