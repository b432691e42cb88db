/** The page: which models, which image, which threshold; a frame after another through every model. */

import { Card } from "./card.js";
import { Problem } from "./detector/problem.js";
import { Model } from "./model.js";
import { Network } from "./runtime.js";
import { Picture, Webcam } from "./source.js";

const byId = (id) => document.getElementById(id);
const cards = [];
/** Removed cards whose models may still be running. */
const leaving = [];
let source = null;
/** The image that the models ran on last: faces are drawn on this one, however far the webcam has gone on since. */
let taken = null;

/** Do something that may fail for a reason the user can put right; the reason becomes a line on the page. */
async function trying(action) {
  try {
    return await action();
  } catch (error) {
    if (!(error instanceof Problem)) console.error(error);
    tell(error instanceof Problem ? error.message : `something is wrong in the page itself: ${error.message}`);
    return null;
  }
}

function tell(message) {
  const line = document.createElement("li");
  line.textContent = message;
  byId("problems").append(line);
}

async function addModel(file) {
  const model = await trying(() => Model.open(file, Network));
  if (model === null) return;
  if (!cards.length) setThreshold(model.spec.score_threshold);
  const card = new Card(model, () => remove(card));
  cards.push(card);
  byId("cards").append(card.element);
  hint();
}

function remove(card) {
  cards.splice(cards.indexOf(card), 1);
  card.element.remove();
  leaving.push(card);
  // The first is what the others are compared with.
  redraw();
  hint();
}

async function setSource(open) {
  const opened = await trying(open);
  if (opened === null) return;
  source?.close();
  [source, taken] = [opened, null];
  for (const { model } of cards) {
    model.inference.clear();
    model.whole.clear();
  }
  byId("webcam").setAttribute("aria-pressed", String(source instanceof Webcam));
  hint();
}

function toggleWebcam() {
  if (!(source instanceof Webcam)) return setSource(Webcam.open);
  source.close();
  [source, taken] = [null, null];
  byId("webcam").setAttribute("aria-pressed", "false");
  return hint();
}

/** Dropped or chosen files: models (with the records beside them), or a picture. */
async function take(files) {
  byId("problems").replaceChildren();
  const records = new Map(files.filter(({ name }) => name.endsWith(".json")).map((file) => [file.name, file]));
  for (const file of files.filter(({ name }) => name.endsWith(".tflite"))) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    await addModel({ name: file.name, bytes, record: async () => (await records.get(`${file.name}.json`)?.text()) ?? null });
  }
  const pictures = files.filter(({ name }) => !/\.(tflite|json)$/.test(name));
  if (pictures.length) await setSource(() => Picture.open(pictures[pictures.length - 1]));
}

/** The models of the command line. */
async function takeGiven() {
  const session = await (await fetch("/session.json")).json();
  byId("runtime").textContent = session.runtime;
  for (const { name, address } of session.models) {
    const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer());
    const record = async () => {
      const answer = await fetch(`${address}.json`);
      return answer.ok ? answer.text() : null;
    };
    await addModel({ name, bytes, record });
  }
}

const threshold = () => Number(byId("threshold").value);

function setThreshold(value) {
  byId("threshold").value = value;
  byId("threshold-value").textContent = Number(value).toFixed(2);
}

function hint() {
  const missing = !cards.length ? "Drop .tflite files here, or add them above." : "Choose a picture, drop one here, or start the webcam.";
  byId("hint").hidden = cards.length > 0 && source !== null;
  byId("hint").textContent = missing;
}

function redraw() {
  if (taken === null) return;
  const shown = cards.filter(({ model }) => model.outputs !== null);
  const faces = shown.map(({ model }) => model.faces(threshold()));
  shown.forEach((card, index) => card.draw(taken.shown, faces[index], index ? { model: shown[0].model, faces: faces[0] } : null));
}

/** A picture is run until its figures rest on as many frames as the webcam's. */
function isWaiting({ model }) {
  return source.changes || !model.inference.isFull;
}

async function frame() {
  const next = source?.next() ?? null;
  const [of, waiting] = [source, next === null ? [] : cards.filter(isWaiting)];
  for (const card of waiting) await runOrRemove(card, next.image);
  if (waiting.length && of === source) {
    taken = next;
    redraw();
  }
  for (const { model } of leaving.splice(0)) model.close();
}

/** A model that fails is taken away, with a line that says why. */
async function runOrRemove(card, image) {
  const done = await trying(async () => {
    await card.model.run(image);
    return true;
  });
  if (done === null && cards.includes(card)) remove(card);
}

async function frames() {
  for (;;) {
    await frame();
    await new Promise(requestAnimationFrame);
  }
}

function listen() {
  byId("models").addEventListener("change", ({ target }) => take([...target.files]));
  byId("picture").addEventListener("change", ({ target }) => take([...target.files]));
  byId("webcam").addEventListener("click", toggleWebcam);
  byId("threshold").addEventListener("input", ({ target }) => {
    setThreshold(target.value);
    redraw();
  });
  addEventListener("resize", redraw);
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", (event) => {
    event.preventDefault();
    take([...event.dataTransfer.files]);
  });
}

listen();
hint();
await trying(takeGiven);
await frames();
