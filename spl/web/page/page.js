// Paint a hole, send it to the server that has the image, show what comes back.

const $ = id => document.getElementById(id);
const canvas = $("hole"), context = canvas.getContext("2d", { willReadFrequently: true });
const HOLE = getComputedStyle(document.documentElement).getPropertyValue("--hole");

let image = null;      // {key, name, width, height, steps, at}: what is open; a step is {number, title, url, strokes, undone}
let fills = {}, limits = {};  // what there is to fill with, by name; the largest file and image
let stroke = null;     // the one that is being painted
let brush = { x: 0, y: 0 }, zoom = 1, busy = false;

const step = () => image.steps[image.at];
const tool = () => document.querySelector("[name=tool]:checked").value;
const size = () => $("size").valueAsNumber;

// --- What is said -----------------------------------------------------------------------------------------------------

function say(text, bad = false) {
  if ($("status").textContent !== text) $("status").textContent = text;
  $("status").classList.toggle("bad", bad);
}

/** Do something that may take long or fail; say what went wrong. */
async function during(text, work) {
  if (busy) return say("Wait until this is done.");
  setBusy(true);
  say(text);
  try {
    await work();
  } catch (error) {
    say(error.message, true);
  }
  setBusy(false);
}

function setBusy(now) {
  busy = now;
  document.body.classList.toggle("busy", now);
  update();
}

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch {
    throw Error("The server does not answer. Is spl web still running?");
  }
  if (!answer.ok) throw Error((await answer.json().catch(() => ({}))).error ?? answer.statusText);
  return answer;
}

const post = (path, body) => ask(path, { method: "POST", body });

function checked(file) {
  if (file.size > limits.max_bytes) {
    throw Error(`${file.name} is too large: at most ${limits.max_bytes / 1e6} MB are taken.`);
  }
  return file;
}

// --- Opening ----------------------------------------------------------------------------------------------------------

const openFile = file => during(`Reading ${file.name} …`, async () =>
  show(await post(`images?name=${encodeURIComponent(file.name)}`, checked(file))));

const openExample = () => during("Drawing the example …", async () => show(await post("example")));

async function show(answer) {
  const { size: [width, height], ...opened } = await answer.json();
  const first = await loadStep(opened.key, 0, "Original");
  if (image) {
    forget();
    image.steps.forEach(({ url }) => URL.revokeObjectURL(url));
  }
  image = { ...opened, width, height, steps: [first], at: 0 };
  const longest = Math.max(image.width, image.height);
  $("size").max = Math.max(4, Math.round(longest / 4));
  $("size").value = Math.max(2, Math.round(longest / 16));
  brush = { x: image.width / 2, y: image.height / 2 };
  zoom = 1;
  document.querySelector("header").append($("open"));
  document.querySelector("main").classList.remove("empty");
  $("start").hidden = true;
  for (const id of ["view", "below", "panel", "actions"]) $(id).hidden = false;
  $("title").textContent = `${image.name}, ${image.width} × ${image.height}`;
  document.title = `${image.name} – Fill a hole`;
  await go(0);
  say("Paint over what should go, then press Fill.");
  canvas.focus({ preventScroll: true });
}

async function loadStep(key, number, title) {
  const url = URL.createObjectURL(await (await ask(`images/${key}/${number}`)).blob());
  return { number, title, url, strokes: [], undone: [] };
}

/** Show the image or a result; each keeps the hole that was painted on it. */
async function go(at) {
  image.at = at;
  $("after").src = step().url;
  $("before").src = image.steps[0].url;
  await $("after").decode();
  [canvas.width, canvas.height] = [$("after").naturalWidth, $("after").naturalHeight];
  $("compare").value = 0;
  $("steps").replaceChildren(...image.steps.map(entry));
  repaint();
}

function entry(one, at) {
  const item = document.createElement("li"), button = document.createElement("button");
  const thumbnail = document.createElement("img"), title = document.createElement("span");
  [thumbnail.src, thumbnail.alt, title.textContent, button.type] = [one.url, "", one.title, "button"];
  if (at === image.at) button.setAttribute("aria-current", "step");
  button.append(thumbnail, title);
  button.onclick = () => busy || go(at);
  item.append(button);
  return item;
}

const forget = () => navigator.sendBeacon(`images/${image.key}/close`);

// --- The hole: a list of strokes in pixels of the image ---------------------------------------------------------------

/** Draw a stroke, or what was added to it since its point `from`. */
function draw(target, scale, { kind, size, points, mask }, from = 0) {
  target.save();
  target.scale(scale, scale);
  target.globalCompositeOperation = { erase: "destination-out", invert: "xor" }[kind] ?? "source-over";
  if (kind === "clear") target.clearRect(0, 0, image.width, image.height);
  else if (kind === "invert") target.fillRect(0, 0, image.width, image.height);
  else if (kind === "mask") {
    target.drawImage(mask, 0, 0);
    target.globalCompositeOperation = "source-in"; // what is there becomes the colour of the hole
    target.fillRect(0, 0, image.width, image.height);
  } else {
    target.lineCap = target.lineJoin = "round";
    target.lineWidth = size;
    target.beginPath();
    points.slice(from).forEach(({ x, y }, i) => i ? target.lineTo(x, y) : target.moveTo(x, y));
    target.lineTo(points.at(-1).x + 0.01, points.at(-1).y); // a single point, too, is a dot
    target.stroke();
  }
  target.restore();
}

function drawAll(target, scale, colour) {
  target.fillStyle = target.strokeStyle = colour;
  step().strokes.forEach(one => draw(target, scale, one));
}

const scale = () => canvas.width / image.width;

function repaint() {
  context.clearRect(0, 0, canvas.width, canvas.height);
  drawAll(context, scale(), HOLE);
  update();
}

function add(one) {
  step().strokes.push(one);
  step().undone = [];
  repaint();
}

function move(from, to) {
  if (busy || !from.length) return;
  to.push(from.pop());
  repaint();
}

const undo = () => move(step().strokes, step().undone), redo = () => move(step().undone, step().strokes);

/** The share of the image that is a hole. */
function share() {
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let i = 3; i < data.length; i += 4) count += data[i] > 127;
  return count / (canvas.width * canvas.height);
}

/** The hole as PNG at the image's full size: white on black. */
async function encodeHole() {
  const full = new OffscreenCanvas(image.width, image.height), target = full.getContext("2d");
  drawAll(target, 1, "white");
  target.globalCompositeOperation = "destination-over";
  target.fillStyle = "black";
  target.fillRect(0, 0, image.width, image.height);
  return full.convertToBlob();
}

const openMask = file => during(`Reading ${file.name} …`, async () => {
  const answer = await post(`images/${image.key}/mask?name=${encodeURIComponent(file.name)}`, checked(file));
  add({ kind: "mask", mask: await createImageBitmap(await answer.blob()) });
  say(`The mask is a hole of ${percent(share())} of the image.`);
});

// --- Painting ---------------------------------------------------------------------------------------------------------

function begin() {
  stroke = { kind: tool(), size: size(), points: [{ ...brush }] };
  context.fillStyle = context.strokeStyle = HOLE;
  draw(context, scale(), stroke);
}

function extend() {
  stroke.points.push({ ...brush });
  draw(context, scale(), stroke, stroke.points.length - 2);
}

function end(kept = true) {
  const done = stroke;
  stroke = null;
  if (kept) add(done); else repaint();
}

function follow({ clientX, clientY }) {
  const box = canvas.getBoundingClientRect();
  brush = {
    x: (clientX - box.left) / box.width * image.width, y: (clientY - box.top) / box.height * image.height,
  };
  placeRing();
}

function placeRing() {
  const ring = $("ring").style, shown = canvas.clientWidth / image.width * size();
  ring.visibility = "visible";
  ring.left = `${brush.x / image.width * 100}%`;
  ring.top = `${brush.y / image.height * 100}%`;
  ring.width = ring.height = `${shown}px`;
}

canvas.onpointerdown = event => {
  if (busy || event.button || !event.isPrimary) return;
  event.preventDefault();
  canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId);
  follow(event);
  begin();
};
canvas.onpointermove = event => {
  if (!event.isPrimary) return;
  for (const each of event.getCoalescedEvents?.() ?? [event]) {
    follow(each);
    if (stroke) extend();
  }
};
canvas.onpointerup = () => stroke && end();
canvas.onpointercancel = () => stroke && end(false);
canvas.onpointerleave = () => { $("ring").style.visibility = "hidden"; };
canvas.onfocus = placeRing;
canvas.onblur = () => { $("ring").style.visibility = "hidden"; };

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

canvas.onkeydown = event => {
  if (event.ctrlKey || event.metaKey || event.altKey || busy) return;
  const press = {
    "[": () => resize(1 / 1.2), "]": () => resize(1.2), "+": () => setZoom(zoom * 1.5), "-": () => setZoom(zoom / 1.5),
    0: () => setZoom(1), b: () => $("paint").click(), e: () => $("erase").click(), " ": dab, Enter: dab,
  }[event.key];
  if (ARROWS[event.key]) stepBrush(ARROWS[event.key], event.shiftKey);
  else if (press) press();
  else return;
  event.preventDefault();
};

function dab() {
  begin();
  end();
  say(`${tool() === "paint" ? "Painted" : "Erased"} at ${Math.round(brush.x)}, ${Math.round(brush.y)}. ${$("share").textContent}`);
}

function stepBrush([right, down], painting) {
  const far = Math.max(1, Math.round(size() / 4)), within = (value, most) => Math.min(Math.max(value, 0), most);
  if (painting) begin();
  brush = { x: within(brush.x + right * far, image.width), y: within(brush.y + down * far, image.height) };
  if (painting) {
    extend();
    end();
  }
  placeRing();
  $("ring").scrollIntoView({ block: "nearest", inline: "nearest" });
}

function resize(factor) {
  const wanted = size() * factor;
  $("size").value = factor > 1 ? Math.ceil(wanted) : Math.floor(wanted);
  update();
  placeRing();
}

// --- Filling ----------------------------------------------------------------------------------------------------------

const fill = () => during("Sending the hole …", async () => {
  const covered = share(), filled = step(), { value, selectedOptions: [{ text }] } = $("fills");
  if (covered > 0.6) throw Error(`The hole is ${percent(covered)} of the image; at most 60 % can be filled.`);
  const query = new URLSearchParams({ fill: value, step: filled.number, grow: $("grow").value || 0 });
  const answer = await post(`images/${image.key}/fill?${query}`, await encodeHole()), begun = performance.now();
  let last = {};
  for await (last of lines(answer)) {
    if (last.ahead) say(`Waiting: ${last.ahead} fills were there before yours.`);
    else if (last.ahead === 0) say("Filling …");
  }
  if (last.error) throw Error(last.error);
  if (!last.step) throw Error("The server has ended.");
  image.steps.push(await loadStep(image.key, last.step, `${last.step} · ${text}`));
  await go(image.steps.length - 1);
  const seconds = ((performance.now() - begun) / 1000).toFixed(1);
  say(["Filled in " + seconds + " s; outside the hole nothing has changed.", ...last.notes].join(" "));
});

async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (let { value, done } = await reader.read(); !done; { value, done } = await reader.read()) {
    const whole = (rest + value).split("\n");
    rest = whole.pop();
    yield* whole.map(JSON.parse);
  }
}

// --- Everything else that is shown ------------------------------------------------------------------------------------

const percent = value => `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;

function update() {
  $("size-shown").textContent = `${size()} pixels`;
  if (!image) return;
  const { strokes, undone } = step(), covered = share(), { use, missing } = fills[$("fills").value] ?? {};
  $("undo").disabled = busy || !strokes.length;
  $("redo").disabled = busy || !undone.length;
  $("clear").disabled = busy || !covered;
  $("share").textContent = covered ? `The hole is ${percent(covered)} of the image.` : "Nothing is painted yet.";
  $("fill").disabled = busy || !covered || missing;
  $("use").textContent = missing ? `Not on this machine. To get it: ${missing}` : `For ${use}.`;
  $("comparing").hidden = $("download").hidden = !image.at;
  $("download").href = `images/${image.key}/${step().number}/file`;
  compare();
  fit();
}

function compare() {
  const value = $("compare").valueAsNumber;
  $("before").style.clipPath = `inset(0 ${100 - value}% 0 0)`;
  $("before").hidden = $("seam").hidden = !image.at || !value;
  $("seam").style.left = `${value}%`;
  $("compare").setAttribute("aria-valuetext", `${value} % from the left as before`);
}

function fit() {
  const view = $("view"), room = parseFloat(getComputedStyle(view).maxHeight);
  const whole = Math.min(view.clientWidth / image.width, room / image.height, 4);
  $("stage").style.width = `${image.width * whole * zoom}px`;
  $("stage").style.height = `${image.height * whole * zoom}px`;
  $("zoom").textContent = `${Math.round(zoom * 100)} %`;
}

function setZoom(wanted) {
  zoom = Math.min(Math.max(wanted, 1), 12);
  fit();
  placeRing();
}

async function listFills() {
  ({ fills, ...limits } = await (await ask("fills")).json());
  for (const [source, { title, group, missing }] of Object.entries(fills)) {
    let parent = [...$("fills").children].find(({ label }) => label === group);
    if (!parent) $("fills").append(parent = Object.assign(document.createElement("optgroup"), { label: group }));
    parent.append(new Option(missing ? `${title} (not here)` : title, source));
  }
}

// --- Wiring -----------------------------------------------------------------------------------------------------------

for (const [id, open] of [["file", openFile], ["mask", openMask]]) {
  $(id).onchange = async ({ target }) => {
    if (target.files[0]) await open(target.files[0]);
    target.value = "";
  };
}
for (const [id, action] of Object.entries({
  example: openExample, undo, redo, fill, clear: () => add({ kind: "clear" }), invert: () => add({ kind: "invert" }),
  "zoom-in": () => setZoom(zoom * 1.5), "zoom-out": () => setZoom(zoom / 1.5),
})) $(id).onclick = action;
$("size").oninput = update;
$("compare").oninput = compare;
$("fills").onchange = update;
$("panel").onsubmit = event => event.preventDefault();

document.onkeydown = event => {
  if (!image || !(event.ctrlKey || event.metaKey) || !"zy".includes(event.key.toLowerCase())) return;
  event.preventDefault();
  if (event.key === "y" || event.shiftKey) redo(); else undo();
};
document.onpaste = ({ clipboardData: { files } }) => files[0] && openFile(files[0]);
document.ondragover = event => {
  event.preventDefault();
  document.body.classList.add("dragging");
};
document.ondragleave = document.ondragend = () => document.body.classList.remove("dragging");
document.ondrop = event => {
  event.preventDefault();
  document.body.classList.remove("dragging");
  if (event.dataTransfer.files[0]) openFile(event.dataTransfer.files[0]);
};
onbeforeunload = event => { if (image && (image.steps.length > 1 || step().strokes.length)) event.preventDefault(); };
onpagehide = ({ persisted }) => { if (image && !persisted) forget(); };
onresize = () => image && fit();

listFills().then(update, error => say(error.message, true));
