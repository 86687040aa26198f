// Rows of cells and the lines between them, as the page's other figures are drawn (the classes are those of drawing.css).
const CELL = 25, TOP = 8, COLOURS = 8;

// The same text alternative that the figures drawn beforehand have.
function svg(name, title, text, width, height, parts) {
  return `<svg viewBox="0 0 ${width} ${height}" style="width:${width}px;max-width:none" role="img" ` +
    `aria-labelledby="${name}-title ${name}-text"><title id="${name}-title">${title}</title>` +
    `<desc id="${name}-text">${text}</desc>${parts.join("")}</svg>`;
}

function cells(parts, xs, y, values, kinds) {
  values.forEach((value, i) => {
    const kind = typeof kinds === "string" ? kinds : kinds[i];
    const width = CELL, text = String(value), small = text.length > 3 ? " tiny" : text.length > 2 ? " small" : "";
    parts.push(`<rect class="${kind}" x="${xs[i] - width / 2}" y="${y}" width="${width}" height="${CELL}" rx="3"/>`);
    parts.push(`<text class="${kind === "zero" || kind === "gone" ? "soft" : ""}${small}" x="${xs[i]}" y="${y + 17}">${text}</text>`);
  });
}

function link(parts, x1, y1, x2, y2, k, faint) {
  parts.push(`<path class="s${k % COLOURS}${faint ? " faint" : ""}" d="M${x1} ${y1}L${x2} ${y2}"/>`);
}

function centres(count, step, width) {
  return Array.from({length: count}, (_, i) => width / 2 + (i - (count - 1) / 2) * step);
}

function list(values) {
  return values.join(" ");
}

function drawTransposed(x, f, s, p) {
  const {full, y} = transposedForm(x, f, s, p), parts = [];
  const width = Math.max(CELL * full.length, CELL * s * (x.length - 1) + CELL) + 8;
  const bottom = centres(full.length, CELL, width);
  const top = x.map((_, i) => bottom[0] + (s * i + (f.length - 1) / 2) * CELL);
  x.forEach((_, i) => f.forEach((_, k) => link(parts, top[i], TOP + CELL, bottom[s * i + k], 100, k)));
  cells(parts, top, TOP, x, "cell");
  cells(parts, bottom, 100, full, full.map((_, j) => (j < p || j >= full.length - p ? "gone" : "cell")));
  const crop = p ? `, cropped by ${p} at each end` : "";
  return svg("try-transposed", "Transposed convolution, drawn", `x = ${list(x)} becomes ${list(full)}${crop}: y = ${list(y)}.`,
    width, 134, parts);
}

function drawSubpixel(x, f, s, p) {
  const {stretched, pad, y} = subpixelForm(x, f, s, p), parts = [], K = f.length;
  const width = CELL * stretched.length + 8;
  const top = centres(stretched.length, CELL, width), bottom = centres(y.length, CELL, width);
  const real = (i) => i >= pad && i < stretched.length - pad && (i - pad) % s === 0;
  for (const faint of [true, false]) { // lines to zeros first, under the others
    y.forEach((_, j) => f.forEach((_, k) => {
      if (real(j + k) !== faint) link(parts, top[j + k], TOP + CELL, bottom[j], 100, K - 1 - k, faint);
    }));
  }
  cells(parts, top, TOP, stretched, stretched.map((_, i) => (real(i) ? "cell" : "zero")));
  cells(parts, bottom, 100, y, "cell");
  return svg("try-subpixel", "Sub-pixel convolution, drawn",
    `${list(stretched)}, convolved with ${list([...f].reverse())}: y = ${list(y)}.`, width, 134, parts);
}

function drawLR(x, f, s, p) {
  const {taps, maps, sites, y} = lrForm(x, f, s, p), parts = [];
  const mapWidth = sites * CELL + 14;
  const width = Math.max(s * mapWidth, x.length * CELL * 1.6, y.length * CELL) + 8;
  const top = centres(x.length, CELL * 1.6, width), bottom = centres(y.length, CELL, width), blocks = centres(s, mapWidth, width);
  const middle = maps.map((_, phase) => centres(sites, CELL, 0).map((at) => at + blocks[phase]));
  const tint = (phase) => ["f5", "cell"][phase % 2];
  maps.forEach((map, phase) => taps[phase].forEach(({k, reads}) => map.forEach((_, n) => {
    if (n + reads >= 0 && n + reads < x.length) link(parts, top[n + reads], TOP + CELL, middle[phase][n], 110, k);
  })));
  y.forEach((_, j) => parts.push(
    `<path class="axis" d="M${middle[j % s][Math.floor(j / s)]} ${110 + CELL}L${bottom[j]} 190"/>`));
  cells(parts, top, TOP, x, "cell");
  maps.forEach((map, phase) => cells(parts, middle[phase], 110, map, tint(phase)));
  cells(parts, bottom, 190, y, y.map((_, j) => tint(j % s)));
  const filters = taps.map((filter) => (filter.length ? list(filter.map((tap) => tap.weight)) : "none")).join("; ");
  return svg("try-lr", "LR convolution and shuffle, drawn",
    `${s} filters: ${filters}. Their maps: ${maps.map(list).join("; ")}. In turns: y = ${list(y)}.`, width, 224, parts);
}

function drawSplit(K, s, p) {
  const kernels = splitKernel(K, s, p), parts = [], size = 24, gap = 14;
  const high = kernels.map((row) => Math.max(...row.map((kernel) => kernel.length)));
  const wide = kernels[0].map((kernel) => (kernel[0] ?? []).length);
  const left = K * size + 40;
  const cell = (x, y, weight, phase) => {
    parts.push(`<rect class="f${phase % COLOURS}" x="${x}" y="${y}" width="${size}" height="${size}" rx="2"/>`);
    parts.push(`<text class="small" x="${x + size / 2}" y="${y + 16}">${weight}</text>`);
  };
  let top = TOP;
  const said = [];
  kernels.forEach((row, dy) => {
    let x = left;
    row.forEach((kernel, dx) => {
      kernel.forEach((weights, i) => weights.forEach((weight, j) => {
        cell(x + j * size, top + i * size, weight, dy * s + dx);
        cell(4 + ((weight - 1) % K) * size, TOP + Math.floor((weight - 1) / K) * size, weight, dy * s + dx);
      }));
      said.push(`phase ${dy}, ${dx}: ${kernel.length && kernel[0].length ? kernel.map(list).join(" / ") : "none"}`);
      x += wide[dx] * size + (wide[dx] ? gap : 0);
    });
    top += high[dy] * size + (high[dy] ? gap : 0);
  });
  const middle = TOP + (K * size) / 2, end = left - 12;
  parts.push(`<path class="arrow" d="M${K * size + 12} ${middle}L${end - 4} ${middle}"/>`);
  parts.push(`<path class="tip" d="M${end} ${middle}L${end - 7} ${middle - 4}L${end - 7} ${middle + 4}z"/>`);
  const width = left + wide.reduce((sum, columns) => sum + columns * size + (columns ? gap : 0), 0);
  return svg("try-split", `A kernel of ${K}×${K} at stride ${s} falls into ${s * s}`, `${said.join("; ")}.`,
    width, Math.max(top, K * size + 2 * TOP), parts);
}
