// Uploads a file piece by piece. One that broke off goes on where it was, even after the page was closed.

import { ask, at } from "./api.js";
import { TEXTS } from "./texts.js";

const PIECE = 8 << 20; // bytes
const PAUSES = [1, 2, 4, 8, 15, 30, 60]; // seconds before it tries again

const remembered = (file) => `upload ${file.name} ${file.size} ${file.lastModified}`;

// onProgress(done, sentence or null); the signal gives it up. Returns the upload's id.
export async function upload(file, onProgress, signal) {
  const key = remembered(file);
  let now = await known(localStorage.getItem(key), file);
  if (!now) {
    now = await ask("POST", "/uploads", { name: file.name, size: file.size });
    localStorage.setItem(key, now.id);
  }
  let failures = 0;
  while (now.offset < file.size) {
    if (signal.aborted) {
      localStorage.removeItem(key);
      await ask("DELETE", at("uploads", now.id));
      throw new DOMException("", "AbortError");
    }
    onProgress(now.offset, null);
    const piece = file.slice(now.offset, now.offset + PIECE);
    try {
      now = await ask("PATCH", `${at("uploads", now.id)}?offset=${now.offset}`, piece);
      failures = 0;
    } catch (error) {
      if (error.code && error.code !== "wrong-offset") {
        localStorage.removeItem(key);
        throw error;
      }
      if (failures === PAUSES.length) throw error;
      onProgress(now.offset, TEXTS.uploadAgain);
      await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSES[failures]));
      failures += 1;
      now = (await known(now.id, file).catch(() => null)) ?? now;
    }
  }
  onProgress(file.size, null);
  localStorage.removeItem(key);
  return now.id;
}

// The upload as it stands, if the program still knows it.
async function known(id, file) {
  if (!id) return null;
  try {
    const found = await ask("GET", at("uploads", id));
    return found.size === file.size ? found : null;
  } catch (error) {
    if (error.code === "no-upload") return null;
    throw error;
  }
}
