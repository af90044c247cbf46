// Panel: what the operator reads in the headset, drawn with the 2-D canvas into a texture.

import { CARD, alignmentText } from './why.js';
import { AUTHORITIES, MODES, STAGES } from './words.js';

export const WIDTH = 1024, HEIGHT = 640;
const BAR = 120;
const MODE_PX = 72, MODE_WIDTH = 390; // of the longest words the letters become smaller

export function drawPanel(context, view) {
  const { status, link, reason, choices, now } = view;
  const mode = status && link.state === 'paired' ? MODES[status.mode]
    : { word: 'no link', colour: '#6b6b6b', ink: '#ffffff' };
  context.fillStyle = '#15181c';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  context.fillStyle = mode.colour;
  context.fillRect(0, 0, WIDTH, BAR);
  context.fillStyle = mode.ink;
  const word = mode.word.toUpperCase();
  context.font = `700 ${MODE_PX}px system-ui, sans-serif`;
  const fit = Math.min(MODE_WIDTH / context.measureText(word).width, 1);
  context.font = `700 ${Math.floor(MODE_PX * fit)}px system-ui, sans-serif`;
  context.fillText(word, 30, 84);
  context.font = '32px system-ui, sans-serif';
  context.textAlign = 'right';
  context.fillText(status ? holder(status, link) : '', WIDTH - 30, 52);
  const quality = link.quality;
  context.fillText(`${'\u25ae'.repeat(quality.bars)}${'\u25af'.repeat(3 - quality.bars)} ${quality.word}`, WIDTH - 30, 98);
  context.textAlign = 'left';
  context.fillStyle = '#ffffff';
  context.font = '38px system-ui, sans-serif';
  let y = wrap(context, reason, 30, 175, WIDTH - 60, 46, 4);
  context.font = '30px system-ui, sans-serif';
  context.fillStyle = '#b9c1ca';
  if (status) {
    context.fillText(`stage ${STAGES[status.stage]}   alignment: ${alignmentText(status)}`, 30, y += 12);
    y = wrap(context, status.instruction ? `task: ${status.instruction}` : '', 30, y + 40, WIDTH - 60, 36, 1);
  }
  if (view.granted) y = wrap(context, view.granted, 30, y + 6, WIDTH - 60, 36, 1);
  const chosen = choices.chosen(status);
  if (chosen) {
    context.fillStyle = '#39414a';
    context.fillRect(30, y, WIDTH - 60, 48);
    context.fillStyle = '#e69f00';
    context.fillRect(30, y, (WIDTH - 60) * choices.progress(now), 48);
    context.fillStyle = '#ffffff';
    context.fillText(`X: next, hold X: ${chosen[1]}`, 44, y + 35);
  }
  card(context);
}

function holder(status, link) {
  const who = status.lease_holder === link.name ? 'you hold the lease'
    : status.lease_holder ? `${status.lease_holder} holds the lease` : 'nobody holds the lease';
  const driver = AUTHORITIES[status.authority];
  return `${driver === 'hold' ? 'nobody drives' : `${driver} drives`}, ${who}`;
}

function card(context) {
  context.font = '24px system-ui, sans-serif';
  context.fillStyle = '#b9c1ca';
  const rows = CARD.filter(([button]) => button.length > 1 || 'YAB'.includes(button)).slice(0, 6);
  rows.forEach(([button, , text], i) => {
    const x = 30 + (i % 2) * 500, y = HEIGHT - 84 + Math.floor(i / 2) * 32;
    context.fillText(`${button}: ${text.split(':')[0]}`, x, y);
  });
}

function wrap(context, text, x, y, width, height, lines) {
  const words = text.split(' ');
  let line = '';
  for (const word of words) {
    if (context.measureText(`${line}${word}`).width > width && line) {
      if (--lines <= 0) { context.fillText(`${line}\u2026`, x, y); return y + height; }
      context.fillText(line, x, y);
      y += height;
      line = '';
    }
    line += `${word} `;
  }
  context.fillText(line, x, y);
  return y + height;
}
