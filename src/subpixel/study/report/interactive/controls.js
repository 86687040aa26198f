// Reads the controls, runs the three forms, shows what they gave. Nothing leaves the page.
(() => {
  const at = (id) => document.getElementById(`try-${id}`);
  const LONGEST = 8, LARGEST = 999;

  // Whole numbers only: with them equality is exact.
  function numbers(input, what) {
    const words = input.value.trim().split(/[\s,;]+/).filter(Boolean);
    const values = words.map(Number);
    const wrong = words.find((_, i) => !Number.isInteger(values[i]) || Math.abs(values[i]) > LARGEST);
    let problem = "";
    if (wrong !== undefined) problem = `“${wrong}” is no whole number from −${LARGEST} to ${LARGEST}.`;
    else if (!values.length || values.length > LONGEST) problem = `${what} takes 1 to ${LONGEST} numbers; these are ${values.length}.`;
    input.setAttribute("aria-invalid", problem ? "true" : "false");
    return {values, problem};
  }

  function say(text, kind) {
    at("verdict").textContent = text;
    at("verdict").className = `verdict ${kind}`;
  }

  function show() {
    const x = numbers(at("x"), "The signal"), f = numbers(at("f"), "The kernel");
    const problem = x.problem || f.problem;
    if (!f.problem) {
      at("k").value = f.values.length;
      at("p").max = f.values.length - 1;
    }
    for (const id of ["k", "s", "p"]) at(`${id}-value`).textContent = at(id).value;
    const s = Number(at("s").value), p = Number(at("p").value);
    const length = problem ? 0 : outputLength(x.values, f.values, s, p);
    at("results").hidden = length < 1;
    if (problem) return say(problem, "wrong");
    if (length < 1) return say(`A padding of ${p} crops everything: nothing is left of the output. Take less padding or a longer signal.`, "wrong");

    const forms = {
      transposed: transposedForm(x.values, f.values, s, p),
      subpixel: subpixelForm(x.values, f.values, s, p),
      lr: lrForm(x.values, f.values, s, p),
    };
    for (const [name, form] of Object.entries(forms)) {
      at(`y-${name}`).textContent = list(form.y);
      at(`n-${name}`).textContent = form.products;
    }
    at("draw-transposed").innerHTML = drawTransposed(x.values, f.values, s, p);
    at("draw-subpixel").innerHTML = drawSubpixel(x.values, f.values, s, p);
    at("draw-lr").innerHTML = drawLR(x.values, f.values, s, p);
    at("draw-split").innerHTML = drawSplit(f.values.length, s, p);
    at("key").innerHTML = f.values.map((weight, k) => `<span class="weight w${k % COLOURS}">${weight}</span>`).join("");
    at("filters").textContent = forms.lr.taps.map((filter, phase) =>
      `map ${phase}: ${filter.length ? list(filter.map((tap) => tap.weight)) : "no weight, so zeros"}`).join("; ");
    const [a, b, c] = Object.values(forms).map((form) => list(form.y));
    const equal = a === b && b === c;
    const bare = forms.lr.taps.filter((filter) => !filter.length).length;
    const why = bare ? ` The stride is larger than the kernel: ${bare} of ${s} maps ${bare === 1 ? "has" : "have"} no weight.` : "";
    return say(equal ? `All three agree, in each of ${length} samples.${why}` : "The three differ: this is a bug of the page.", equal ? "right" : "wrong");
  }

  // A longer kernel goes on counting, a shorter one loses its last weights.
  at("k").addEventListener("input", () => {
    const {values} = numbers(at("f"), "The kernel"), size = Number(at("k").value);
    at("f").value = list(Array.from({length: size}, (_, k) => (Number.isInteger(values[k]) ? values[k] : k + 1)));
    at("p").value = Math.min(Number(at("p").value), size - 1);
    show();
  });
  for (const id of ["x", "f", "s", "p"]) at(id).addEventListener("input", show);

  function set(x, f, s, p) {
    at("x").value = list(x);
    at("f").value = list(f);
    at("s").value = s;
    at("p").max = f.length - 1;
    at("p").value = p;
    show();
  }
  at("note").addEventListener("click", () => set([1, 2, 3, 4, 5], [1, 2, 3, 4], 2, 2));
  at("random").addEventListener("click", () => {
    const upTo = (most) => 1 + Math.floor(Math.random() * most);
    const some = (count) => Array.from({length: count}, () => upTo(19) - 10);
    const f = some(upTo(6));
    const x = some(1 + upTo(5)), s = upTo(4);
    const whole = s * (x.length - 1) + f.length;  // padding leaves one sample of it at least
    set(x, f, s, Math.floor(Math.random() * Math.min(f.length, 3, Math.ceil(whole / 2))));
  });
  at("form").addEventListener("submit", (event) => event.preventDefault());
  show();
})();
