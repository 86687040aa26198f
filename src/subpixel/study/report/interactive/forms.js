// The three forms of the note's layer in one dimension, each computed its own way, so that their agreement means something.
// x: samples. f: K weights. s: stride. p: padding, 0 to K - 1; it crops p samples at each end of the full output.

function outputLength(x, f, s, p) {
  return s * (x.length - 1) + f.length - 2 * p;
}

// Every sample, times all weights, is added to the output, s samples further each time; then the ends are cropped.
function transposedForm(x, f, s, p) {
  const full = Array(s * (x.length - 1) + f.length).fill(0);
  x.forEach((sample, i) => f.forEach((weight, k) => { full[s * i + k] += weight * sample; }));
  return {full, y: full.slice(p, full.length - p), products: x.length * f.length};
}

// s - 1 zeros between the samples, K - 1 - p at each end, then an ordinary convolution with the weights reversed.
function subpixelForm(x, f, s, p) {
  const K = f.length, pad = K - 1 - p;
  const stretched = Array(pad).fill(0);
  x.forEach((sample, i) => {
    if (i) for (let zero = 1; zero < s; zero++) stretched.push(0);
    stretched.push(sample);
  });
  for (let i = 0; i < pad; i++) stretched.push(0);
  const reversed = [...f].reverse(), y = [];
  for (let j = 0; j + K <= stretched.length; j++) {
    y.push(reversed.reduce((sum, weight, k) => sum + weight * stretched[j + k], 0));
  }
  return {stretched, pad, y, products: y.length * K};
}

// Weight k lands J = k - p samples beside sample s·i: in phase J mod s, J div s sites further on. So the weights fall into
// s filters on the LR samples; their s maps, taken in turns, are the output. A phase without a weight gives zeros.
function lrForm(x, f, s, p) {
  const length = outputLength(x, f, s, p), sites = Math.ceil(length / s);
  const taps = Array.from({length: s}, () => []);
  for (let k = f.length - 1; k >= 0; k--) {
    const site = Math.floor((k - p) / s), phase = k - p - s * site;
    taps[phase].push({k, weight: f[k], reads: -site});
  }
  const maps = taps.map((filter) => Array.from({length: sites}, (_, n) =>
    filter.reduce((sum, tap) => sum + tap.weight * (x[n + tap.reads] ?? 0), 0)));
  const y = Array.from({length}, (_, j) => maps[j % s][Math.floor(j / s)]);
  return {taps, maps, sites, y, products: sites * f.length};
}

// In two dimensions: the K×K weights of the sub-pixel kernel, numbered row by row from 1, by the phase that they serve.
// Weight k' along an axis is weight K - 1 - k' of the transposed convolution, which serves phase (K - 1 - k' - p) mod s.
function splitKernel(K, s, p) {
  const along = Array.from({length: s}, () => []);
  for (let k = 0; k < K; k++) along[(((K - 1 - k - p) % s) + s) % s].push(k);
  return along.map((rows) => along.map((columns) => rows.map((y) => columns.map((x) => y * K + x + 1))));
}
