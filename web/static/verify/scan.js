// Scanning a QR code with the camera, where the browser has BarcodeDetector; the picture stays here.

import { byId } from "./elements.js";
import { parseRef } from "./refs.js";

const PAUSE = 200; // milliseconds between two looks

/** Whether this browser can read QR codes from its camera. */
export async function canScan() {
  if (!("BarcodeDetector" in globalThis) || !navigator.mediaDevices?.getUserMedia) return false;
  try {
    return (await BarcodeDetector.getSupportedFormats()).includes("qr_code");
  } catch {
    return false;
  }
}

/** Return the text of the first QR code that the camera sees; null if the person closes the window. The camera may refuse. */
export async function scan() {
  const [dialog, video] = [byId("camera"), byId("camera-picture")];
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  try {
    video.srcObject = stream;
    dialog.showModal();
    video.play().catch(() => {}); // until it shows something, there is no code to find
    return await firstCode(dialog, video);
  } finally {
    stream.getTracks().forEach((track) => track.stop());
    video.srcObject = null;
    dialog.close();
  }
}

async function firstCode(dialog, video) {
  const detector = new BarcodeDetector({ formats: ["qr_code"] });
  while (dialog.open) {
    const [code] = await detector.detect(video).catch(() => []);
    if (code) return code.rawValue;
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
  return null;
}

/** Return {ref, host} of a code's text: a bare reference, or an address that ends in /r/<reference>; null if it is neither. */
export function refInCode(text) {
  const bare = parseRef(text.trim());
  if (bare) return { ref: bare, host: null };
  if (!URL.canParse(text)) return null;
  const url = new URL(text);
  const ref = parseRef(/\/r\/([^/]+)\/?$/.exec(url.pathname)?.[1] ?? "");
  return ref && { ref, host: url.host };
}
